"""Git's index is replaced as git does it: under its lock, and only if nobody has changed it meanwhile."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ..errors import SviError
from . import files


def replace(index: Path, before: bytes, after: bytes) -> bool:
    """Replace the index of a checkout.

    Args:
        before: the bytes that ``after`` was made from.

    Returns:
        False when git is at work there, somebody changed it meanwhile, or the disk refused; then it is as it was.
    """
    lock = index.with_name(f"{index.name}.lock")
    try:
        # Git takes a file that is as old as its index or newer for one that may have changed since. So the index keeps
        # its age, or it would vouch for what it has not seen.
        files.write_new(lock, after, index, index.stat().st_mtime_ns)
    except FileExistsError:
        return False
    except OSError:
        _drop(lock)
        return False
    except BaseException:
        _drop(lock)
        raise
    try:
        if files.read(index) != before:
            return False
        files.replace(lock, index)
    except (OSError, SviError):
        return False
    finally:
        _drop(lock)
    return True


def _drop(lock: Path) -> None:
    with contextlib.suppress(OSError):
        files.remove(lock)
