"""Reads the comment of an MP4 file, where WanGP keeps the settings of a video, without any library."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import SviError

_PATH = (b"moov", b"udta", b"meta", b"ilst", b"\xa9cmt", b"data")
# A comment of settings is some kilobytes; anything near this is a damaged file.
_LARGEST = 64 * 1024 * 1024


def comment(path: Path) -> str | None:
    """Return the comment tag of an MP4 file.

    Returns:
        The text, None when the file has no comment.

    Raises:
        SviError: the file cannot be read or is no MP4 file.
    """
    try:
        with path.open("rb") as stream:
            end = stream.seek(0, 2)
            kinds = [kind for kind, _, _ in _boxes(stream, 0, end)]
            if b"moov" not in kinds:
                raise _damaged(path)
            return _descend(stream, 0, end, _PATH, path)
    except OSError as error:
        raise SviError("unreadable-video", f"{path} cannot be read: {error.strerror}.") from error


def _descend(stream: BinaryIO, start: int, end: int, names: tuple[bytes, ...], path: Path) -> str | None:
    for kind, content, last in _boxes(stream, start, end):
        if kind != names[0]:
            continue
        first = content
        if kind == b"meta":
            # ISO says that meta has four bytes of version and flags; QuickTime writes it without them.
            stream.seek(first + 4)
            first += 0 if stream.read(4) == b"hdlr" else 4
        if kind == b"data":
            if not 8 <= last - first <= _LARGEST:
                raise _damaged(path)
            stream.seek(first + 8)
            return stream.read(last - first - 8).decode("utf-8", "replace")
        found = _descend(stream, first, last, names[1:], path)
        if found is not None:
            return found
    return None


def _boxes(stream: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of the content of each box; stop at the first one that makes no sense."""
    while start + 8 <= end:
        stream.seek(start)
        size, kind = struct.unpack(">I4s", stream.read(8))
        header = 8
        if size == 1:
            large = stream.read(8)
            size = int.from_bytes(large, "big")
            header = 16
        elif size == 0:
            size = end - start
        if size < header or start + size > end:
            return
        yield kind, start + header, start + size
        start += size


def _damaged(path: Path) -> SviError:
    return SviError(
        "not-a-video",
        f"{path} is not an MP4 file or it is damaged: the part that describes it is missing.",
        "Choose a video that WanGP has finished writing.",
    )
