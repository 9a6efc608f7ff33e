"""Updates between real releases, in every way that people have: SVI stays in, and comes out byte for byte.

By default a few pairs of releases; ``SVI_TEST_ALL=1`` tries the twenty that the project promises, and more.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from svi_install.commands.install import install
from svi_install.commands.revert import revert
from svi_install.commands.status import status
from svi_install.gitfilter import drivers
from svi_install.gitfilter.refresh import without_ours
from svi_install.history import repository
from svi_install.patching import hooks, known, patchset, placement
from tests.every import ALL
from tests.releases.upstream import Upstream

pytestmark = [
    pytest.mark.releases,
    pytest.mark.no_cover,
    pytest.mark.usefixtures("hurried"),
    pytest.mark.skipif(shutil.which("sh") is None, reason="filters not tried: there is no shell here"),
]

PATCHES = patchset.load()
RELEASES = list(PATCHES.commits)
PAIRS = 20 if ALL else 1
EVERY = 1 if ALL else 32
OWN = b"\nA_LINE_OF_ONES_OWN = True\n"
WAYS = {
    "pull": (("pull", "-q"),),
    "reset": (("fetch", "-q"), ("reset", "-q", "--hard", "origin/main")),
    "stash": (("stash", "-q"), ("pull", "-q"), ("stash", "pop", "-q")),
    "checkout": (("fetch", "-q"), ("checkout", "-q", "--detach", "origin/main")),
    "rebase": (("commit", "-qam", "mine"), ("pull", "-q", "--rebase")),
}
# Somebody has work of their own then.
BUSY = {"stash", "rebase"}


def pairs() -> list[tuple[str, str]]:
    """Older and newer releases, the same ones every time."""
    chosen = random.Random(13)
    older_first = (sorted(chosen.sample(range(len(RELEASES)), 2)) for _ in range(PAIRS))
    return [(RELEASES[older], RELEASES[newer]) for older, newer in older_first]


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory, git: Path) -> Upstream:
    return Upstream(tmp_path_factory.mktemp("upstream") / "wangp.git", git)


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "gitconfig"
    file.write_text("[user]\nname = a\nemail = a@b\n[rebase]\nautoStash = false\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(file))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)


def run(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    # Whatever the filter has to say is a fault here.
    assert "svi-install" not in done.stderr
    return done.stdout


def tree(root: Path) -> dict[str, bytes]:
    """Every file of the work tree."""
    there = (path for path in root.rglob("*") if path.is_file() and ".git" not in path.relative_to(root).parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in there}


def settled(root: Path) -> dict[str, bytes | None]:
    names = ("config", "info/attributes", "info/exclude")
    return {name: (root / ".git" / name).read_bytes() if (root / ".git" / name).exists() else None for name in names}


@pytest.mark.parametrize("convert", ["false", "true"], ids=["lf", "autocrlf"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("pair", pairs(), ids="-".join)
def test_update(tmp_path: Path, upstream: Upstream, pair: tuple[str, str], way: str, convert: str) -> None:
    older, newer = pair
    before = upstream.commit(older, PATCHES.commits[older])
    root = tmp_path / "WanGP"
    clone = ("clone", "-q", "-c", f"core.autocrlf={convert}", str(upstream.folder))
    run(tmp_path, *clone, str(root))
    # A clone writes that setting a second time, another one for itself.
    kept = settled(root)
    assert install(root).state == "installed"
    assert run(root, "status", "--porcelain") == ""
    if way in BUSY:
        (root / "own.txt").write_bytes(OWN)
        run(root, "add", "own.txt")
    upstream.commit(newer, PATCHES.commits[newer], before)
    for words in WAYS[way]:
        run(root, *words)
    shown = status(root)
    assert shown.state == "installed"
    own = (root / "own.txt").exists()
    assert run(root, "status", "--porcelain") == ("A  own.txt\n" if way == "stash" else "")
    assert revert(root).state == "absent"
    fresh = tmp_path / "fresh"
    run(tmp_path, *clone, str(fresh))
    there = tree(root)
    if own:
        assert there.pop("own.txt").replace(b"\r\n", b"\n") == OWN
    assert there == tree(fresh)
    assert settled(root) == kept
    assert run(root, "status", "--porcelain") == ("A  own.txt\n" if way == "stash" else "")


def test_cleaning_takes_out_just_what_taking_out_does(git: Path) -> None:
    """In every content of every release, with LF and CRLF, and without an end of the last line where WanGP has none."""
    wanted = {f"{commit}:{path}": path for commit in PATCHES.commits.values() for path in PATCHES.paths}
    paths = {blob: path for blob, path in zip(repository.blob_ids(git, wanted), wanted.values(), strict=True) if blob}
    assert len(paths) > len(RELEASES)
    unended = 0
    for number, (data, path) in enumerate(zip(repository.read_blobs(git, paths), paths.values(), strict=True)):
        variants = PATCHES.variants[path]
        for text in (data, data.replace(b"\n", b"\r\n")):
            placed = known.place(variants, path, text) or placement.place(variants, path, text)
            assert hooks.remove_hooks(variants, path, placed.after) == text
            assert without_ours(placed.after) == text
            # Each command on each content would take minutes, and what differs is how contents end.
            if number % EVERY == 0 or not text.endswith(b"\n"):
                for platform in ("linux", "darwin"):
                    command = ["sh", "-c", drivers.clean(platform)]
                    done = subprocess.run(command, input=placed.after, stdout=subprocess.PIPE, check=True)
                    assert done.stdout == text
                unended += not text.endswith(b"\n")
    assert unended
