"""A boat on the sea, drawn by numpy and Pillow alone: what the films in the pictures of the documents show.

The stand-in for WanGP of `sailing.py` has a copy of this file beside it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

HORIZON = 0.56
# Hour of the day: the sky's colours from top to horizon, and how bright the land is.
HOURS = (
    (0.0, (92, 150, 205), (214, 230, 240), 1.0),
    (1.0, (74, 134, 198), (222, 228, 224), 1.0),
    (1.6, (88, 84, 140), (250, 164, 104), 0.62),
    (2.2, (34, 36, 78), (150, 88, 104), 0.36),
    (3.0, (10, 14, 36), (38, 48, 84), 0.2),
)
Colour = tuple[int, int, int]


def picture(width: int, height: int, time: float, hour: float, seed: int, *, finer: int = 2) -> NDArray[np.uint8]:
    """Draw one frame.

    Args:
        time: seconds since the film began; the boat sails on with it.
        hour: 0 is the morning, 3 the night.
        seed: of the gulls.
        finer: how many times larger it is drawn, for smooth edges.
    """
    w, h = width * finer, height * finer
    top, low, light = _light(hour)
    level = int(h * HORIZON)
    sky = _blend(top, low, np.linspace(0, 1, level) ** 1.4)
    sea = _blend(_times(low, 0.72), _times(top, 0.5), np.linspace(0, 1, h - level) ** 0.5)
    image = Image.fromarray(np.repeat(np.concatenate([sky, sea])[:, None, :], w, 1).round().astype(np.uint8))
    draw = ImageDraw.Draw(image)
    _stars(draw, w, level, hour)
    lamp = _lamp(draw, w, h, hour)
    _hills(draw, (w, h), level, time, light)
    _waves(draw, (w, h), level, time, (low, lamp))
    _boat(draw, (w, h), time, light)
    _gulls(draw, (w, h), time, seed, hour)
    return np.asarray(image if finer == 1 else image.resize((width, height), Image.Resampling.LANCZOS))


def _light(hour: float) -> tuple[Colour, Colour, float]:
    hours = [each[0] for each in HOURS]
    top, low = (
        tuple(int(np.interp(hour, hours, [each[which][part] for each in HOURS])) for part in range(3))
        for which in (1, 2)
    )
    return top, low, float(np.interp(hour, hours, [each[3] for each in HOURS]))


def _blend(one: Colour, other: Colour, amount: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array(one) + (np.array(other) - np.array(one)) * amount[:, None]


def _times(colour: Colour, much: float) -> Colour:
    return tuple(min(255, int(part * much)) for part in colour)


def _stars(draw: ImageDraw.ImageDraw, w: int, level: int, hour: float) -> None:
    bright = max(0.0, hour - 1.9)
    for x, y, size in np.random.default_rng(4).random((70, 3)) if bright else ():
        grey = int(130 + 110 * min(1, bright) * size)
        r = 1 + 1.6 * size
        at = (x * w, y * level * 0.8)
        draw.ellipse((at[0] - r, at[1] - r, at[0] + r, at[1] + r), fill=(grey, grey, min(255, grey + 12)))


def _lamp(draw: ImageDraw.ImageDraw, w: int, h: int, hour: float) -> tuple[float, Colour]:
    """Draw the sun that sets, then the moon that rises; return where it stands and its colour."""
    if hour < 2.2:
        x, y, r = 0.7, 0.16 + 0.48 * max(0.0, hour - 0.4) / 1.8, 0.055
        colour = (255, 246, 214) if hour < 1.1 else (255, 206, 140)
    else:
        x, y, r, colour = 0.26, 0.62 - 0.42 * (hour - 2.2) / 0.8, 0.045, (236, 238, 226)
    draw.ellipse((x * w - r * h, y * h - r * h, x * w + r * h, y * h + r * h), fill=colour)
    return x * w, colour


def _hills(draw: ImageDraw.ImageDraw, size: tuple[int, int], level: int, time: float, light: float) -> None:
    w, h = size
    for far, colour, tall in ((0.35, (122, 146, 158), 0.12), (0.9, (74, 104, 92), 0.085)):
        x = np.arange(0, w + 8, 8)
        at = x / w * 6 + time * 0.05 * far
        y = level - h * tall * (0.5 + 0.32 * np.sin(at) + 0.18 * np.sin(at * 2.7 + far * 9)) * np.clip(
            1.15 - at / 5.5, 0.0, 1
        )
        line = list(zip(x.tolist(), y.tolist(), strict=True))
        draw.polygon([(0, level), *line, (w, level)], fill=_times(colour, light))


def _waves(
    draw: ImageDraw.ImageDraw,
    size: tuple[int, int],
    level: int,
    time: float,
    shine: tuple[Colour, tuple[float, Colour]],
) -> None:
    w, h = size
    chance = np.random.default_rng(11)
    low, (lamp, colour) = shine
    for number in range(46):
        depth = (number / 46) ** 1.7
        y = level + 4 + depth * (h - level)
        for _ in range(7):
            x = (chance.random() * w * 1.3 - time * (20 + 160 * depth)) % (w * 1.3) - w * 0.15
            long = (0.02 + 0.1 * depth) * w * (0.4 + chance.random())
            swell = math.sin(time * 1.5 + number * 1.7 + x / 160) * (2 + 9 * depth)
            draw.line(
                (x, y + swell, x + long, y + swell), fill=_times(low, 0.78 - 0.3 * depth), width=1 + int(4 * depth)
            )
        wide = (0.02 + 0.09 * depth) * w * (0.55 + 0.45 * math.sin(time * 2.1 + number * 2.4))
        draw.line((lamp - wide, y, lamp + wide, y), fill=colour, width=1 + int(4 * depth))


def _boat(draw: ImageDraw.ImageDraw, size: tuple[int, int], time: float, light: float) -> None:
    w, h = size
    x, y, s = w * (0.16 + 0.03 * time), h * (0.7 + 0.008 * math.sin(time * 1.5)), h * 0.3
    tilt = 0.06 * math.sin(time * 1.1)

    def at(*points: tuple[float, float]) -> list[tuple[float, float]]:
        return [(x + s * (a * math.cos(tilt) - b * math.sin(tilt)), y + s * (a * math.sin(tilt) + b * math.cos(tilt)))
                for a, b in points]  # fmt: skip

    draw.polygon(at((-0.42, 0), (0.5, 0), (0.34, 0.16), (-0.32, 0.16)), fill=_times((132, 62, 44), light + 0.1))
    draw.polygon(at((-0.42, 0), (0.5, 0), (0.48, 0.035), (-0.41, 0.035)), fill=_times((240, 226, 200), light + 0.1))
    draw.line(at((0.02, 0), (0.02, -0.98)), fill=_times((70, 50, 40), light), width=max(2, h // 160))
    draw.polygon(at((0.05, -0.94), (0.05, -0.07), (0.44, -0.07)), fill=_times((246, 240, 226), light + 0.06))
    draw.polygon(at((-0.01, -0.86), (-0.01, -0.07), (-0.36, -0.07)), fill=_times((206, 84, 58), light + 0.06))
    if light < 0.5:
        r = h * 0.008
        ((a, b),) = at((0.42, -0.05))
        draw.ellipse((a - r, b - r, a + r, b + r), fill=(255, 220, 130))


def _gulls(draw: ImageDraw.ImageDraw, size: tuple[int, int], time: float, seed: int, hour: float) -> None:
    if hour > 1.9:
        return
    w, h = size
    for x, y, fast in np.random.default_rng(seed).random((3, 3)):
        a, b = (x * w + time * (30 + 30 * fast)) % w, h * (0.1 + 0.3 * y)
        wing, lift = h * 0.022, h * 0.012 * math.sin(time * 6 + fast * 9)
        grey = (70, 74, 84)
        draw.line([(a - wing, b - lift), (a, b), (a + wing, b - lift)], fill=grey, width=max(2, h // 220))
