"""Small videos made for the tests: a textured place through which a few things move, made worse on purpose."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from svi_install.drift.frames import Frame, Stream
from svi_install.drift.scan import Scan, scan

Picture = NDArray[np.uint8]
WIDTH, HEIGHT, CLIP, CLIPS, FPS = 192, 108, 24, 6, 16
FRAMES = CLIP * CLIPS
STARTS = tuple(range(0, FRAMES, CLIP))


@functools.cache
def place(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.float32]:
    """A picture with soft and sharp things of several sizes, float32."""
    chance = np.random.default_rng(seed)
    image = np.full((height, width, 3), chance.uniform(80, 150, 3), np.float32)
    for size in (24, 10, 4, 1.2):
        image += ndimage.gaussian_filter(chance.normal(size=(height, width, 3)), (size, size, 0)) * 26 * size
    for _ in range(14):
        y, x, h, w = chance.integers(0, height), chance.integers(0, width), *chance.integers(8, 40, 2)
        image[y : y + h, x : x + w] = chance.uniform(30, 220, 3)
    return ndimage.gaussian_filter(image, (0.6, 0.6, 0)).clip(4, 250).astype(np.float32)


def clean(frames: int = FRAMES, seed: int = 0) -> list[Picture]:
    """A locked camera; one thing goes to and fro."""
    thing = place(seed + 50, 28, 28)
    out = []
    for number in range(frames):
        picture = place(seed).copy()
        x = round((WIDTH - 30) * (0.5 + 0.45 * np.sin(number / 9)))
        picture[40:68, x : x + 28] = thing
        out.append(picture.round().astype(np.uint8))
    return out


def pan(frames: int = FRAMES, seed: int = 3) -> list[Picture]:
    """A camera that goes over a place that is bright on one side and dark on the other."""
    wide = place(seed, HEIGHT, WIDTH + 3 * frames) * np.linspace(0.4, 1.0, WIDTH + 3 * frames)[None, :, None]
    return [wide[:, 3 * n : 3 * n + WIDTH].round().astype(np.uint8) for n in range(frames)]


def worse(frames: Sequence[Picture], change: Callable[[NDArray[np.float32], float], NDArray[np.float32]],
          onset: int, strength: float) -> list[Picture]:  # fmt: skip
    """Make every clip from one on worse by so much more than the one before."""
    out = []
    for number, frame in enumerate(frames):
        amount = max(0, number // CLIP - onset + 2) * strength
        picture = change(frame.astype(np.float32), amount) if amount else frame
        out.append(np.clip(np.round(picture), 0, 255).astype(np.uint8))
    return out


def warm(picture: NDArray[np.float32], amount: float) -> NDArray[np.float32]:
    return picture * np.array([1 + amount, 1, 1 - amount], np.float32)


def darker(picture: NDArray[np.float32], amount: float) -> NDArray[np.float32]:
    return picture * np.float32(1 - amount)


def soft(picture: NDArray[np.float32], amount: float) -> NDArray[np.float32]:
    blurred = ndimage.gaussian_filter(picture, (1.5, 1.5, 0))
    return picture + amount * (blurred - picture)


def grainy(picture: NDArray[np.float32], amount: float) -> NDArray[np.float32]:
    noise = np.random.default_rng(round(float(picture.sum())) % 1000).normal(0, 255 * amount, (*picture.shape[:2], 1))
    return picture + noise


def pale(picture: NDArray[np.float32], amount: float) -> NDArray[np.float32]:
    gray = picture.mean(axis=2, keepdims=True)
    return gray + (picture - gray) * (1 - amount)


def harsh(picture: NDArray[np.float32], amount: float) -> NDArray[np.float32]:
    return (picture - 120) * (1 + amount) + 120


def scanned(frames: Iterable[Picture], fps: float = FPS) -> Scan:
    """Measure frames without any file."""
    pictures = list(frames)
    gray = np.array([0.299, 0.587, 0.114])
    made = (
        Frame(number, number / fps, frame, (frame @ gray).round().astype(np.uint8))
        for number, frame in enumerate(pictures)
    )
    return scan(Stream(WIDTH, HEIGHT, fps, len(pictures)), made)


def write(
    path: Path,
    frames: Iterable[Picture],
    *,
    fps: float = FPS,
    comment: str = "",
    pixels: str = "yuv420p",
    codec: str = "libx264",
    times: Sequence[int] = (),
    options: dict[str, str] | None = None,
) -> Path:
    """Write a video file.

    Args:
        pixels: pixel format in the file.
        times: of each frame in 1/1000 s, for a variable frame rate.
    """
    with av.open(str(path), "w") as file:
        if comment:
            file.metadata["comment"] = comment
        stream = file.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
        stream.pix_fmt = pixels
        stream.options = {"crf": "16", "preset": "veryfast"} if options is None else options
        if times:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for number, frame in enumerate(frames):
            if not number:
                stream.height, stream.width = frame.shape[:2]
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            if times:
                picture.pts, picture.time_base = times[number], Fraction(1, 1000)
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    return path
