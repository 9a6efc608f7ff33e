"""A film that can be watched while it grows: each finished segment is appended, and nothing is written twice.

The file is a fragmented MP4: a header, then for each segment its frames with the time at which they begin. Players and
browsers show what is there, whatever comes later.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path

from ...errors import SviError
from ..archive.store import Store, plainly, remove, usable
from ..film.film import PART, Clip, Film, end_of
from ..media import ffmpeg
from ..script.story import FPS

NAME = "preview.mp4"
# Ticks of a frame in the parts of a film.
TICKS = 16384 // FPS


def path_of(store: Store) -> Path:
    """Return the video that grows with every segment, on request."""
    return store.root / NAME


class Preview:
    """The growing video of one run: what was finished before it began comes first.

    Args:
        film: the film.
        program: ffmpeg.
    """

    def __init__(self, film: Film, program: Path) -> None:
        self._film, self._program = film, program
        self._path = path_of(film.store)
        self._next = self._frames = self._fragments = 0

    def grow(self, clip: Clip | None = None) -> None:
        """Append what has been finished since the last time, as far as no segment before it is missing.

        A player may hold the file open; that is no reason to stop a night's work, and the next time it all comes.
        """
        with contextlib.suppress(SviError, OSError, ValueError, struct.error):
            while self._next < len(self._film.segments) and self._film.finished(self._film.segments[self._next]):
                self._append()

    def _append(self) -> None:
        film, segment = self._film, self._film.segments[self._next]
        parts = [film.folder(segment) / PART]
        if segment.ends and film.variant.seam == "head":
            parts.append(end_of(film.folder(segment), self._program, film.variant.motion_frames))
        data, frames, fragments = b"", self._frames, self._fragments
        for part in parts:
            whole = ffmpeg.fragmented(self._program, part, film.store.root / f"{NAME}.part")
            for kind, box in _boxes(whole):
                if kind in (b"ftyp", b"moov") and not self._next and not fragments:
                    data += box
                elif kind == b"moof":
                    fragments += 1
                    data += _moved(box, fragments, frames * TICKS)
                elif kind == b"mdat":
                    data += box
            frames += ffmpeg.count(self._program, part)
        with plainly(self._path, "write"):
            if not self._next:
                if self._path.is_dir():
                    raise IsADirectoryError(self._path)
                remove(self._path)
            usable(self._path)
            with self._path.open("ab") as file:
                file.write(data)
        self._next, self._frames, self._fragments = self._next + 1, frames, fragments


def _boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, bytes]]:
    """The boxes of an MP4 file, or those within one."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        size = struct.unpack_from(">Q", data, start + 8)[0] if size == 1 else size or end - start
        if size < 8 or start + size > end:
            raise ValueError("this is no MP4 file")
        yield kind, data[start : start + size]
        start += size


def _moved(moof: bytes, number: int, ticks: int) -> bytes:
    """A fragment that begins so many ticks later."""
    moved = b""
    for kind, box in _boxes(moof, 8):
        if kind == b"mfhd":
            moved += box[:12] + struct.pack(">I", number)
        elif kind == b"traf":
            moved += box[:8] + b"".join(_later(*inner, ticks) for inner in _boxes(box, 8))
        else:
            moved += box
    return moof[:8] + moved


def _later(kind: bytes, box: bytes, ticks: int) -> bytes:
    if kind != b"tfdt":
        return box
    form = ">Q" if box[8] else ">I"
    return box[:12] + struct.pack(form, struct.unpack_from(form, box, 12)[0] + ticks)
