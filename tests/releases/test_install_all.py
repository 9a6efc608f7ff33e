"""Install, status and revert on every WanGP release, as on a person's disk: with LF and with CRLF line ends."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from svi_install import patchset
from svi_install.commands.install import install
from svi_install.commands.revert import revert
from svi_install.commands.status import status

pytestmark = pytest.mark.releases

HOOKS = sum(len(variants[0].hunks) for variants in patchset.load().variants.values())


def history() -> Path | None:
    pointer = Path.home() / ".config" / "svi-install" / "wangp-git"
    named = os.environ.get("WANGP_GIT") or (pointer.read_text("utf-8").strip() if pointer.is_file() else "")
    return Path(named) if named and Path(named).exists() else None


def releases() -> list[tuple[str, str]]:
    return list(patchset.load().commits.items())


@pytest.fixture(scope="module")
def sources() -> dict[tuple[str, str], bytes]:
    """The patched files of every release by release and path, read with one git process."""
    git = history()
    if git is None:
        pytest.skip(f"{len(releases())} releases not tried: WanGP's history is not here (WANGP_GIT)")
    paths = patchset.load().paths
    wanted = [(release, path) for release, _ in releases() for path in paths]
    asked = "".join(f"{commit}:{path}\n" for _, commit in releases() for path in paths)
    output = subprocess.run(
        ["git", "-C", str(git), "cat-file", "--batch"], input=asked.encode(), capture_output=True, check=True
    ).stdout
    found: dict[tuple[str, str], bytes] = {}
    position = 0
    for key in wanted:
        end = output.index(b"\n", position)
        size = int(output[position:end].split()[2])
        found[key] = output[end + 1 : end + 1 + size]
        position = end + size + 2
    return found


def tree(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_every_release_in_and_out(
    tmp_path: Path, sources: dict[tuple[str, str], bytes], newline: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whether the disk has it in time is tested elsewhere; here it would cost minutes.
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    wrong = {}
    for release, _ in releases():
        root = tmp_path / release.strip("<")
        for path in patchset.load().paths:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(sources[release, path].replace(b"\n", newline))
        before = tree(root)
        done = install(root)
        patched = tree(root)
        shown = status(root)
        reverted = revert(root)
        facts = {
            "installed": (done.status, done.state, shown.state) == ("done", "installed", "installed"),
            "hooks": len(done.hooks) == HOOKS,
            "same lines for status": {(hook.path, hook.hook, hook.line) for hook in done.hooks}
            == {(hook.path, hook.hook, hook.line) for hook in shown.hooks},
            "only insertions": all(
                patched[path].count(b"\n") > before[path].count(b"\n") for path in patchset.load().paths
            ),
            "newlines": all(
                patched[path].count(newline) == patched[path].count(b"\n") for path in patchset.load().paths
            ),
            "reverted": (reverted.status, reverted.state) == ("done", "absent"),
            "byte for byte": tree(root) == before,
        }
        if not all(facts.values()):
            wrong[release] = [name for name, good in facts.items() if not good]
    assert not wrong
    assert len(releases()) == 172
