"""PNG files of plain 8-bit RGB pixels, by the standard library alone: exact, and any program opens them."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Bit depth 8, color type RGB, and the only compression, filter method and interlacing that are written here.
PLAIN = (8, 2, 0, 0, 0)


@dataclass(frozen=True)
class Picture:
    """One picture: rows of RGB bytes from the top."""

    width: int
    height: int
    pixels: bytes


def write(path: Path, picture: Picture) -> None:
    """Writes a picture.

    Args:
        path: the file; replaced when it exists.
        picture: what to write.

    Raises:
        OSError: the file cannot be written.
    """
    stride = picture.width * 3
    rows = b"".join(
        b"\0" + picture.pixels[start : start + stride] for start in range(0, picture.height * stride, stride)
    )
    header = struct.pack(">IIBBBBB", picture.width, picture.height, *PLAIN)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(rows, 6)), _chunk(b"IEND", b""))
    path.write_bytes(SIGNATURE + b"".join(chunks))


def read(path: Path) -> Picture:
    """Reads back a picture that `write` has written.

    Args:
        path: the file.

    Returns:
        The picture, byte for byte.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged, or another program has written it in another form.
    """
    data = path.read_bytes()
    if not data.startswith(SIGNATURE):
        raise ValueError(f"{path} is not a PNG file")
    header, content, at = b"", bytearray(), len(SIGNATURE)
    while at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        if data[at + 8 + length : at + 12 + length] != struct.pack(">I", zlib.crc32(kind + body)):
            raise ValueError(f"{path} is damaged")
        if kind == b"IHDR":
            header = body
        elif kind == b"IDAT":
            content += body
        at += 12 + length
    if len(header) != 13 or struct.unpack(">BBBBB", header[8:]) != PLAIN:
        raise ValueError(f"{path} is not plain RGB as svi-install writes it")
    width, height = struct.unpack(">II", header[:8])
    try:
        rows = zlib.decompress(content)
    except zlib.error as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    stride = width * 3 + 1
    if len(rows) != height * stride or any(rows[::stride]):
        raise ValueError(f"{path} is not plain RGB as svi-install writes it")
    pixels = b"".join(rows[start + 1 : start + stride] for start in range(0, len(rows), stride))
    return Picture(width, height, pixels)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
