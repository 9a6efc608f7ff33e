"""Install, status and revert on WanGP releases, as on a person's disk: with LF and with CRLF line endings.

Every eighth release; ``SVI_TEST_ALL=1 pytest tests/releases`` tries all. Placing is tried on all, always.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from svi_install.commands.install import install
from svi_install.commands.revert import revert
from svi_install.commands.status import status
from svi_install.history import repository
from svi_install.patching import patchset
from tests.every import some

# Other tests cover the same lines; counting them here would double the time.
pytestmark = [pytest.mark.releases, pytest.mark.no_cover]

HOOKS = sum(len(variants[0].hunks) for variants in patchset.load().variants.values())


def releases() -> list[tuple[str, str]]:
    return list(patchset.load().commits.items())


@pytest.fixture(scope="module")
def sources(git: Path) -> dict[tuple[str, str], bytes]:
    """The patched files of every release, by release and path."""
    wanted = {(release, path): f"{commit}:{path}" for release, commit in releases() for path in patchset.load().paths}
    found = repository.blob_ids(git, wanted.values())
    assert None not in found
    return dict(zip(wanted, repository.read_blobs(git, [blob for blob in found if blob]), strict=True))


def tree(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_releases_in_and_out(
    tmp_path: Path, sources: dict[tuple[str, str], bytes], newline: bytes, hurried: None
) -> None:
    wrong = {}
    assert len(releases()) == 172
    for release, _ in some(releases(), 8, first=len(newline)):
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
