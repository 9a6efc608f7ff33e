"""Every call that changes a person's tree: small writes built from single system calls, failures in plain words."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

from ..errors import SviError

FOLDER = ".svi-install"  # ours in a checkout: receipt, journal and lock
DELAYS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
# Changing calls stay with `os`, one system call each, so that tests can stop before and after every single one.
HELD = (5, 32, 33)  # Windows: access denied, sharing violation, lock violation
_NO_ATTRIBUTES = (errno.ENOTSUP, errno.ENOSYS, getattr(errno, "ENODATA", errno.ENOTSUP))
_FULL = (112,)  # Windows: ERROR_DISK_FULL
_TOO_LONG = (206,)  # Windows: ERROR_FILENAME_EXCED_RANGE

_AT_ONCE = 8  # files on their way to the disk

_AGAIN = "then run the same command again."
_ROOM = f"Make room on this disk, {_AGAIN}"
_OWNER = f"Make sure that this folder is yours, {_AGAIN}"

_WORDS = {
    errno.ENOSPC: ("disk-full", "the disk is full", _ROOM),
    errno.EDQUOT: ("disk-full", "your disk quota is used up", _ROOM),
    errno.EACCES: ("no-permission", "you do not have permission to do that there", _OWNER),
    errno.EPERM: ("no-permission", "you do not have permission to do that there", _OWNER),
    errno.EROFS: ("read-only", "the disk is read-only", f"Make the disk writable, {_AGAIN}"),
    errno.EIO: ("disk-error", "the disk reported an error", f"Check the disk and its cable, {_AGAIN}"),
    errno.ENAMETOOLONG: ("path-too-long", "its path is too long", f"Move WanGP to a shorter path, {_AGAIN}"),
}


@functools.lru_cache(maxsize=64)
def digest(data: bytes) -> str:
    """Return the sha256 of ``data`` in hex; a command asks up to five times for the same bytes."""
    import hashlib  # late, because it takes as long as a quarter of what a list needs

    return hashlib.sha256(data).hexdigest()


def plain(error: OSError, path: Path, action: str) -> SviError:
    """Turn a failed system call into words for a person.

    Args:
        path: the file or folder that was worked on.
        action: what was tried, as in ``write``.

    Returns:
        The error to raise; its message names the file and the reason.
    """
    winerror = getattr(error, "winerror", None)
    if winerror in HELD:
        code, why = "file-held", "another program has it open, or it is write-protected"
        hint = f"Close WanGP and any editor that has this file open, {_AGAIN}"
    elif winerror in _FULL:
        code, why, hint = _WORDS[errno.ENOSPC]
    elif winerror in _TOO_LONG:
        code, why, hint = _WORDS[errno.ENAMETOOLONG]
    else:
        code, why, hint = _WORDS.get(error.errno or 0, ("write-failed", (error.strerror or str(error)).lower(), ""))
    return SviError(code, f"Could not {action} {path}: {why}.", hint)


def read(path: Path) -> bytes | None:
    """Return the bytes of a regular file, or None where nothing is.

    Args:
        path: the file; links are followed.

    Returns:
        The bytes, or None.

    Raises:
        SviError: something that is not a file is there, or it cannot be read.
    """
    # What is opened is looked at again, and without waiting: a pipe put there meanwhile would hang for ever.
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        _must_be_file(path, path.stat())
        with os.fdopen(os.open(path, flags), "rb") as file:
            _must_be_file(path, os.fstat(file.fileno()))
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _no_file(path) from error
        raise plain(error, path, "read") from error


def kind(path: Path) -> Literal["file", "folder", "other", "nothing"]:
    """Say what is at a path; links are followed, and one that leads nowhere counts as nothing.

    Raises:
        SviError: the disk does not say.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "nothing"
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "nothing"
        raise plain(error, path, "read") from error
    return "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "other"


def is_link(path: Path) -> bool:
    """Tell whether a link is at a path, to whatever; an `SviError` says that the disk does not tell."""
    try:
        return stat.S_ISLNK(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise plain(error, path, "read") from error


def _must_be_file(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _no_file(path)


def _no_file(path: Path) -> SviError:
    hint = f"Move {path} away, {_AGAIN}"
    return SviError("not-a-file", f"{path} is not a regular file; nothing was changed.", hint)


def write_new(path: Path, data: bytes, like: Path | None = None, mtime_ns: int | None = None) -> None:
    """Create a file that must not exist yet and bring its bytes to the disk.

    Args:
        data: its bytes.
        like: the file whose mode, owner and extended attributes it takes; None for those of a file of one's own.
        mtime_ns: time of last change to set; None for now.

    Raises:
        OSError: what was created may be incomplete.
    """
    handle = begin_new(path, data, like)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    if mtime_ns is not None:
        set_mtime(path, mtime_ns)


def begin_new(path: Path, data: bytes, like: Path | None = None) -> int:
    """Write a file like `write_new`, but leave it open: only `sync` makes sure of its bytes."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    handle = os.open(path, flags, 0o666 if like is None else 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        if like is not None and os.name == "posix":
            _keep_owner(handle, like.stat())
            _keep_attributes(handle, like)
    except BaseException:
        os.close(handle)
        raise
    return handle


def sync(handles: Sequence[int]) -> dict[int, OSError]:
    """Bring open files to the disk, several at once: it takes hardly longer for many together than for one.

    Returns:
        What the disk refused, by the position of the file.
    """
    failed: dict[int, OSError] = {}
    waiting = list(enumerate(handles))

    def work() -> None:
        with contextlib.suppress(IndexError):  # nothing is waiting any more
            while True:
                number, handle = waiting.pop()
                try:
                    os.fsync(handle)
                except OSError as error:
                    failed[number] = error

    import threading  # late: the status writes nothing

    others = [threading.Thread(target=work) for _ in handles[1:_AT_ONCE]]
    try:
        with contextlib.suppress(RuntimeError):  # where there is no thread to be had, one after the other
            for thread in others:
                thread.start()
        work()
    finally:
        waiting.clear()
        for thread in others:
            if thread.ident is not None:
                thread.join()
    return failed


def set_mtime(path: Path, mtime_ns: int) -> None:
    """Give a file a time of last change; a time that this disk cannot hold is left out.

    Raises:
        OSError: the disk refused for another reason.
    """
    try:
        os.utime(path, ns=(mtime_ns, mtime_ns))
    except OverflowError:
        return
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ERANGE, getattr(errno, "EOVERFLOW", 0)):
            raise


def _keep_owner(handle: int, like: os.stat_result) -> None:
    mine = os.fstat(handle)
    if (mine.st_uid, mine.st_gid) != (like.st_uid, like.st_gid):
        os.fchown(handle, like.st_uid, like.st_gid)
    os.fchmod(handle, stat.S_IMODE(like.st_mode))


def _keep_attributes(handle: int, like: Path) -> None:
    """Carry over what a person or the system attached to a file: tags, access lists, security labels."""
    if not hasattr(os, "listxattr"):  # pragma: no cover (macOS: Python cannot ask there)
        return
    try:
        names = os.listxattr(like)
    except OSError as error:
        if error.errno in _NO_ATTRIBUTES:
            return
        raise
    for name in names:
        try:
            value = os.getxattr(like, name)
            # Asked first, because most security labels come with the new file and may be set by nobody.
            if not (name in os.listxattr(handle) and os.getxattr(handle, name) == value):
                os.setxattr(handle, name, value)
        except OSError as error:
            ours_to_keep = name.startswith("user.") or error.errno not in (errno.EPERM, errno.EACCES)
            if error.errno not in _NO_ATTRIBUTES and ours_to_keep:
                raise


def overwrite(path: Path, start: int, data: bytes) -> None:
    """Make a file shorter where it lies: it needs no room, but is in pieces until this returns.

    Args:
        start: how many of its bytes are right already.
        data: all its bytes to be, no more than it has now.

    Raises:
        OSError: a system call failed; the file may be in pieces.
    """
    flags = os.O_WRONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    handle = os.open(path, flags)
    try:
        os.lseek(handle, start, os.SEEK_SET)
        view = memoryview(data)[start:]
        while view:
            view = view[os.write(handle, view) :]
        os.ftruncate(handle, len(data))
        os.fsync(handle)
    finally:
        os.close(handle)


def keep_aside(path: Path, aside: Path) -> None:
    """Give the file at ``path`` a second name, or a copy where the disk knows no hard links.

    Args:
        aside: the second name, which must not exist.

    Raises:
        OSError: neither worked.
    """
    try:
        os.link(path, aside)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EEXIST):
            raise
        write_new(aside, path.read_bytes(), path, path.stat().st_mtime_ns)


def replace(source: Path, target: Path, sleep: Callable[[float], None] = time.sleep) -> None:
    """Rename over ``target``; on Windows wait a little for a program that holds it open."""
    _patiently(lambda: os.replace(source, target), sleep)  # noqa: PTH105


def remove(path: Path, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Remove a file; one that is gone already is fine. Waits like `replace` for a program that holds it open."""
    try:
        _patiently(lambda: os.unlink(path), sleep)  # noqa: PTH108
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _patiently(call: Callable[[], None], sleep: Callable[[float], None]) -> None:
    for delay in DELAYS:
        try:
            return call()
        except PermissionError as error:
            # Only Windows refuses a rename because a file is open; elsewhere waiting would not help.
            if getattr(error, "winerror", None) not in HELD:
                raise
        sleep(delay)
    return call()


def open_lock(path: Path) -> int:
    """Open a lock file for reading and writing, creating it where it is missing.

    Args:
        path: the lock file; a link is refused.

    Raises:
        SviError: something that is not a file is there, a pipe for instance.
        OSError: it could not be opened.
    """
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    flags |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    handle = os.open(path, flags, 0o644)
    try:
        _must_be_file(path, os.fstat(handle))
    except SviError:
        os.close(handle)
        raise
    return handle


def rewrite(handle: int, data: bytes) -> None:
    """Replace what an open file holds by a few bytes."""
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    os.write(handle, data)


def make_folder(path: Path) -> None:
    """Create one folder whose parent exists."""
    os.mkdir(path)  # noqa: PTH102


def remove_folder(path: Path) -> bool:
    """Remove a folder if it is empty.

    Returns:
        Whether it is gone now.

    Raises:
        OSError: it is empty and could not be removed.
    """
    try:
        os.rmdir(path)  # noqa: PTH106
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST) or getattr(error, "winerror", None) == 145:
            return False
        raise
    return True


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk, where the system can do that.

    Raises:
        OSError: the disk reported an error.
    """
    sync_folders((path,))


def sync_folders(paths: Iterable[Path]) -> None:
    """Bring the names in several folders to the disk like `sync_folder`, in no order."""
    if os.name != "posix":
        return
    handles: list[int] = []
    try:
        for path in dict.fromkeys(paths):
            handles.append(os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)))
        for error in sync(handles).values():
            # Network and FUSE file systems answer so when folders cannot be synced.
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise error
    finally:
        for handle in handles:
            os.close(handle)
