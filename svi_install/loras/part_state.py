"""What is known of a file that is still arriving, in a small file that survives a crash and is the lock as well."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from .own import ForeignError, open_own

Extents = tuple[tuple[int, int], ...]

HASH = re.compile(r"[0-9a-f]{64}")
# Two slots are written in turn, so that one that is torn leaves the other.
_SLOT = 4096


class State(NamedTuple):
    """What a later run needs to go on.

    Args:
        url: address the bytes come from, without the signed address behind it.
        identity: hash of the file on the server, else ``etag:`` and its strong etag; empty when it names neither.
        validator: etag for ``If-Range``.
        size: bytes of the whole file, None while it is not known.
        done: extents of the file that were handed to the system.
        durable: extents that are on the disk for sure.
        booted: when this machine was started.
        number: counts the writes of the state.
        prefix: bytes from the begin of the file whose hash is known.
        digest: sha256 of these bytes as they arrived.
        host: who states the hash, empty without one.
    """

    url: str = ""
    identity: str = ""
    validator: str = ""
    size: int | None = None
    done: Extents = ()
    durable: Extents = ()
    booted: float = 0.0
    number: int = 0
    prefix: int = 0
    digest: str = ""
    host: str = ""

    @property
    def hashed(self) -> bool:
        """True when the identity is a hash, which the bytes can be compared with once they are all there."""
        return HASH.fullmatch(self.identity) is not None


class HeldError(Exception):
    """Another process has the part file."""


def read_newest(fd: int) -> State | None:
    """Read the state that was written last.

    Args:
        fd: the open state file.

    Returns:
        The state, None when there is none that is whole.
    """
    found = [state for slot in (0, 1) if (state := _read_slot(fd, slot))]
    return max(found, key=lambda state: state.number) if found else None


def write_slot(fd: int, state: State) -> None:
    """Write a state into the slot whose turn it is.

    Args:
        fd: the open state file.
        state: its number says which slot.

    Raises:
        OSError: the disk refuses.
    """
    text = json.dumps(state._asdict(), separators=(",", ":")).encode()
    record = b"%08x %s" % (zlib.crc32(text), text)
    os.lseek(fd, state.number % 2 * _SLOT, os.SEEK_SET)
    os.write(fd, record.ljust(_SLOT, b"\n"))


def _read_slot(fd: int, slot: int) -> State | None:
    os.lseek(fd, slot * _SLOT, os.SEEK_SET)
    record = os.read(fd, _SLOT).strip()
    try:
        if int(record[:8], 16) != zlib.crc32(record[9:]):
            return None
        fields = json.loads(record[9:])
        fields["done"] = _extents(fields["done"])
        fields["durable"] = _extents(fields["durable"])
        return _checked(State(**fields))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _extents(found: Any) -> Extents:
    extents = tuple((_count(start), _count(end)) for start, end in found)
    flat = [offset for extent in extents for offset in extent]
    # They are made disjoint and in order, so that any others were not written by us.
    if any(first >= second for first, second in itertools.pairwise(flat)):
        raise ValueError
    return extents


def _count(number: Any) -> int:
    if type(number) is not int or not 0 <= number < 1 << 60:
        raise ValueError
    return number


def _checked(state: State) -> State:
    texts = (state.url, state.identity, state.validator, state.digest, state.host)
    if not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise ValueError
    size = None if state.size is None else _count(state.size)
    if size is not None and any(end > size for _, end in (*state.done, *state.durable)):
        raise ValueError
    return state._replace(
        number=_count(state.number), prefix=_count(state.prefix), booted=float(state.booted), size=size
    )


def merge(extents: Extents, start: int, end: int) -> Extents:
    """Add an extent.

    Args:
        extents: disjoint extents in order.
        start: begin of the new one.
        end: offset behind it.

    Returns:
        Disjoint extents in order; neighbours that touch are one.
    """
    merged: list[tuple[int, int]] = []
    for first, last in extents:
        if last < start or first > end:
            merged.append((first, last))
        else:
            start, end = min(start, first), max(end, last)
    merged.append((start, end))
    return tuple(sorted(merged))


def missing(state: State) -> Extents:
    """List what is missing.

    Args:
        state: what is there.

    Returns:
        Extents in order; the last one ends at the size, or is open (end -1) while the size is not known.
    """
    found: list[tuple[int, int]] = []
    at = 0
    for start, end in state.done:
        if start > at:
            found.append((at, start))
        at = end
    size = state.size
    if size is None:
        found.append((at, -1))
    elif at < size:
        found.append((at, size))
    return tuple(found)


def clip(extents: Extents, length: int) -> Extents:
    """Drop what lies behind the end of a file.

    Args:
        extents: disjoint extents in order.
        length: bytes of the file.

    Returns:
        What is left of them.
    """
    return tuple((start, min(end, length)) for start, end in extents if start < length)


def booted() -> float:
    """Tell when this machine was started, on a clock that other machines need not share."""
    return time.time() - time.monotonic()


def left_over(target: Path) -> int:
    """Tell how much of a file an earlier run has left.

    Args:
        target: final path of the file.

    Returns:
        Bytes, 0 when there is nothing to go on from.
    """
    try:
        fd = open_own(target.with_name(target.name + ".part.state"), os.O_RDONLY)
    except (OSError, ForeignError):
        return 0
    try:
        state = read_newest(fd)
        length = target.with_name(target.name + ".part").lstat().st_size
    except OSError:
        return 0
    finally:
        os.close(fd)
    done = clip(state.done, length) if state else ()
    return sum(end - start for start, end in done)


def open_locked(path: Path) -> tuple[int, int | None]:
    """Open a file and lock it for this process.

    Args:
        path: the file; made when it is not there.

    Returns:
        Its descriptor, and that of the file that is locked in its place where the disk knows no locks, else None.
        Closing them gives the lock back.

    Raises:
        HeldError: another process has the lock.
        ForeignError: something that is no file of ours has its name.
        OSError: the file cannot be opened.
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


if sys.platform == "win32":
    import msvcrt

    def _lock(fd: int) -> None:
        os.lseek(fd, 1 << 30, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise HeldError from error

else:
    import fcntl

    def _lock(fd: int) -> None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HeldError from error
