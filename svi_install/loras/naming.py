"""Final names: given to a file that is what it was when it was checked, and never taken from another one."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

# Access denied, sharing violation, lock violation.
_HELD = {5, 32, 33}
_RENAME_ATTEMPTS = 9


class ChangedError(Exception):
    """Another program has changed the part file; the text goes behind its name."""


class Seal(NamedTuple):
    """What the complete part file is; whatever is written to it later is another one."""

    device: int
    inode: int
    size: int
    mtime_ns: int


def compare(seal: Seal | None, status: os.stat_result) -> None:
    """Make sure that a file is still the one that was sealed.

    Args:
        seal: what it was, None when it never was complete.
        status: what it is.

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


def tidy(target: Path) -> None:
    """Remove what a run has left that died after a file got its final name and before it lost its temporary one.

    Args:
        target: the final path, with the file there.
    """
    path = target.with_name(target.name + ".part")
    with contextlib.suppress(OSError):
        if os.path.samestat(path.lstat(), target.stat()):
            path.unlink()
            target.with_name(target.name + ".part.state").unlink(missing_ok=True)


def move(source: Path, target: Path, check: Callable[[os.stat_result], None] = lambda _status: None) -> None:
    """Rename a file, but never over another one.

    Args:
        source: the file.
        target: its new name.
        check: is shown the file that has got the name, and raises when it is not the right one; it loses the name then.

    Raises:
        FileExistsError: something has that name.
        ChangedError: it is not the right file.
        OSError: the disk refuses.
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

    Args:
        source: the file.
        target: its new name.
        pause: waits a number of seconds.
        check: as for `move`.

    Raises:
        FileExistsError: something has that name.
        ChangedError: it is not the right file.
        OSError: the disk refuses.
    """
    for attempt in range(_RENAME_ATTEMPTS):
        try:
            move(source, target, check)
            return
        except PermissionError as error:
            # On Windows an antivirus opens a new file for some seconds.
            if getattr(error, "winerror", None) not in _HELD or attempt == _RENAME_ATTEMPTS - 1:
                raise
            pause(0.1 * 2**attempt)


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk."""
    # Windows refuses to open a folder.
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
