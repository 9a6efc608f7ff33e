"""Small pictures of a few frames, as JPEG."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from .frames import Frame

WIDTH = 160
QUALITY = 62


class Thumbnails:
    """Keeps the frames at the ends of clips.

    Args:
        starts: the frame at which each clip begins, as far as that is known before.
        keep_all: keep every frame, because nobody knows yet; they are small.
    """

    def __init__(self, starts: Iterable[int] | None, *, keep_all: bool) -> None:
        self._wanted = {near for start in starts or () for near in (start - 1, start)}
        self._all = keep_all
        self._kept: dict[int, bytes] = {}
        self._last: Frame | None = None

    def keep(self, frame: Frame) -> None:
        """Look at a frame as it goes by."""
        if self._all or frame.index in self._wanted:
            self._kept[frame.index] = jpeg(frame)
        self._last = frame

    def of(self, starts: Sequence[int], frames: int) -> dict[int, bytes]:
        """Return the first and last frame of each clip, by frame."""
        if self._last is not None and (self._all or self._wanted):
            self._kept[self._last.index] = jpeg(self._last)
        ends = {*starts, *(start - 1 for start in starts if start), frames - 1}
        return {frame: picture for frame, picture in sorted(self._kept.items()) if frame in ends}


def jpeg(frame: Frame) -> bytes:
    """Compress a frame, turned as a player turns it."""
    from PIL import Image

    picture = Image.fromarray(frame.rgb)
    if frame.rotation:
        picture = picture.rotate(frame.rotation, expand=True)
    picture.thumbnail((WIDTH, WIDTH))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
