"""The size and the rate that a file to publish can have."""

from __future__ import annotations

import re

from .story import usage

RATES = (24, 30, 60)
LARGEST = 8192
_TIMES = re.compile(r"(\d{1,2}(?:\.\d{1,3})?)x")
_LINES = re.compile(r"(\d{2,4})p")
_SIZE = re.compile(r"(\d{2,5})x(\d{2,5})")


def scaled(scale: str, size: tuple[int, int]) -> tuple[int, int]:
    """Return a size after scaling; the picture keeps its shape, and both sides are even.

    Args:
        scale: ``2x``, ``1080p`` (the shorter side) or ``1280x720`` (the largest that fits).

    Raises:
        SviError: it means nothing, or is too small or too large.
    """
    word, (width, height) = scale.strip().lower(), size
    if found := _SIZE.fullmatch(word):
        factor = min(int(found[1]) / width, int(found[2]) / height)
    elif found := _TIMES.fullmatch(word):
        factor = float(found[1])
    elif found := _LINES.fullmatch(word):
        factor = int(found[1]) / min(width, height)
    else:
        raise usage(f"The scale {scale!r} means nothing. Nothing was started.", "--scale 2x, 1080p or 1280x720")
    sides = (2 * round(width * factor / 2), 2 * round(height * factor / 2))
    if not 16 <= min(sides) <= max(sides) <= LARGEST:
        raise usage(
            f"With the scale {scale} the film would be {sides[0]}x{sides[1]}; a side has 16 to {LARGEST} pixels. "
            "Nothing was started.",
            "--scale 2x, 1080p or 1280x720",
        )
    return sides
