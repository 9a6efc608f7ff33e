"""What is known of a file that is still arriving, in a small file that survives a crash and is the lock as well."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import time
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from ...writing.own_files import ForeignError, open_own

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


def read_newest(fd: int) -> State | None:
    """Read the state that was written last."""
    found = [state for slot in (0, 1) if (state := _read_slot(fd, slot))]
    return max(found, key=lambda state: state.number) if found else None


def write_slot(fd: int, state: State) -> None:
    """Write a state into the slot whose turn it is."""
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
    """Add an extent."""
    merged: list[tuple[int, int]] = []
    for first, last in extents:
        if last < start or first > end:
            merged.append((first, last))
        else:
            start, end = min(start, first), max(end, last)
    merged.append((start, end))
    return tuple(sorted(merged))


def uncovered(extents: Extents, start: int, end: int) -> Extents:
    """List what of a stretch lies in no extent."""
    found: list[tuple[int, int]] = []
    for first, last in extents:
        if first < end and start < last:
            if start < first:
                found.append((start, first))
            start = last
    return (*found, (start, end)) if start < end else tuple(found)


def missing(state: State) -> Extents:
    """List what is missing; an end that is not known is -1."""
    if state.size is not None:
        return uncovered(state.done, 0, state.size)
    end = state.done[-1][1] if state.done else 0
    return (*uncovered(state.done, 0, end), (end, -1))


def clip(extents: Extents, length: int) -> Extents:
    """Drop what lies behind the end of a file."""
    return tuple((start, min(end, length)) for start, end in extents if start < length)


def booted() -> float:
    """Tell when this machine was started, on a clock that other machines need not share."""
    return time.time() - time.monotonic()


def left_over(target: Path) -> int:
    """Tell how much of a file an earlier run has left."""
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


def tidy(target: Path) -> None:
    """Remove what a run has left that died after a file got its final name and before it lost its temporary one."""
    path = target.with_name(target.name + ".part")
    with contextlib.suppress(OSError):
        if os.path.samestat(path.lstat(), target.stat()):
            path.unlink()
            target.with_name(target.name + ".part.state").unlink(missing_ok=True)
