"""Git's index after a change of WanGP's files: every kind of index, and nobody is run over."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from svi_install.checkout import git_index
from svi_install.commands.install import install
from svi_install.commands.revert import revert
from svi_install.gitfilter import drivers
from svi_install.gitfilter.refresh import refresh, without_ours
from svi_install.history import git_program
from svi_install.package_data import PATCHED
from svi_install.writing import files, index
from tests.gitfilter.conftest import changed, git, patched, pristine
from tests.trees import posix

WGP = PATCHED[0]


def listed(root: Path) -> str:
    return git(root, "ls-files", "--stage")


@pytest.mark.parametrize(
    "settings",
    [
        ("index.version=2",),
        ("index.version=4",),
        ("index.skipHash=true",),
        ("feature.manyFiles=true",),
        ("core.untrackedCache=true",),
        ("index.threads=4", "index.recordEndOfIndexEntries=true", "index.recordOffsetTable=true"),
        ("core.checkStat=minimal", "core.trustctime=false"),
        ("core.splitIndex=true",),
    ],
    ids=lambda settings: settings[0],
)
def test_kinds_of_index(root: Path, settings: tuple[str, ...]) -> None:
    for setting in settings:
        git(root, "config", *setting.split("="))
    (root / ".git" / "index").unlink()
    git(root, "reset", "-q", "--hard")
    before = listed(root)
    done = install(root)
    assert not any("call WanGP's files modified" in note for note in done.notes)
    assert changed(root) == ""
    assert listed(root) == before
    git(root, "fsck")
    revert(root)
    assert changed(root) == ""
    assert patched(root) == pristine("old")


def test_a_repository_with_long_ids(tmp_path: Path, root: Path) -> None:
    long = tmp_path / "long"
    shutil.copytree(root, long, ignore=shutil.ignore_patterns(".git"))
    git(tmp_path, "init", "-q", "--object-format=sha256", "long")
    git(long, "add", "-f", ".")
    git(long, "commit", "-qm", "x")
    install(long)
    assert changed(long) == ""
    git(long, "reset", "--hard")
    assert changed(long) == ""


def test_a_split_index_without_git_is_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(root, "update-index", "--split-index")
    monkeypatch.setattr(git_program, "folder", lambda *_: None)
    done = install(root)
    assert any("is of a kind that svi-install does not change" in note for note in done.notes)
    assert done.state == "installed"


def test_a_git_at_work_is_left_alone_and_it_is_said(root: Path) -> None:
    lock = root / ".git" / "index.lock"
    lock.write_bytes(b"theirs")
    before = (root / ".git" / "index").read_bytes()
    done = install(root)
    assert any("git is at work in" in note and "run svi-install" in note for note in done.notes)
    assert lock.read_bytes() == b"theirs"
    assert (root / ".git" / "index").read_bytes() == before
    lock.unlink()
    assert changed(root) != ""
    assert install(root).status == "unchanged"
    assert changed(root) == ""


def test_the_index_keeps_its_age_and_a_file_changed_in_the_same_moment_is_seen(root: Path) -> None:
    """Git takes a file as old as its index for one that may have changed; a younger index would vouch for it."""
    place = root / ".git" / "index"
    other = root / "requirements.txt"
    git(root, "update-index", "--refresh")
    age = place.stat().st_mtime_ns
    data = other.read_bytes()
    os.utime(other, ns=(age, age))
    git(root, "update-index", "--refresh")
    age = place.stat().st_mtime_ns
    status = other.stat()
    os.utime(place, ns=(status.st_mtime_ns, status.st_mtime_ns))
    before = place.stat().st_mtime_ns
    install(root)
    assert place.stat().st_mtime_ns == before
    other.write_bytes(data.swapcase())
    os.utime(other, ns=(status.st_mtime_ns, status.st_mtime_ns))
    assert changed(root) == " M requirements.txt\n"


def test_entries_in_conflict_and_files_that_are_gone_are_passed_over(root: Path) -> None:
    (root / WGP).unlink()
    git(root, "rm", "-q", "--cached", PATCHED[1])
    before = (root / ".git" / "index").read_bytes()
    assert refresh(root) == ""
    assert (root / ".git" / "index").read_bytes() == before


def test_no_index_and_a_damaged_one(root: Path) -> None:
    place = root / ".git" / "index"
    data = place.read_bytes()
    install(root)
    place.write_bytes(b"JUNK" + data[4:])
    damaged = place.read_bytes()
    assert "is of a kind" in refresh(root)
    assert place.read_bytes() == damaged
    place.unlink()
    assert refresh(root) == ""
    place.mkdir()
    assert "is not a regular file" in refresh(root)


@pytest.mark.parametrize("text", [b"", b"DIRC", b"JUNK" * 20, b"\0" * 40])
def test_junk_is_no_index(text: bytes) -> None:
    with pytest.raises(git_index.UnknownIndexError):
        git_index.entries(text, PATCHED)


class TestReplacing:
    """The lock of git's is taken, kept by nobody, and given back whatever happens."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        file = tmp_path / "index"
        file.write_bytes(b"old")
        file.chmod(0o640)
        os.utime(file, ns=(10**18, 10**18))
        return file

    def left(self, place: Path) -> list[str]:
        return sorted(path.name for path in place.parent.iterdir() if path.name.startswith("index"))

    @posix
    def test_with_mode_and_age(self, place: Path) -> None:
        assert index.replace(place, b"old", b"new")
        assert (place.read_bytes(), place.stat().st_mode & 0o777) == (b"new", 0o640)
        assert place.stat().st_mtime_ns == 10**18
        assert self.left(place) == ["index"]

    def test_not_over_what_somebody_else_wrote(self, place: Path) -> None:
        assert not index.replace(place, b"older", b"new")
        assert place.read_bytes() == b"old"
        assert self.left(place) == ["index"]

    @pytest.mark.parametrize("call", ["write_new", "read", "replace"])
    @pytest.mark.parametrize("error", [OSError(28, "full"), KeyboardInterrupt()])
    def test_a_failure_leaves_nothing(
        self, place: Path, call: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = getattr(files, call)

        def fail(*given: object) -> object:
            if call == "write_new":
                real(*given)
            raise error

        monkeypatch.setattr(files, call, fail)
        if isinstance(error, KeyboardInterrupt):
            with pytest.raises(KeyboardInterrupt):
                index.replace(place, b"old", b"new")
        else:
            assert not index.replace(place, b"old", b"new")
        assert place.read_bytes() == b"old"
        assert self.left(place) == ["index"]

    def test_no_index_any_more(self, place: Path) -> None:
        place.unlink()
        assert not index.replace(place, b"old", b"new")
        assert self.left(place) == []


TEXTS = [
    b"a\n  x  # svi-install\nb\n",
    b"a\r\n  x  # svi-install\r\nb\r\n",
    b"a\n\tx # svi-install \t\nb",
    b"x # svi-install\nx # svi-install\n",
    b"x = '# svi-install'\n",
    b"x # svi-install # svi-install\n y # svi-install, not\n",
    b"\xff\xfe # svi-install\n\xff\n\n\n",
    b"",
    b"no end",
]


@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.parametrize("text", TEXTS)
def test_three_ways_to_take_our_lines_out_are_one(text: bytes, platform: str) -> None:
    done = subprocess.run(["sh", "-c", drivers.clean(platform)], input=text, stdout=subprocess.PIPE, check=True)
    assert done.stdout == without_ours(text)


@pytest.mark.parametrize(
    ("words", "platform"),
    [
        (("busybox", "sed"), "linux"),
        (("toybox", "sed"), "linux"),
        *(((name,), "darwin") for name in ("gawk", "mawk", "original-awk")),
        (("busybox", "awk"), "darwin"),
    ],
    ids=str,
)
def test_with_other_programs(words: tuple[str, ...], platform: str) -> None:
    """macOS's awk is the ``original-awk`` of other systems."""
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not here")
    name = "sed" if platform == "linux" else "awk"
    command = drivers.clean(platform).replace(f" {name} ", f" {' '.join(words)} ")
    assert " ".join(words) in command
    for text in TEXTS:
        done = subprocess.run(["sh", "-c", command], input=text, stdout=subprocess.PIPE, check=True)
        assert done.stdout == without_ours(text)


@pytest.mark.skipif(sys.platform == "win32", reason="a sed written for a POSIX shell")
def test_what_a_sed_that_ends_every_line_would_do_does_not_happen(tmp_path: Path) -> None:
    """The sed of macOS; with the awk that is used there, a last line without an end stays one."""
    text = b"a\nx # svi-install\nno end"
    done = subprocess.run(["sh", "-c", drivers.clean("darwin")], input=text, stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"a\nno end"
    assert "sed" not in drivers.clean("darwin")
