"""One writer per checkout: a lock file that names its owner and is recognised when the owner is gone."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import SviError
from . import files, own_files, process
from .files import FOLDER

NAME = "lock"
_FAR_STALE = 3600.0  # seconds after which the lock of another computer counts as left behind


class Owner(NamedTuple):
    """Who holds a lock: process number, its start, the computer, the command and the time of locking."""

    pid: int
    started: str
    host: str
    command: str
    time: float

    @staticmethod
    def parse(text: bytes) -> Owner | None:
        """Return the owner that a lock file names, or None when it names none (its writer died at once)."""
        try:
            raw = json.loads(text)
            owner = Owner(
                int(raw["pid"]), str(raw["started"]), str(raw["host"]), str(raw["command"]), float(raw["time"])
            )
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return None
        return owner if 0 < owner.pid < 1 << 31 and 0 <= owner.time < 1 << 35 else None

    def alive(self, now: float) -> bool:
        """Tell whether this owner can still be at work.

        Args:
            now: the time to judge by, for owners on another computer that cannot be asked.

        Returns:
            False when the lock was left behind.
        """
        if self.host != this_computer():
            return abs(now - self.time) < _FAR_STALE
        return process.started(self.pid) == self.started


def this_computer() -> str:
    """Return the name that other computers have for this one."""
    if sys.platform == "win32":
        import platform

        return platform.node()
    return os.uname().nodename


@contextlib.contextmanager
def hold(root: Path, command: str) -> Iterator[Path]:
    """Hold the checkout's lock.

    Args:
        command: what the owner does, for others to read.

    Yields:
        The folder of ours in the checkout. It is removed afterwards if nothing is in it.

    Raises:
        SviError: another svi-install is at work, or the lock could not be written.
    """
    folder = root / FOLDER
    path = folder / NAME
    try:
        handle = _take(folder, path, command)
    except OSError as error:
        with contextlib.suppress(OSError):
            files.remove_folder(folder)
        raise files.plain(error, path, "write") from error
    try:
        yield folder
    finally:
        _release(path, handle)
        with contextlib.suppress(OSError):
            files.remove_folder(folder)


def _take(folder: Path, path: Path, command: str) -> int:
    while True:
        with contextlib.suppress(FileExistsError):
            files.make_folder(folder)
        try:
            if not stat.S_ISDIR(folder.lstat().st_mode):
                raise SviError("unsafe-path", f"{folder} is not a folder; nothing was changed.", f"Remove {folder}.")
            handle = files.open_lock(path)
        except FileNotFoundError:
            continue  # another process just finished and removed the folder
        try:
            if _own(handle, path, command):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _own(handle: int, path: Path, command: str) -> bool:
    try:
        own_files.grab(handle)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            raise _busy(path, Owner.parse(files.read(path) or b"")) from None
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL):
            raise
        # A disk without system locks: what the file says about its owner has to do.
    if not _same(handle, path):
        return False  # another process just finished and removed the file
    owner = Owner.parse(os.read(handle, 4096))
    if owner is not None and owner.pid != os.getpid() and owner.alive(time.time()):
        raise _busy(path, owner)
    mine = Owner(os.getpid(), process.started(os.getpid()) or "", this_computer(), command, time.time())
    try:
        files.rewrite(handle, json.dumps(mine._asdict()).encode())
    except OSError as error:
        # What is left of a command must be taken back on a full disk too, and taking back needs no room but for this.
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            files.remove(path, sleep=lambda _: None)
            raise
    return True


def _same(handle: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(handle))


def _release(path: Path, handle: int) -> None:
    # Windows cannot remove an open file; elsewhere the name must go before the lock does, or two could own it.
    if sys.platform == "win32":
        os.close(handle)
        handle = -1
    try:
        with contextlib.suppress(OSError):
            files.remove(path, sleep=lambda _: None)
    finally:
        # Also when Ctrl-C comes just now: while the handle is open, this process could not take the lock again.
        if handle >= 0:
            os.close(handle)


def _busy(path: Path, owner: Owner | None) -> SviError:
    who = "Another svi-install"
    if owner is not None:
        when = time.strftime("%H:%M:%S", time.localtime(owner.time))
        who = f"Another svi-install ({owner.command}, process {owner.pid} on {owner.host}, since {when})"
    return SviError(
        "busy",
        f"{who} is working on {path.parent.parent}. Nothing was changed.",
        f"Wait until it is done. If none is running, remove {path} and run the same command again.",
    )
