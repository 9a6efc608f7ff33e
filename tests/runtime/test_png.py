from __future__ import annotations

import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svi_install.runtime.png import SIGNATURE, Picture, read, write


@given(width=st.integers(1, 9), height=st.integers(1, 9), data=st.data())
def test_every_byte_comes_back(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, data: st.DataObject
) -> None:
    pixels = data.draw(st.binary(min_size=width * height * 3, max_size=width * height * 3))
    path = tmp_path_factory.mktemp("png") / "a.png"
    picture = Picture(width, height, pixels)
    write(path, picture)
    assert read(path) == picture


def test_other_programs_read_it(tmp_path: Path) -> None:
    pixels = bytes(range(24))
    write(tmp_path / "a.png", Picture(4, 2, pixels))
    command = ["ffmpeg", "-v", "error", "-i", str(tmp_path / "a.png"), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    try:
        decoded = subprocess.run(command, capture_output=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("needs ffmpeg")
    assert decoded == pixels


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(rows: bytes, *, depth: int = 8, colour: int = 2, width: int = 2, height: int = 1) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


GOOD = png(b"\0" + bytes(6))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xd8\xff",
        SIGNATURE,
        png(b"\1" + bytes(6)),
        png(b"\0" + bytes(5)),
        png(b"\0" + bytes(6), height=2),
        png(b"\0" + bytes(8), colour=6),
        png(b"\0" + bytes(12), depth=16),
        GOOD[:-14] + b"xx" + GOOD[-12:],
        GOOD.replace(b"IDAT", b"IDAX"),
        SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 2, 0, 0, 0)) + chunk(b"IDAT", b"no zlib"),
    ],
)
def test_damaged_or_foreign_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.png"):
        read(path)
    path.write_bytes(GOOD)
    assert read(path) == Picture(2, 1, bytes(6))
