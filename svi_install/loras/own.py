"""Opens files of our own by name, and nothing that somebody else has put under that name."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_ALWAYS = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class ForeignError(Exception):
    """Something under the name of a file of ours is none.

    Args:
        path: the name.
        what: what it is, such as ``a link``.
    """

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path} is {what}")
        self.path = path
        self.what = what


def open_own(path: Path, flags: int) -> int:
    """Open a plain file, never through a link, and never one that has a second name.

    Args:
        path: the file.
        flags: as for `os.open`; with ``O_CREAT`` it is made when it is not there, and made anew when the file of that
            name has a second one: what is written then does not reach the person's file.

    Returns:
        The descriptor.

    Raises:
        ForeignError: a link, a folder, a pipe or a device has the name.
        OSError: it cannot be opened.
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
