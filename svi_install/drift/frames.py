"""Frames of any video, one after the other, by PyAV: small colour for the looks, whole brightness for the detail."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SviError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Pixels of the small picture, and the most of the large one: beyond that, detail is measured on a smaller copy.
SMALL = 192 * 108
LARGE = 1_100_000
_AREA = "AREA"
# Formats whose first plane is the brightness, a byte each, and the levels of black and white in it where the file says
# nothing else; taking it as it is spares a conversion of every frame.
_PLAIN = {
    **dict.fromkeys(("yuv420p", "yuv422p", "yuv444p", "nv12"), (16, 235)),
    **dict.fromkeys(("yuvj420p", "yuvj422p", "yuvj444p"), (0, 255)),
}
_FULL_RANGE = 2


@dataclass(frozen=True)
class Frame:
    """One frame as it is measured; a rotated video is not turned, which changes none of the numbers.

    Args:
        index: from 0.
        time: in seconds, from the first frame on.
        rgb: small, (height, width, 3), uint8.
        gray: brightness at full size, (height, width), uint8.
        rotation: degrees, counterclockwise, by which a player turns it.
        levels: of black and white in ``gray``.
    """

    index: int
    time: float
    rgb: NDArray[np.uint8]
    gray: NDArray[np.uint8]
    rotation: int = 0
    levels: tuple[int, int] = (0, 255)


@dataclass(frozen=True)
class Stream:
    """What a file says about its video before it is read.

    Args:
        width: of the picture as it is stored.
        height: likewise.
        fps: frames per second on average.
        frames: how many to expect, 0 when the file does not say.
    """

    width: int
    height: int
    fps: float
    frames: int


class Video:
    """An open video.

    Args:
        path: any file that FFmpeg reads.

    Raises:
        SviError: it cannot be read, or there is no video in it.
    """

    def __init__(self, path: Path) -> None:
        import av

        self.path = path
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise SviError("no-video", f"{path} {what}. Nothing was measured.", "Give the path of a video file.")
        try:
            self._container = av.open(str(path), metadata_errors="replace")
        except (OSError, ValueError) as error:
            raise unreadable(path, error) from error
        streams = [each for each in self._container.streams.video if not _is_cover(each)]
        if not streams:
            sound = " only sound" if self._container.streams.audio else ""
            self._container.close()
            raise SviError("no-picture", f"{path} has{sound or ' no video'} in it. Nothing was measured.", _OTHER)
        self._stream = streams[0]
        self._stream.thread_type = "AUTO"
        context = self._stream.codec_context
        if not context.width or not context.height:
            self._container.close()
            raise SviError("no-picture", f"{path}: its video has no size. Nothing was measured.", _OTHER)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def comment(self) -> str:
        """Return the comment tag, empty when there is none."""
        found = {key.lower(): value for key, value in self._container.metadata.items()}
        return found.get("comment", "")

    def chapters(self) -> list[float]:
        """Return the times at which chapters begin, in seconds."""
        return [each["start"] * float(each["time_base"] or 0) for each in self._container.chapters()]

    def stream(self) -> Stream:
        """Return what the file says of its video."""
        stream, context = self._stream, self._stream.codec_context
        fps = float(stream.average_rate or stream.guessed_rate or 0) or 16.0
        frames = stream.frames
        if not frames and self._container.duration:
            frames = round(self._container.duration / 1e6 * fps)
        return Stream(context.width, context.height, fps, max(frames, 0))

    def frames(self) -> Iterator[Frame]:
        """Yield all frames in the order in which they are shown.

        Raises:
            SviError: nothing of it can be decoded.
        """
        import av
        from av.video.reformatter import VideoReformatter

        # Each keeps what it has worked out for one size; a frame's own would begin anew with every frame.
        colour, bright = VideoReformatter(), VideoReformatter()
        index, start = 0, None
        small = large = (0, 0)
        shape: tuple[int, int] | None = None
        try:
            for frame in self._container.decode(self._stream):
                if shape != (frame.width, frame.height):
                    # A stream may change its size half way; everything is measured at that of the first frame.
                    if shape is None:
                        small = size_within(frame.width, frame.height, SMALL)
                        large = size_within(frame.width, frame.height, LARGE)
                    shape = (frame.width, frame.height)
                    turned = int(getattr(frame, "rotation", 0)) % 180 == 90
                    self.shown = shape[::-1] if turned else shape
                time = frame.time if frame.time is not None else index / float(self._stream.average_rate or 16)
                start = time if start is None else start
                gray, levels = _brightness(bright, frame, large)
                turn = int(getattr(frame, "rotation", 0)) % 360
                yield Frame(index, time - start, _picture(colour, frame, small, "rgb24"), gray, turn, levels)
                index += 1
        except (av.FFmpegError, OSError, ValueError) as error:
            # What comes before the damage is measured; the caller sees how many frames that were.
            self.damage = str(error)
            if index == 0:
                raise unreadable(self.path, error) from error
        if index == 0:
            raise SviError("no-picture", f"{self.path} has no frame that can be decoded. Nothing was measured.", _OTHER)

    damage: str = ""
    # Width and height as a player shows it, once a frame was read.
    shown: tuple[int, int] = (0, 0)


_OTHER = "Choose another file: a video as WanGP or your camera has saved it."


def unreadable(path: Path, error: Exception) -> SviError:
    """Say that a video cannot be read."""
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return SviError("unreadable-video", f"{path} cannot be read as a video: {why}. Nothing was measured.", _OTHER)


def size_within(width: int, height: int, pixels: int) -> tuple[int, int]:
    """Return a size of the same shape with at most so many pixels, never larger and never under 8 in a direction."""
    scale = min(1.0, math.sqrt(pixels / (width * height)))
    return max(min(8, width), round(width * scale)), max(min(8, height), round(height * scale))


def _picture(scaler: Any, frame: Any, size: tuple[int, int], kind: str) -> NDArray[np.uint8]:
    made = scaler.reformat(frame, width=size[0], height=size[1], format=kind, interpolation=_AREA)
    array: NDArray[np.uint8] = made.to_ndarray()
    return array


def _brightness(scaler: Any, frame: Any, size: tuple[int, int]) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Return the brightness in a size, and which levels of it are black and white."""
    import numpy as np

    levels = _PLAIN.get(frame.format.name)
    if levels is None or size != (frame.width, frame.height):
        return _picture(scaler, frame, size, "gray"), (0, 255)
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width], (0, 255) if frame.color_range == _FULL_RANGE else levels


def _is_cover(stream: Any) -> bool:
    return bool(getattr(stream, "disposition", 0) & _attached())


def _attached() -> int:
    from av.stream import Disposition

    return int(Disposition.attached_pic)
