"""Git's index, read and changed without git: is a file as WanGP's own commit has it, and may git look at it again."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from ..writing import git_folder

_BEFORE_ID = 40  # bytes of an entry before the id: ten 32-bit fields, the last of them the size
_SHA1, _SHA256 = 20, 32
_STAGE = 0x3000
# Extensions that change what the entries mean have small letters; those of sparse folders are entries like others.
_UNDERSTOOD = (b"sdir",)


class Entry(NamedTuple):
    """One file of the index.

    Attributes:
        name: its path in the work tree.
        blob: id of its content.
        size: bytes that the file in the work tree had when git last looked, 0 when git is to look again.
        at: where the size lies in the index.
    """

    name: bytes
    blob: bytes
    size: int
    at: int


class UnknownIndexError(ValueError):
    """The index is of a kind that is not understood, or damaged."""


def is_committed(root: Path, path: str, data: bytes) -> bool:
    """Tell whether bytes are the content that git's index holds for a path, line ends aside.

    Args:
        path: relative to it, with forward slashes.
        data: the bytes to judge.

    Returns:
        False also when there is no git here or its index is of a kind that is not understood.
    """
    try:
        entry = entries(path_of(root).read_bytes(), (path,)).get(path)
    except (OSError, UnknownIndexError):
        return False
    return entry is not None and is_blob(entry, data)


def is_blob(entry: Entry, data: bytes) -> bool:
    """Tell whether bytes are the content of an entry, line ends aside."""
    named = blob_id if len(entry.blob) == _SHA1 else _blob_id_256
    return entry.blob.hex() in (named(data), named(data.replace(b"\r\n", b"\n")))


def ids(data: bytes) -> tuple[str, ...]:
    """Return git's ids of a content in hex, also with LF line ends, in repositories of either kind."""
    texts = (data, data.replace(b"\r\n", b"\n"))
    return tuple(named(text) for text in texts for named in (blob_id, _blob_id_256))


@functools.lru_cache(maxsize=8)
def blob_id(data: bytes) -> str:
    """Return git's id of a content, in hex; an install asks twice for each file."""
    digest = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
    digest.update(data)
    return digest.hexdigest()


def _blob_id_256(data: bytes) -> str:
    return hashlib.sha256(b"blob %d\0" % len(data) + data).hexdigest()


def path_of(root: Path) -> Path:
    """Return where the index of a checkout lies.

    Raises:
        FileNotFoundError: there is no git here.
    """
    git = git_folder.find(root)
    if git is None:
        raise FileNotFoundError(root / ".git")
    return git.own / "index"


def entries(index: bytes, paths: Collection[str]) -> Mapping[str, Entry]:
    """Return what an index holds for some paths; one that is missing or in conflict is left out.

    Raises:
        UnknownIndexError: the index is damaged, or of a kind that is not understood, such as one that is split in two.
    """
    found, _ = _read(index, frozenset(path.encode() for path in paths))
    return {entry.name.decode(): entry for entry in found}


def look_again(index: bytes, wanted: Collection[Entry]) -> bytes:
    """Return an index whose git compares these files with their content the next time, whatever their size is.

    The size 0 is git's own sign for an entry whose size says nothing. What is staged stays as it is.

    Raises:
        UnknownIndexError: as for `entries`.
    """
    _, length = _read(index, frozenset())
    # A trailer of zeros is one that git was told not to reckon.
    trailer = index[-length:]
    body = bytearray(index[:-length])
    for entry in wanted:
        body[entry.at : entry.at + 4] = bytes(4)
    return bytes(body) + (_sum(bytes(body), length) if any(trailer) else trailer)


def _sum(body: bytes, length: int) -> bytes:
    return (hashlib.sha1(body, usedforsecurity=False) if length == _SHA1 else hashlib.sha256(body)).digest()


def _read(index: bytes, wanted: frozenset[bytes]) -> tuple[list[Entry], int]:
    """Return the wanted entries outside of conflicts, and the length of an id."""
    length = _length(index)
    try:
        version, count = int.from_bytes(index[4:8], "big"), int.from_bytes(index[8:12], "big")
        if index[:4] != b"DIRC" or version not in (2, 3, 4):
            raise ValueError(version)
        found, end = _walk(index, version, count, length, wanted)
        while end < len(index) - length:
            name = index[end : end + 4]
            if name[:1].islower() and name not in _UNDERSTOOD:
                raise ValueError(name)
            end += 8 + int.from_bytes(index[end + 4 : end + 8], "big")
        return found, length
    except (ValueError, IndexError) as error:
        raise UnknownIndexError(str(error)) from error


def _length(index: bytes) -> int:
    """Return the length of an id, told by the sum at the end or by the zeros in its place."""
    for length in (_SHA256, _SHA1):
        if not any(index[-length:]):
            return length
    for length in (_SHA1, _SHA256):
        if index[-length:] == _sum(index[:-length], length):
            return length
    raise UnknownIndexError("its sum is wrong")


def _walk(index: bytes, version: int, count: int, length: int, wanted: frozenset[bytes]) -> tuple[list[Entry], int]:
    found: list[Entry] = []
    position = 12
    name = b""
    for _ in range(count):
        start = position
        at = start + _BEFORE_ID
        flags = int.from_bytes(index[at + length : at + length + 2], "big")
        position = at + length + 2 + (2 if version >= 3 and flags & 0x4000 else 0)
        if version == 4:
            strip, position = _varint(index, position)
            end = index.index(b"\0", position)
            name = name[: len(name) - strip] + index[position:end]
            position = end + 1
        else:
            end = index.index(b"\0", position)
            name = index[position:end]
            position = end + 8 - (end - start) % 8
        if name in wanted and not flags & _STAGE:
            size = int.from_bytes(index[at - 4 : at], "big")
            found.append(Entry(name, index[at : at + length], size, at - 4))
    return found, position


def _varint(data: bytes, position: int) -> tuple[int, int]:
    byte = data[position]
    value = byte & 127
    while byte & 128:
        position += 1
        byte = data[position]
        value = ((value + 1) << 7) | (byte & 127)
    return value, position + 1
