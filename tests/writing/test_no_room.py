"""A revert on a disk without room: what goes makes room, and no kill leaves a file of WanGP's in pieces for good.

``pytest tests/writing/test_no_room.py -s`` prints how many faults were tried.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from svi_install.commands.interrupted import recover
from svi_install.commands.revert import revert as whole_revert
from svi_install.errors import SviError
from svi_install.patching import patchset, plan
from svi_install.writing import files, full_disk, receipt, transaction
from tests import miniature
from tests.crash.layer import FAULTS, KILLED, Fault, Layer, in_child, tree
from tests.older import PROFILES, RUNTIME, install, revert
from tests.test_hardship import AS_ROOT, mounted
from tests.trees import posix

pytestmark = posix

PATCHES = patchset.load()
BLOCK = 4096
WGP = "wgp.py"


class FullDisk(Layer):
    """A disk with a number of free blocks; writing into blocks that a file has already costs none."""

    def __init__(self, root: Path, free: int, fault: Fault | None = None) -> None:
        super().__init__(fault)
        self.root = root
        self.blocks = used(root) + free

    def _call(self, name: str, real: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if name == "write" and self.grows(args[0], args[1]) > self.blocks - used(self.root):
            self.calls.append(name)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super()._call(name, real, args, kwargs)

    @staticmethod
    def grows(handle: int, data: Any) -> int:
        size = os.fstat(handle).st_size
        end = os.lseek(handle, 0, os.SEEK_CUR) + len(data)
        return -(-max(size, end) // BLOCK) + size // -BLOCK


def used(root: Path) -> int:
    return sum(-(-path.lstat().st_size // BLOCK) for path in root.rglob("*") if path.is_file())


@contextlib.contextmanager
def full(root: Path, free: int = 0, fault: Fault | None = None) -> Iterator[FullDisk]:
    disk = FullDisk(root, free, fault)
    kept = files.os
    files.os = disk  # type: ignore[assignment]
    try:
        yield disk
    finally:
        files.os = kept


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def grown(root: Path) -> Path:
    """Give the main file the size of the real one: more than all files of ours together."""
    data = (root / WGP).read_bytes()
    line = b"# This line stands for the many that WanGP has here.\n"
    head, _, rest = data.partition(b"\n\n")
    (root / WGP).write_bytes(head + b"\n\n" + line * 2000 + rest)
    os.utime(root / WGP, ns=(1_700_000_000_000_000_000,) * 2)
    return root


@pytest.fixture
def big(tmp_path: Path) -> Path:
    return grown(miniature.write(tmp_path / "WanGP"))


def whole(root: Path, before: dict[str, object], hooked: dict[str, bytes]) -> None:
    for path in PATCHES.paths:
        assert (root / path).read_bytes() in (hooked[path], before[f"0:{path}"][-1])  # type: ignore[index]


def hooked_files(root: Path) -> dict[str, bytes]:
    return {path: (root / path).read_bytes() for path in PATCHES.paths}


@pytest.mark.parametrize("free", [0, 1, 2, 5, 20])
@pytest.mark.parametrize("size", ["small", "big"])
def test_revert_without_room(tmp_path: Path, free: int, size: str) -> None:
    root = miniature.write(tmp_path / "WanGP")
    if size == "big":
        grown(root)
    before, mtime = tree(root), (root / WGP).stat().st_mtime_ns
    install(root, PATCHES)
    with full(root, free):
        revert(root, PATCHES)
    assert tree(root) == before
    assert (root / WGP).stat().st_mtime_ns == mtime


def test_a_large_file_is_shortened_where_it_lies(big: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(big)
    install(big, PATCHES)
    inode = (big / WGP).stat().st_ino
    with full(big):
        revert(big, PATCHES)
    assert (big / WGP).stat().st_ino == inode
    assert tree(big) == before


def test_an_install_without_room_changes_nothing(big: Path) -> None:
    before = tree(big)
    with full(big), pytest.raises(SviError, match="the disk is full") as caught:
        install(big, PATCHES)
    assert caught.value.code == "disk-full"
    assert tree(big) == before


def test_every_call(big: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Killed before, in and after every call, or refused there: the files are whole after the next command."""
    before = tree(big)
    install(big, PATCHES)
    hooked = hooked_files(big)
    made = plan.plan_revert(big, PATCHES, RUNTIME, PROFILES)
    shutil.copytree(big, tmp_path / "kept")

    def action(fault: Fault) -> None:
        # Over the layer of `in_child`, which knows no full disk.
        with full(big, 0, fault):
            transaction.run(made)

    with full(big) as seen:
        transaction.run(made)
    assert tree(big) == before
    cases = [Fault(at, how) for at in range(len(seen.calls)) for how in ("before", "after")[at % 2 :: 2]]
    cases += [Fault(at, "torn") for at, call in enumerate(seen.calls) if call == "write"]
    cases += [Fault(at, ("fail", "broken")[at % 2], FAULTS[at % 3]) for at in range(0, len(seen.calls), 2)]
    for fault in cases:
        shutil.rmtree(big)
        shutil.copytree(tmp_path / "kept", big)
        code = in_child(lambda fault=fault: action(fault), Fault(1 << 30, "fail"))
        assert code in (0, 1, KILLED), fault
        recover(big)
        whole(big, before, hooked)
        assert not list(big.rglob(".svi-*.*")), fault
        revert(big, PATCHES)
        assert tree(big) == before, fault
    with capsys.disabled():
        print(f"\nrevert without room: {len(seen.calls)} calls, {len(cases)} faults", end="")


class TestPieces:
    """What a power cut leaves of a file that was being shortened."""

    def marked(self, root: Path) -> tuple[bytes, bytes]:
        """Put the mark there as `full_disk.run` does, and return the bytes with and without hooks."""
        pristine = (root / WGP).read_bytes()
        install(root, PATCHES)
        (root / receipt.PATH).rename(root / ".svi-install" / full_disk.MARK)
        return (root / WGP).read_bytes(), pristine

    @pytest.mark.parametrize("step", [1, 2, 3])
    @pytest.mark.parametrize("cut", [True, False])
    def test_any_blocks_may_be_old(self, big: Path, step: int, cut: bool) -> None:
        hooked, pristine = self.marked(big)
        data = bytearray(hooked)
        for at in range(len(pristine) // BLOCK * BLOCK, -1, -BLOCK * step):
            block = pristine[at : at + BLOCK]
            data[at : at + len(block)] = block
        assert data != hooked
        (big / WGP).write_bytes(data[: len(pristine) if cut else len(hooked)])
        assert "every file is whole again" in recover(big)[0]
        assert (big / WGP).read_bytes() == pristine
        assert (big / receipt.PATH).exists()

    @pytest.mark.parametrize("change", ["updated", "edited", "gone", "a folder", "shorter"])
    def test_what_somebody_else_made_of_it_stays(self, big: Path, change: str) -> None:
        hooked, pristine = self.marked(big)
        path = big / WGP
        texts = {"updated": miniature.files("newer")[WGP], "edited": hooked.replace(b"def main", b"def mine")}
        if change in texts:
            path.write_bytes(texts[change])
        elif change == "shorter":
            path.write_bytes(pristine[:-100])
        else:
            path.unlink()
            if change == "a folder":
                path.mkdir()
        before = tree(big)
        recover(big)
        assert tree(big)["0:wgp.py"] == before["0:wgp.py"] if change != "gone" else not path.exists()

    @pytest.mark.parametrize("text", [b"", b"junk"])
    def test_a_mark_that_says_nothing_goes(self, big: Path, text: bytes) -> None:
        before = tree(big)
        (big / ".svi-install").mkdir()
        (big / ".svi-install" / full_disk.MARK).write_bytes(text)
        recover(big)
        assert tree(big) == before

    def test_hooks_of_another_svi_install_are_not_guessed(self, big: Path) -> None:
        from tests.older import other

        pristine = (big / WGP).read_bytes()
        transaction.run(plan.plan_install(big, other(PATCHES), RUNTIME, PROFILES))
        hooked = (big / WGP).read_bytes()
        (big / receipt.PATH).rename(big / ".svi-install" / full_disk.MARK)
        mixed = pristine[:BLOCK] + hooked[BLOCK:]
        (big / WGP).write_bytes(mixed + b"#")
        recover(big)
        assert (big / WGP).read_bytes() == mixed + b"#"


class TestWhatCannotBe:
    """Where only more room helps, the message says what was done, and a revert with room does the rest."""

    def refused(self, root: Path) -> SviError:
        with full(root), pytest.raises(SviError) as caught:
            revert(root, PATCHES)
        assert caught.value.code == "disk-full"
        assert "lines are still in wgp.py" in caught.value.message
        assert "WanGP works, without SVI" in caught.value.message
        assert "Make room" in caught.value.hint
        assert not list(root.rglob(".svi-*.*"))
        assert not (root / "svi_wangp" / "__init__.py").exists()
        return caught.value

    def test_a_file_with_changes_of_a_persons_own(self, big: Path) -> None:
        before = tree(big)
        install(big, PATCHES)
        (big / WGP).write_bytes((big / WGP).read_bytes() + b"# mine\n")
        self.refused(big)
        revert(big, PATCHES)
        kind, mode, owner, links, data = before["0:wgp.py"]  # type: ignore[misc]
        assert tree(big) == {**before, "0:wgp.py": (kind, mode, owner, links, data + b"# mine\n")}

    def test_a_file_with_a_second_name(self, big: Path, tmp_path: Path) -> None:
        install(big, PATCHES)
        os.link(big / WGP, tmp_path / "backup.py")
        backup = (tmp_path / "backup.py").read_bytes()
        self.refused(big)
        assert (tmp_path / "backup.py").read_bytes() == backup

    def test_without_a_receipt(self, big: Path) -> None:
        before = tree(big)
        install(big, PATCHES)
        (big / receipt.PATH).unlink()
        self.refused(big)
        assert not (big / ".svi-install").exists()
        revert(big, PATCHES)
        left = {path: found for path, found in tree(big).items() if path != "0:profiles/new"}
        assert left == before

    def test_a_file_that_changes_meanwhile(self, big: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        install(big, PATCHES)
        made = plan.plan_revert(big, PATCHES, RUNTIME, PROFILES)
        (big / "svi_wangp" / "clip.py").write_bytes(b"mine")
        with pytest.raises(SviError, match="changed by another program"):
            full_disk.run(made, big / ".svi-install")
        assert (big / receipt.PATH).exists()
        assert (big / "svi_wangp" / "clip.py").read_bytes() == b"mine"


@pytest.mark.skipif(not AS_ROOT, reason="needs the right to mount")
@pytest.mark.parametrize("size", ["small", "big"])
def test_a_real_disk_without_a_single_page(tmp_path: Path, size: str) -> None:
    from svi_install.commands.install import install as whole_install

    with mounted(tmp_path / "disk", "size=2m") as disk:
        root = miniature.write(disk / "WanGP")
        if size == "big":
            grown(root)
        before = tree(root)
        whole_install(root)
        filler = disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * BLOCK)
        assert shutil.disk_usage(disk).free == 0
        assert whole_revert(root).status == "done"
        assert tree(root) == before
