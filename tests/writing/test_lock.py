from __future__ import annotations

import errno
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from svi_install.errors import SviError
from svi_install.writing import files, lock, own_files, process, transaction
from tests.trees import posix, small, standard

pytestmark = posix


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return small(tmp_path)


class TestLock:
    def test_two_at_once(self, root: Path) -> None:
        with lock.hold(root, "install"), pytest.raises(SviError) as caught:
            transaction.run(standard(root))
        assert caught.value.code == "busy"
        assert f"process {os.getpid()}" in caught.value.message
        assert (root / "wgp.py").read_bytes() == b"old wgp\n"
        assert not (root / ".svi-install").exists()

    def test_an_owner_that_has_not_signed_yet(self, root: Path) -> None:
        with lock.hold(root, "install"):
            (root / ".svi-install" / "lock").write_bytes(b"")
            with pytest.raises(SviError, match="Another svi-install is working on"):
                transaction.run(standard(root))

    def test_recover_leaves_a_running_command_alone(self, root: Path) -> None:
        with lock.hold(root, "install"), pytest.raises(SviError, match="working on"):
            transaction.recover(root)

    def test_the_lock_of_a_dead_process_is_taken_over(self, root: Path) -> None:
        child = subprocess.Popen([sys.executable, "-c", ""])
        child.wait()
        leave(root, owner(pid=child.pid))
        transaction.run(standard(root))
        assert (root / "wgp.py").read_bytes() == b"new wgp\n"
        assert sorted(path.name for path in (root / ".svi-install").iterdir()) == ["receipt.json"]

    def test_a_number_that_another_process_got_since_is_no_owner(self, root: Path) -> None:
        leave(root, owner(pid=os.getppid(), started="1"))
        transaction.run(standard(root))

    @pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"pid": 1}', b'{"pid": "x"}'])
    def test_a_lock_that_names_nobody_is_taken_over(self, root: Path, data: bytes) -> None:
        (root / ".svi-install").mkdir()
        (root / ".svi-install" / "lock").write_bytes(data)
        transaction.run(standard(root))

    def test_without_system_locks_a_living_owner_counts(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(own_files, "grab", failing(errno.ENOLCK))
        parent = os.getppid()
        leave(root, owner(pid=parent, started=process.started(parent) or ""))
        with pytest.raises(SviError) as caught:
            transaction.run(standard(root))
        assert caught.value.code == "busy"
        assert f"process {parent}" in caught.value.message
        (root / ".svi-install" / "lock").unlink()
        transaction.run(standard(root))

    @pytest.mark.parametrize(("age", "busy"), [(60, True), (7200, False)])
    def test_the_lock_of_another_computer_counts_for_an_hour(self, root: Path, age: float, busy: bool) -> None:
        leave(root, owner(host="elsewhere", since=time.time() - age))
        if busy:
            with pytest.raises(SviError, match="on elsewhere"):
                transaction.run(standard(root))
        else:
            transaction.run(standard(root))

    def test_a_lock_that_cannot_be_taken_is_an_error(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(own_files, "grab", failing(errno.EIO))
        with pytest.raises(SviError, match="reported an error"):
            transaction.run(standard(root))

    def test_an_owner_that_cannot_be_written_leaves_no_lock(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(files, "rewrite", failing(errno.EIO))
        with pytest.raises(SviError, match="reported an error"):
            transaction.run(standard(root))
        assert not (root / ".svi-install").exists()

    def test_a_full_disk_needs_no_named_owner(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(files, "rewrite", failing(errno.ENOSPC))
        transaction.run(standard(root))
        assert (root / "wgp.py").read_bytes() == b"new wgp\n"

    @pytest.mark.parametrize("gone", ["folder", "file", "name"])
    def test_what_another_process_removes_meanwhile_is_made_again(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, gone: str
    ) -> None:
        folder = root / ".svi-install"
        attempts = []
        name = "make_folder" if gone == "folder" else "open_lock"
        real = getattr(files, name)

        def meanwhile(path: Path) -> object:
            attempts.append(path)
            result = real(path)
            if len(attempts) == 1:
                if gone != "folder":
                    path.unlink()
                if gone == "name":
                    path.touch()
                    return result
                folder.rmdir()
            return result

        monkeypatch.setattr(files, name, meanwhile)
        transaction.run(standard(root))
        first = folder if gone == "folder" else folder / "lock"
        assert attempts.count(first) == 2
        assert (root / "wgp.py").read_bytes() == b"new wgp\n"

    def test_windows_closes_before_it_removes(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        closed = []
        real = os.close
        monkeypatch.setattr(lock.sys, "platform", "win32")
        monkeypatch.setattr(
            lock.os, "close", lambda handle: (closed.append((root / ".svi-install/lock").exists()), real(handle))
        )
        monkeypatch.setattr(process, "started", lambda _: "1")
        with lock.hold(root, "install"):
            pass
        assert closed == [True]
        assert not (root / ".svi-install").exists()


def owner(pid: int = 1, started: str = "1", host: str = "", since: float = 0.0) -> lock.Owner:
    return lock.Owner(pid, started, host or platform.node(), "install", since)


def leave(root: Path, who: lock.Owner) -> None:
    (root / ".svi-install").mkdir()
    (root / ".svi-install" / "lock").write_text(json.dumps(who._asdict()))


def failing(number: int) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail
