from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from svi_install.errors import SviError
from svi_install.writing import files
from svi_install.writing.journal import Entry, pack
from tests.crash.layer import Fault, layer
from tests.trees import posix, refused, small, standard


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return small(tmp_path)


class TestHeldFiles:
    """A Windows program that holds a file open, played by a fake rename."""

    @staticmethod
    def held(times: int, winerror: int = 32) -> tuple[list[float], object]:
        waits: list[float] = []
        left = [times]

        def fake(*_: object) -> None:
            if left[0]:
                left[0] -= 1
                error = PermissionError(errno.EACCES, "held")
                error.winerror = winerror  # type: ignore[attr-defined]
                raise error

        return waits, fake

    @pytest.mark.parametrize("winerror", [5, 32, 33])
    def test_waits_longer_each_time(self, monkeypatch: pytest.MonkeyPatch, winerror: int) -> None:
        waits, fake = self.held(3, winerror)
        monkeypatch.setattr("svi_install.writing.files.os.replace", fake)
        files.replace(Path("a"), Path("b"), waits.append)
        assert waits == list(files.DELAYS[:3])

    def test_gives_up_after_a_few_seconds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        waits, fake = self.held(99)
        monkeypatch.setattr("svi_install.writing.files.os.unlink", fake)
        with pytest.raises(PermissionError):
            files.remove(Path("a"), waits.append)
        assert waits == list(files.DELAYS)
        assert 2 < sum(waits) < 5

    def test_other_refusals_are_not_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        waits, fake = self.held(1, winerror=0)
        monkeypatch.setattr("svi_install.writing.files.os.replace", fake)
        with pytest.raises(PermissionError):
            files.replace(Path("a"), Path("b"), waits.append)
        assert waits == []

    def test_the_file_is_named_and_all_is_taken_back(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = os.replace

        def fake(source: Path, target: Path) -> None:
            if Path(target).name == "wgp.py" and source.name.endswith("n"):
                error = PermissionError(errno.EACCES, "held")
                error.winerror = 32  # type: ignore[attr-defined]
                raise error
            real(source, target)

        monkeypatch.setattr("svi_install.writing.files.os.replace", fake)
        monkeypatch.setattr(files, "DELAYS", (0.0,))
        error = refused(standard(root))
        assert error.code == "file-held"
        assert "wgp.py" in error.message
        assert "editor" in error.hint

    def test_a_path_too_long_for_windows(self) -> None:
        error = OSError(errno.ENOENT, "gone")
        error.winerror = 206  # type: ignore[attr-defined]
        assert files.plain(error, Path("a"), "write").code == "path-too-long"


class TestRead:
    def test_what_is_there(self, root: Path) -> None:
        assert files.read(root / "wgp.py") == b"old wgp\n"

    @pytest.mark.parametrize("name", ["none", "wgp.py/below"])
    def test_nothing(self, root: Path, name: str) -> None:
        assert files.read(root / name) is None

    def test_a_folder(self, root: Path) -> None:
        with pytest.raises(SviError, match="not a regular file"):
            files.read(root / "models")

    def test_a_fault(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise OSError(errno.EIO, "no")

        monkeypatch.setattr(Path, "stat", fail)
        with pytest.raises(SviError, match="Could not read"):
            files.read(root / "wgp.py")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_second_name_is_not_forced_on_a_failing_disk(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr("svi_install.writing.files.os.link", fail)
    with pytest.raises(OSError, match="no"):
        files.keep_aside(root / "wgp.py", root / "aside")
    assert not (root / "aside").exists()


def test_a_folder_that_cannot_be_removed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "no")

    assert files.remove_folder(root / "none") is True
    assert files.remove_folder(root / "models") is False
    monkeypatch.setattr("svi_install.writing.files.os.rmdir", fail)
    with pytest.raises(OSError, match="no"):
        files.remove_folder(root / "models")


@posix
def test_folders_are_not_synced_on_windows(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with layer() as seen:
        files.sync_folder(root)
        monkeypatch.setattr(type(seen), "name", "nt", raising=False)
        files.sync_folder(root)
    assert seen.calls == ["fsync"]


@posix
def test_a_folder_that_cannot_be_synced(root: Path) -> None:
    with layer(Fault(0, "fail", errno.EIO)), pytest.raises(OSError, match="error"):
        files.sync_folder(root)


class TestManyAtOnce:
    """What is brought to the disk together, and what becomes of a disk or a computer that refuses."""

    @pytest.fixture
    def handles(self, tmp_path: Path) -> Iterator[list[int]]:
        opened = [files.begin_new(tmp_path / str(number), b"x") for number in range(20)]
        yield opened
        for handle in opened:
            os.close(handle)

    def test_each_is_synced_once(self, handles: list[int]) -> None:
        with layer() as seen:
            assert files.sync(handles) == {}
        assert seen.calls == ["fsync"] * 20

    def test_every_refusal_is_told_with_its_place(self, handles: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(handle: int) -> None:
            if handle in handles[3:5]:
                raise OSError(errno.EIO, "no")

        monkeypatch.setattr("svi_install.writing.files.os.fsync", fail)
        assert set(files.sync(handles)) == {3, 4}

    def test_without_threads_one_after_the_other(self, handles: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
        def none(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", none)
        with layer() as seen:
            assert files.sync(handles) == {}
        assert seen.calls == ["fsync"] * 20

    def test_a_command_that_is_stopped_waits_for_what_is_on_its_way(
        self, handles: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def stopped(_: int) -> None:
            if threading.current_thread() is threading.main_thread():
                raise KeyboardInterrupt
            time.sleep(0.05)

        monkeypatch.setattr("svi_install.writing.files.os.fsync", stopped)
        # Other tests of this process may have left threads of their own, Dask's for one.
        before = set(threading.enumerate())
        with pytest.raises(KeyboardInterrupt):
            files.sync(handles)
        assert set(threading.enumerate()) <= before

    @posix
    def test_one_folder_that_cannot_be_synced_hides_no_other(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        numbers = [errno.EINVAL, errno.EIO]

        def fail(_: int) -> None:
            raise OSError(numbers.pop(), "no")

        monkeypatch.setattr("svi_install.writing.files.os.fsync", fail)
        with pytest.raises(OSError, match="no") as caught:
            files.sync_folders([root, root / "models", root])
        assert caught.value.errno == errno.EIO


@posix
def test_a_file_made_on_windows_keeps_the_folders_rules(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with layer() as seen:
        monkeypatch.setattr(type(seen), "name", "nt", raising=False)
        files.write_new(root / "new", b"x", (root / "wgp.py").stat())
    assert "fchmod" not in seen.calls


def test_short_writes_are_continued(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr("svi_install.writing.files.os.write", lambda handle, data: real(handle, data[:3]))
    files.write_new(root / "new", b"0123456789")
    assert (root / "new").read_bytes() == b"0123456789"


def test_a_journal_with_other_bytes_than_it_says_is_not_believed() -> None:
    entry = Entry("a", files.digest(b"old"), None, pack(b"other"), "", "")
    with pytest.raises(ValueError, match="a"):
        entry.bytes_before()
