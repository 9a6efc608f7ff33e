"""Clean long videos for the calibration of ``drift``, made from nothing: scenes, cameras, light, cuts, and damage.

Every scene follows from its number alone. What is made is meant to be harder than films are: pans over dark and bright
places, light that wanders and comes back, flicker, grain, water, things that walk through the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage

Frames = NDArray[np.uint8]
Picture = NDArray[np.float32]
WIDTH, HEIGHT, FPS = 320, 180, 16
DEGRADATIONS = ("warm", "cool", "fade", "contrast", "blur", "noise", "saturation", "sharpening")
STRENGTHS = (0.005, 0.01, 0.02, 0.04, 0.08)


def scene(number: int, frames: int) -> Frames:
    """Make a clean video.

    Returns:
        (frames, HEIGHT, WIDTH, 3), uint8.
    """
    chance = np.random.default_rng([7, number])
    parts = [frames]
    if chance.random() < 0.25:
        # No shot is shorter than two and a half seconds.
        count = int(chance.integers(2, max(3, frames // 60)))
        ends = [round(frames * each / count + chance.uniform(-8, 8)) for each in range(1, count)]
        parts = [int(part) for part in np.diff([0, *ends, frames])]
    light, grain = _light(chance, frames), chance.choice([0.0, 0.0, 1.0, 2.5])
    out = np.empty((frames, HEIGHT, WIDTH, 3), np.uint8)
    number = 0
    for part in parts:
        kind = chance.choice(list(_CAMERAS))
        for picture in _CAMERAS[kind](chance, part):
            lit = picture * light[number]
            if grain:
                lit = lit + chance.normal(0, grain, lit.shape).astype(np.float32)
            out[number] = np.clip(lit + 0.5, 0, 255).astype(np.uint8)
            number += 1
    return out


def _light(chance: np.random.Generator, frames: int) -> NDArray[np.float32]:
    """Gain per frame and channel: none, a wave that comes back, flicker, a warm lamp that goes on and off."""
    kind = chance.choice(["none", "none", "wave", "flicker", "lamp", "cloud"])
    time = np.arange(frames) / max(1, frames)
    gain = np.ones((frames, 3))
    if kind == "wave":
        gain += (0.12 * chance.random() + 0.03) * np.sin(2 * np.pi * chance.integers(1, 4) * time)[:, None]
    if kind == "flicker":
        gain += 0.003 * chance.normal(size=(frames, 1))
    if kind in {"lamp", "cloud"}:
        start, length = chance.uniform(0.1, 0.4), chance.uniform(0.15, 0.4)
        edge = 0.02 if kind == "lamp" else 0.08
        on = 1 / (1 + np.exp(-(time - start) / edge)) - 1 / (1 + np.exp(-(time - start - length) / edge))
        colour = np.array([0.12, 0.05, -0.06]) if kind == "lamp" else np.full(3, -0.15)
        gain += on[:, None] * colour * chance.uniform(0.4, 1.0)
    return gain[:, None, None, :].astype(np.float32)


def painting(chance: np.random.Generator, height: int, width: int) -> Picture:
    """A picture with large and small things in it, soft and sharp, in a palette of its own."""
    image = np.empty((height, width, 3), np.float32)
    base, tilt = chance.uniform(50, 180, 3), chance.uniform(-60, 60, 3)
    image[:] = base + tilt * np.linspace(-0.5, 0.5, height)[:, None, None]
    cloud = _fractal(chance, height, width, chance.uniform(1.1, 1.8))
    image += cloud[..., None] * chance.uniform(10, 40) * (1 + 0.3 * chance.normal(size=3))
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    for _ in range(int(chance.integers(12, 45))):
        y, x, size = chance.uniform(0, height), chance.uniform(0, width), chance.uniform(6, height / 3)
        ratio, angle = chance.uniform(0.3, 3), chance.uniform(0, np.pi)
        u = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)
        v = (rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)
        if chance.random() < 0.5:
            inside = (u / size) ** 2 + (v / size / ratio) ** 2 < 1
        else:
            inside = (np.abs(u) < size) & (np.abs(v) < size * ratio)
        colour = chance.uniform(10, 245, 3) * 0.6 + base * 0.4
        texture = (
            chance.uniform(0, 25) * _fractal(chance, height, width, 0.6)[..., None] if chance.random() < 0.3 else 0
        )
        image = np.where(inside[..., None], colour + texture, image)
    image += chance.uniform(1, 6) * chance.normal(size=(height, width, 1))
    return ndimage.gaussian_filter(image, (0.6, 0.6, 0)).clip(2, 253).astype(np.float32)


def _fractal(chance: np.random.Generator, height: int, width: int, power: float) -> Picture:
    down, right = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    size = np.hypot(down, right)
    size[0, 0] = 1
    spectrum = (chance.normal(size=size.shape) + 1j * chance.normal(size=size.shape)) / size**power
    field = np.fft.irfft2(spectrum, (height, width))
    return ((field - field.mean()) / (field.std() + 1e-9)).astype(np.float32)


def _window(image: Picture, y: float, x: float, scale: float = 1.0) -> Picture:
    """The picture that a camera sees whose upper left corner is here, with parts of a pixel."""
    matrix = np.diag([scale, scale, 1.0])
    y = float(np.clip(y, 0, image.shape[0] - HEIGHT * scale))
    x = float(np.clip(x, 0, image.shape[1] - WIDTH * scale))
    shape = (HEIGHT, WIDTH, 3)
    return ndimage.affine_transform(image, matrix, (y, x, 0), shape, order=1, mode="nearest")


def _pan(chance: np.random.Generator, frames: int) -> Iterator[Picture]:
    far = chance.uniform(100, 900)
    image = painting(chance, HEIGHT + 60, int(WIDTH + far + 10))
    back, bend = chance.random() < 0.4, chance.uniform(0, 40)
    for number in range(frames):
        t = number / frames
        where = 1 - abs(2 * t - 1) if back else t
        yield _window(image, bend * np.sin(np.pi * t), where * far)


def _zoom(chance: np.random.Generator, frames: int) -> Iterator[Picture]:
    image = painting(chance, HEIGHT * 2, WIDTH * 2)
    first, last = chance.uniform(1.0, 1.6, 2)
    for number in range(frames):
        scale = first + (last - first) * number / frames
        yield _window(image, HEIGHT - HEIGHT * scale / 2, WIDTH - WIDTH * scale / 2, scale)


def _things(chance: np.random.Generator, count: int) -> list[tuple[Picture, NDArray[np.float32], NDArray[np.float64]]]:
    made = []
    for _ in range(count):
        size = int(chance.integers(24, 110))
        rows, columns = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
        mask = ndimage.gaussian_filter((rows**2 + (columns * chance.uniform(1, 2)) ** 2 < 0.9).astype(np.float32), 1)
        made.append((painting(chance, size, size), mask[..., None], chance.uniform(0, 1, 6)))
    return made


def _put(picture: Picture, things: list, t: float, frames: int) -> Picture:
    for image, mask, own in things:
        size = len(image)
        turns = frames / 80
        y = (0.5 + 0.4 * np.sin(2 * np.pi * (own[0] + t * turns * own[1]))) * (HEIGHT - size)
        x = (0.5 + 0.5 * np.sin(2 * np.pi * (own[2] + own[3] * t * turns / 2))) * (WIDTH - size)
        top, left = round(y), round(x)
        a, b = max(0, top), max(0, left)
        c, d = min(HEIGHT, top + size), min(WIDTH, left + size)
        if a < c and b < d:
            cut = (slice(a - top, c - top), slice(b - left, d - left))
            picture[a:c, b:d] += mask[cut] * (image[cut] - picture[a:c, b:d])
    return picture


def _locked(chance: np.random.Generator, frames: int) -> Iterator[Picture]:
    image, things = painting(chance, HEIGHT, WIDTH), _things(chance, int(chance.integers(1, 5)))
    for number in range(frames):
        yield _put(image.copy(), things, number / frames, frames)


def _handheld(chance: np.random.Generator, frames: int) -> Iterator[Picture]:
    image, things = painting(chance, HEIGHT + 40, WIDTH + 40), _things(chance, 2)
    way = ndimage.gaussian_filter1d(chance.normal(size=(frames, 2)) * 25, 6, axis=0) + 20
    for number in range(frames):
        yield _put(_window(image, *way[number]), things, number / frames, frames)


def _water(chance: np.random.Generator, frames: int) -> Iterator[Picture]:
    image = painting(chance, HEIGHT, WIDTH)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    waves = [(chance.uniform(-0.4, 0.4, 2), chance.uniform(0.05, 0.5), chance.uniform(2, 9)) for _ in range(7)]
    top = int(HEIGHT * chance.uniform(0.3, 0.7))
    for number in range(frames):
        picture = image.copy()
        for (down, right), speed, high in waves:
            picture[top:] += (high * np.sin(down * rows + right * columns + speed * number))[top:, :, None]
        yield picture


def _parallax(chance: np.random.Generator, frames: int) -> Iterator[Picture]:
    far = painting(chance, HEIGHT, WIDTH + int(0.8 * frames) + 10)
    near = painting(chance, HEIGHT // 3, WIDTH + int(3.2 * frames) + 10)
    edge = (HEIGHT - HEIGHT // 3 + 12 * np.sin(np.arange(near.shape[1]) / chance.uniform(8, 40))).astype(int)
    for number in range(frames):
        picture = _window(far, 0, 0.8 * number)
        left = round(3.2 * number)
        below = np.arange(HEIGHT)[:, None] >= edge[left : left + WIDTH][None]
        layer = np.zeros_like(picture)
        layer[HEIGHT - HEIGHT // 3 :] = near[:, left : left + WIDTH]
        picture[below] = layer[below]
        yield picture


_CAMERAS: dict[str, Callable[[np.random.Generator, int], Iterator[Picture]]] = {
    "pan": _pan,
    "zoom": _zoom,
    "locked": _locked,
    "handheld": _handheld,
    "water": _water,
    "parallax": _parallax,
}


def degraded(frames: Frames, kind: str, amounts: NDArray[np.float64], seed: int = 0) -> Iterator[Frames]:
    """Yield the frames of a video made worse.

    Args:
        kind: one of `DEGRADATIONS`.
        amounts: how much per frame; 0.02 is 2 %.
    """
    chance = np.random.default_rng([9, seed])
    for frame, amount in zip(frames, amounts, strict=True):
        if not amount:
            yield frame
            continue
        picture = _WORSE[kind](frame.astype(np.float32), float(amount), chance)
        yield np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def _toned(picture: Picture, amount: float) -> Picture:
    return picture * np.array([1 + amount, 1, 1 - amount], np.float32)


def _contrast(picture: Picture, amount: float) -> Picture:
    return (picture - 128) * (1 + amount) + 128


def _blurred(picture: Picture, sigma: float) -> Picture:
    image = Image.fromarray(picture.astype(np.uint8)).filter(ImageFilter.GaussianBlur(sigma))
    return np.asarray(image).astype(np.float32)


def _saturated(picture: Picture, amount: float) -> Picture:
    gray = (picture @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    return gray + (picture - gray) * (1 + amount)


_WORSE: dict[str, Callable[[Picture, float, np.random.Generator], Picture]] = {
    "warm": lambda picture, amount, _: _toned(picture, amount),
    "cool": lambda picture, amount, _: _toned(picture, -amount),
    "fade": lambda picture, amount, _: picture * (1 - min(amount, 1)) + min(amount, 1) * 160,
    "contrast": lambda picture, amount, _: _contrast(picture, amount),
    "blur": lambda picture, amount, _: picture + min(amount, 1) * (_blurred(picture, 2.0) - picture),
    "noise": lambda picture, amount, chance: picture + chance.normal(0, 100 * amount, (*picture.shape[:2], 1)),
    "saturation": lambda picture, amount, _: _saturated(picture, amount),
    "sharpening": lambda picture, amount, _: picture + 2 * amount * (picture - _blurred(picture, 1.0)),
    "brightness": lambda picture, amount, _: picture * (1 + amount),
}


def amounts(frames: int, clip: int, onset: int, strength: float, *, stairs: bool) -> NDArray[np.float64]:
    """Return how much each frame is degraded.

    Args:
        clip: frames per clip.
        onset: the first bad clip, from 1.
        strength: what each clip adds.
        stairs: the same for all frames of a clip, as where a model is told to go on from what it made; else a ramp.
    """
    where = np.arange(frames) / clip - (onset - 1)
    return np.maximum(0, np.floor(where) + 1 if stairs else where) * strength


def write(path: Path, frames: Iterator[Frames] | Frames, *, crf: int = 20, comment: str = "", keys: int = 0) -> None:
    """Write a video as people have them: H.264 in MP4, 4:2:0.

    Args:
        keys: frames between key frames, 0 for the encoder's own choice.
    """
    with av.open(str(path), "w") as file:
        if comment:
            file.metadata["comment"] = comment
        stream = file.add_stream("libx264", rate=Fraction(FPS))
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf), "preset": "veryfast", **({"g": str(keys)} if keys else {})}
        for number, frame in enumerate(frames):
            if not number:
                stream.height, stream.width = frame.shape[:2]
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        file.mux(stream.encode(None))
