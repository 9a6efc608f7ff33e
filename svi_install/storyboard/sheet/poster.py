"""The contact sheet as one PNG: a band for each clip, drawn once and appended, whatever number there are."""

from __future__ import annotations

import contextlib
import struct
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ...runtime import png
from ..archive.store import remove, usable

SCALE = 2
ADVANCE, LEADING = 6 * SCALE, 10 * SCALE
SIGNS, LINES = 36, 5
MARGIN = 12
# Viewers refuse pictures that are much taller; the page has them all.
MOST = 300
PAPER, INK, QUIET, PICKED = (250, 250, 248), (28, 28, 30), (150, 150, 150), (214, 106, 28)
# Seven rows of five points for each sign; a row is a digit of base 32.
_SIGNS = "!#%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_ \""
_ROWS = (
    "4444404aavavaaop248j38kk8lid44800002488842842224804lel40044v4400000c48000e00000000cc01248g0ehjlphe4c4444e"
    "eh1248vv2421he26aiv22vgu11he68guhhev124888ehhehheehhf12c0cc0cc00cc0c48248g84200v0v008421248eh12404ehnlnge"
    "ehhvhhhuhhuhhuehgggheuhhhhhuvgguggvvggugggehgnhhfhhhvhhhe44444e72222ichikokihggggggvhrllhhhhhpljhhehhhhhe"
    "uhhugggehhhliduhhukihfgge11uv444444hhhhhhehhhhha4hhhlllahha4ahhhha4444v1248gve88888ee22222e000000v0000000"
    "aaa0000"
)
GLYPHS = {sign: _ROWS[7 * at : 7 * at + 7] for at, sign in enumerate(_SIGNS)}
UNKNOWN = "vhhhhhv"


class Band(NamedTuple):
    """What one clip has on the sheet.

    Args:
        title: number, take, seed.
        text: the prompt.
        strip: file with the stills side by side.
        picked: whether it is in the film.
    """

    title: str
    text: str
    strip: Path
    picked: bool


class Poster:
    """A PNG that grows by bands.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows, self._partial = (path.with_name(f"{path.name}.{ending}") for ending in ("rows", "part"))
        self._drawn: list[Band] = []
        self._height = self._width = 0
        self._deflate = zlib.compressobj(6)

    def write(self, bands: Sequence[Band]) -> None:
        """Write the sheet; bands that it has already are not drawn again.

        Raises:
            OSError: the disk refuses.
        """
        bands = bands[:MOST]
        if not bands:
            return
        if list(bands[: len(self._drawn)]) != self._drawn or not self._drawn:
            self._begin(bands)
        with self._rows.open("ab") as file:
            for band in bands[len(self._drawn) :]:
                for row in _drawn(band, self._width):
                    self._height += 1
                    file.write(self._deflate.compress(b"\0" + row))
                file.write(self._deflate.flush(zlib.Z_SYNC_FLUSH))
                self._drawn.append(band)
        self._finish()

    def close(self) -> None:
        """Remove what is needed for growing only."""
        with contextlib.suppress(OSError):
            self._rows.unlink(missing_ok=True)

    def _begin(self, bands: Sequence[Band]) -> None:
        widths = [width for band in bands[:1] for width, _ in [_size(band.strip)]]
        self._width = MARGIN + SIGNS * ADVANCE + MARGIN + max(widths) + MARGIN
        self._drawn, self._height, self._deflate = [], 0, zlib.compressobj(6)
        for path in (self._rows, self._path, self._partial):
            usable(path)
        remove(self._rows)

    def _finish(self) -> None:
        """A whole PNG of what is drawn so far; drawing can go on behind it."""
        tail = self._deflate.copy().flush(zlib.Z_FINISH)
        with self._partial.open("wb") as file, self._rows.open("rb") as rows:
            header = struct.pack(">IIBBBBB", self._width, self._height, *png.PLAIN)
            file.write(png.SIGNATURE + _chunk(b"IHDR", header))
            while piece := rows.read(1 << 18):
                file.write(_chunk(b"IDAT", piece))
            file.write(_chunk(b"IDAT", tail) + _chunk(b"IEND", b""))
        self._partial.replace(self._path)


def _drawn(band: Band, width: int) -> Iterator[bytes]:
    try:
        strip = png.read(band.strip)
    except (OSError, ValueError):
        strip = png.Picture(0, 0, b"")
    height = max(strip.height, (LINES + 1) * LEADING) + 2 * MARGIN
    rows = [bytearray(bytes(PAPER) * width) for _ in range(height)]
    ink = INK if band.picked else QUIET
    for at, words in enumerate([band.title, *_wrapped(band.text)][: LINES + 1]):
        _write(rows, MARGIN, MARGIN + at * LEADING, words, PICKED if band.picked and not at else ink)
    left = (MARGIN + SIGNS * ADVANCE + MARGIN) * 3
    for at in range(strip.height):
        row = strip.pixels[at * strip.width * 3 : (at + 1) * strip.width * 3][: max(0, width * 3 - left)]
        rows[MARGIN + at][left : left + len(row)] = row
    if band.picked:
        for line in rows[MARGIN:-MARGIN]:
            line[: 4 * 3] = bytes(PICKED) * 4
    rows[-1][:] = bytes(QUIET) * width
    yield from map(bytes, rows)


def _write(rows: Sequence[bytearray], left: int, top: int, text: str, color: tuple[int, int, int]) -> None:
    point = bytes(color) * SCALE
    for sign in text[:SIGNS]:
        for down, digit in enumerate(GLYPHS.get(sign, UNKNOWN)):
            bits = int(digit, 32)
            for across in range(5):
                if bits >> (4 - across) & 1:
                    start = (left + across * SCALE) * 3
                    for row in rows[top + down * SCALE : top + (down + 1) * SCALE]:
                        row[start : start + len(point)] = point
        left += ADVANCE


def _wrapped(text: str) -> list[str]:
    """Lines that fit, in the signs that can be drawn; accents are left out."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign)).upper()
    lines = [""]
    for word in plain.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > SIGNS:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
        while len(lines[-1]) > SIGNS:
            lines[-1:] = [lines[-1][:SIGNS], lines[-1][SIGNS:]]
        if len(lines) > LINES:
            break
    return lines if len(lines) <= LINES else [*lines[: LINES - 1], f"{lines[LINES - 1][: SIGNS - 3]}..."]


def _size(path: Path) -> tuple[int, int]:
    """Width and height of a PNG file, as its head says."""
    with path.open("rb") as file:
        head = file.read(24)
    width, height = struct.unpack(">II", head[16:24]) if len(head) == 24 else (0, 0)
    return min(width, 4096), min(height, 4096)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
