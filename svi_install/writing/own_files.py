"""Files of our own under names that anybody may take: opened through no link, locked, never renamed over another."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from . import files

_RENAME_ATTEMPTS = 9
_ALWAYS = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


if sys.platform == "win32":  # pragma: no cover (the other systems' tests cannot run it)
    import msvcrt

    def grab(handle: int) -> None:
        """Lock an open file for this process; OSError where another one has it."""
        # One byte far behind the text, so that others can still read who owns it.
        os.lseek(handle, 1 << 30, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)
else:
    import fcntl

    def grab(handle: int) -> None:
        """Lock an open file for this process; OSError where another one has it."""
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class ForeignError(Exception):
    """Something under the name of a file of ours is none."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path} is {what}")
        self.path = path
        self.what = what


def open_own(path: Path, flags: int) -> int:
    """Open a plain file, never through a link, and never one that has a second name.

    Raises:
        ForeignError: a link, a folder, a pipe or a device has the name.
    """
    making = bool(flags & os.O_CREAT)
    while True:
        _refuse(path)
        try:
            fd = os.open(path, flags | _ALWAYS, 0o666)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
                _refuse(path)
            raise
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode) and (status.st_nlink <= 1 or not making):
            return fd
        os.close(fd)
        if stat.S_ISREG(status.st_mode) and os.path.samestat(status, path.lstat()):
            # Only the name goes; the bytes stay under the other one.
            path.unlink()


def _refuse(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        raise ForeignError(path, "a link to something else")
    if stat.S_ISDIR(mode):
        raise ForeignError(path, "a folder")
    if not stat.S_ISREG(mode):
        raise ForeignError(path, "not a plain file")


class HeldError(Exception):
    """Another process has the lock."""


def open_locked(path: Path) -> tuple[int, int | None]:
    """Open a file and lock it for this process.

    Raises:
        HeldError: another process has the lock.
        ForeignError: something that is no file of ours has its name.
    """
    while True:
        fd = open_own(path, os.O_RDWR | os.O_CREAT)
        try:
            instead = _lock_or_instead(fd, path)
            if _is_at(fd, path):
                return fd, instead
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        if instead is not None:
            os.close(instead)


def _lock_or_instead(fd: int, path: Path) -> int | None:
    try:
        _lock(fd)
    except OSError:
        # A network share without locks: the processes of this computer at least keep out of each other's way.
        import tempfile  # late, because a list of LoRAs needs no lock

        name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:24]
        instead = open_own(Path(tempfile.gettempdir()) / f"svi-install-{name}.lock", os.O_RDWR | os.O_CREAT)
        try:
            _lock(instead)
        except BaseException:
            os.close(instead)
            raise
        return instead
    return None


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.lstat())
    except FileNotFoundError:
        return False


def _lock(fd: int) -> None:
    try:
        grab(fd)
    except OSError as error:
        # Windows has one answer for a lock that is held and for a disk without any.
        if sys.platform == "win32" or isinstance(error, BlockingIOError):
            raise HeldError from error
        raise


class ChangedError(Exception):
    """Another program has changed a file of ours; the text goes behind its name."""


class Seal(NamedTuple):
    """What a complete file is; whatever is written to it later is another one."""

    device: int
    inode: int
    size: int
    mtime_ns: int


def compare(seal: Seal | None, status: os.stat_result) -> None:
    """Make sure that a file is still the one that was sealed.

    Raises:
        ChangedError: it is another one, or was written to.
    """
    if seal is None:
        raise ChangedError("was never complete")
    if not stat.S_ISREG(status.st_mode) or (status.st_dev, status.st_ino) != (seal.device, seal.inode):
        raise ChangedError("was replaced by another file")
    if status.st_size != seal.size:
        raise ChangedError(f"has {status.st_size:,} bytes instead of {seal.size:,}")
    if status.st_mtime_ns != seal.mtime_ns:
        raise ChangedError("was written to")


def move(source: Path, target: Path, check: Callable[[os.stat_result], None] = lambda _status: None) -> None:
    """Rename a file, but never over another one.

    Raises:
        FileExistsError: something has that name.
        ChangedError: it is not the right file.
    """
    if sys.platform != "win32":
        try:
            os.link(source, target, follow_symlinks=False)
        except FileExistsError:
            raise
        except FileNotFoundError:
            raise ChangedError("is gone") from None
        except OSError:
            # A disk without second names; there somebody might be faster by a hair.
            if os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        else:
            try:
                check(target.lstat())
            except ChangedError:
                # The first name is still there, with whatever somebody has put there.
                target.unlink()
                raise
            # Another svi-install that finds the file in its place tidies up, too.
            source.unlink(missing_ok=True)
            return
    source.rename(target)
    try:
        check(target.lstat())
    except ChangedError:
        if not os.path.lexists(source):
            target.rename(source)
        raise


def rename(source: Path, target: Path, pause: Callable[[float], None], check: Callable[[os.stat_result], None]) -> None:
    """Rename a file as `move` does, and wait for an antivirus that holds it.

    Raises:
        FileExistsError: something has that name.
        ChangedError: it is not the right file.
    """
    for attempt in range(_RENAME_ATTEMPTS):
        try:
            move(source, target, check)
            return
        except PermissionError as error:
            # On Windows an antivirus opens a new file for some seconds.
            if getattr(error, "winerror", None) not in files.HELD or attempt == _RENAME_ATTEMPTS - 1:
                raise
            pause(0.1 * 2**attempt)


def write_over(path: Path, text: str) -> None:
    """Replace a file of our own at once and for good; a crash leaves the old one."""
    fresh = path.with_name(f"{path.name}.new")
    try:
        files.remove(fresh)
        files.write_new(fresh, text.encode())
        files.replace(fresh, path)
    except OSError:
        with contextlib.suppress(OSError):
            files.remove(fresh)
        raise
