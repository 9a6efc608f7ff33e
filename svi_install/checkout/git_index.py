"""Asks git's index, without git, whether a file is as WanGP's own commit has it."""

from __future__ import annotations

import functools
import hashlib
import struct
from pathlib import Path

_ENTRY = 62  # bytes before the name: ten 32-bit fields, a sha1, flags


def is_committed(root: Path, path: str, data: bytes) -> bool:
    """Tell whether bytes are the content that git's index holds for a path, line ends aside.

    Args:
        path: relative to it, with forward slashes.
        data: the bytes to judge.

    Returns:
        False also when there is no git here or its index is of a kind that is not understood.
    """
    try:
        blob = _lookup(_index(root).read_bytes(), path.encode())
    except (OSError, ValueError, struct.error):
        return False
    return blob is not None and blob.hex() in (blob_id(data), blob_id(data.replace(b"\r\n", b"\n")))


@functools.lru_cache(maxsize=8)
def blob_id(data: bytes) -> str:
    """Return git's id of a content, in hex; an install asks twice for each file."""
    digest = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
    digest.update(data)
    return digest.hexdigest()


def _index(root: Path) -> Path:
    folder = root / ".git"
    if folder.is_file():
        folder = root / folder.read_text("utf-8").removeprefix("gitdir:").strip()
    return folder / "index"


def _lookup(index: bytes, wanted: bytes) -> bytes | None:
    signature, version, count = struct.unpack_from(">4sLL", index)
    if signature != b"DIRC" or version not in (2, 3, 4):
        raise ValueError(version)
    position = 12
    name = b""
    for _ in range(count):
        start = position
        flags = int.from_bytes(index[start + 60 : start + 62], "big")
        position = start + _ENTRY + (2 if version >= 3 and flags & 0x4000 else 0)
        if version == 4:
            strip, position = _varint(index, position)
            end = index.index(b"\0", position)
            name = name[: len(name) - strip] + index[position:end]
            position = end + 1
        else:
            end = index.index(b"\0", position)
            name = index[position:end]
            position = end + 8 - (end - start) % 8
        if name == wanted:
            return index[start + 40 : start + 60]
    return None


def _varint(data: bytes, position: int) -> tuple[int, int]:
    byte = data[position]
    value = byte & 127
    while byte & 128:
        position += 1
        byte = data[position]
        value = ((value + 1) << 7) | (byte & 127)
    return value, position + 1
