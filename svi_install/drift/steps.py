"""How the looks change from one frame to another: what all of the picture does, not what moves in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .measure import NOTHING, Looks, Tile, tile_size, tiles_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Quantities whose changes are followed; the unit of each is about the least change that an eye notices.
QUANTITIES = ("L", "a", "b", "chroma", "contrast", "detail", "noise")
# Those that are looked at from frame to frame, for seams.
SUDDEN = ("L", "a", "b", "detail")
# A pixel that changes more than this against the rest of the picture belongs to something that moves (CIELAB); where
# everything moves, more than so many times the usual change.
BOUND, BOUNDS = 1.5, 2.0
# Spread of L* and of colour that is too little to tell how it grows or shrinks.
EVEN, GRAY = 0.5, 1.5
# Changes of coarse and of fine detail, in log2, by which cells of one picture may differ.
SAME, UNLIKE = 0.6, 1.0
# Levels from frame to frame above which motion is followed there too.
MOVING = 2.0
# L* = 116 f(Y) - 16.
OFFSET = 16.0
# L* + 16 of a middle gray: what a change of colour is said for.
MIDDLE = 66.0
# The share of a tile that must be seen in both frames for its motion to be taken out.
OVERLAP = 0.5
# From frame to frame one pixel in so many, down and across, is enough.
EVERY = 2
Shift = tuple[int, int]


@dataclass(frozen=True)
class Step:
    """From one frame to another.

    Args:
        change: of each of `SUDDEN`: L*, a*, b* as differences, the colours as in a middle gray;
            detail as a difference of log2.
        difference: mean distance in CIELAB over all pixels.
        likeness: correlation of the two brightnesses, 1 for the same structure.
        motion: pixels of the small picture by which things move, from the change against the gradient.
        flicker: mean absolute difference in levels of RGB, as in VBench.
    """

    change: tuple[float, ...]
    difference: float
    likeness: float
    motion: float
    flicker: float


def step(before: Looks, after: Looks) -> Step:
    """Compare two consecutive frames."""
    import numpy as np

    first, second = before.lab, after.lab
    if first.shape != second.shape:
        return Step((0.0,) * len(SUDDEN), 100.0, 0.0, 0.0, 255.0)
    gap = second - first
    bright = first[0]
    slope = np.square(bright[1:] - bright[:-1]).mean() + np.square(bright[:, 1:] - bright[:, :-1]).mean()
    flicker = float(np.abs(after.rgb[::2].astype(np.int16) - before.rgb[::2]).mean())
    shifts = _by_tile(before, after) if flicker > MOVING else [((0, 0),)]
    _, pairs = _aligned(before, after, shifts, EVERY)
    detail = after.value("detail") - before.value("detail")
    return Step(
        (*_light(*_joined(pairs))[0], detail),
        float(np.sqrt(np.square(gap[:, ::2]).sum(0)).mean()),
        _likeness(bright, second[0]),
        float(np.sqrt(gap[0].var() / (slope + 0.05))),
        flicker,
    )


def drifted(before: Looks, after: Looks) -> tuple[float, ...]:
    """Return the change of each of `QUANTITIES` between two frames of one scene, up to a second apart.

    That is of L*, a*, b* as differences, of a* and b* as they would be in a middle gray; how much more the colours and
    the brightness spread than under it, as natural logarithms; detail as a difference of log2; noise in levels.

    The picture is followed tile by tile, so that a pan, a zoom or a near thing in front of a far one is compared with
    itself; what only one of the frames shows is left out.
    """
    if before.lab.shape != after.lab.shape:
        return (0.0,) * len(QUANTITIES)
    # A fast pan goes farther than a tile is wide.
    camera = _shifts(before.whole, after.whole, before.lab.shape[1:])
    tiles, pairs = _aligned(before, after, [(*camera, *own) for own in _by_tile(before, after)], 1)
    first, second = _joined(pairs)
    change, second = _light(first, second)
    return (
        *change,
        _growth(first[1:], second[1:], GRAY),
        _growth(first[:1], second[:1], EVEN),
        _detail(before, after, tiles, [shift for _, _, shift in pairs]),
        after.value("noise") - before.value("noise"),
    )


def _by_tile(before: Looks, after: Looks) -> list[tuple[Shift, ...]]:
    size = tile_size(tiles_of(*before.lab.shape[1:]))
    return [(shift,) for shift in _shifts(before.tiles, after.tiles, size)]


def _followed(
    before: NDArray[np.float32], after: NDArray[np.float32], tile: Tile, shifts: Sequence[Shift], every: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], Shift]:
    """Return a tile of the first frame, the same thing in the second one, and by how much it has moved."""
    import numpy as np

    top, bottom, left, right = tile
    height, width = before.shape[1:]
    best: tuple[float, NDArray[np.float32], NDArray[np.float32], Shift] | None = None
    for down, along in dict.fromkeys(((0, 0), *shifts)):
        # The second picture moved by this lies on the first: what is here now was there.
        a, b = max(top, down), min(bottom, height + down)
        c, d = max(left, along), min(right, width + along)
        if (b - a) * (d - c) < OVERLAP * (bottom - top) * (right - left) or b <= a:
            continue
        one = before[:, a:b:every, c:d:every]
        two = after[:, a - down : b - down : every, c - along : d - along : every]
        rest = float(np.abs(two[0] - one[0]).mean())
        if best is None or rest < best[0]:
            best = rest, one, two, (down, along)
    assert best is not None
    return best[1:]


def _shifts(
    first: NDArray[np.complex64], second: NDArray[np.complex64], size: tuple[int, ...]
) -> list[tuple[int, int]]:
    """By how many pixels down and to the right the second pictures have to be moved to lie on the first.

    Args:
        first, second: spectra, (pictures, height, frequencies).
        size: height and width of a picture.
    """
    import numpy as np
    from scipy import fft

    height, width = size
    cross = first * second.conj()
    # Phase correlation; the root keeps frequencies that hold nothing but noise from having the same say.
    peaks = fft.irfft2(cross / np.sqrt(np.abs(cross) + 1e-6), size).reshape(len(first), -1).argmax(1)
    found = [divmod(int(peak), width) for peak in peaks]
    return [(down - height * (down > height // 2), right - width * (right > width // 2)) for down, right in found]


def _aligned(
    before: Looks, after: Looks, shifts: Sequence[Sequence[Shift]], every: int
) -> tuple[list[Tile], list[tuple[NDArray[np.float32], NDArray[np.float32], Shift]]]:
    """Cut both frames into tiles that show the same.

    Args:
        shifts: by which each tile may have moved; for one tile only when nothing moves.
        every: how many pixels to go on by in both directions.
    """
    height, width = before.lab.shape[1:]
    tiles = tiles_of(height, width) if len(shifts) > 1 else [(0, height, 0, width)]
    return tiles, [
        _followed(before.lab, after.lab, tile, each, every) for tile, each in zip(tiles, shifts, strict=True)
    ]


def _joined(
    pairs: Sequence[tuple[NDArray[np.float32], NDArray[np.float32], Shift]],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """All pixels of the first frame and of the second one, (3, pixels) each."""
    import numpy as np

    first = np.concatenate([each.reshape(3, -1) for each, _, _ in pairs], axis=1)
    return first, np.concatenate([each.reshape(3, -1) for _, each, _ in pairs], axis=1)


def _light(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> tuple[tuple[float, float, float], NDArray[np.float32]]:
    """Return the change of L*, a* and b*, and the second pixels as under the light of the first ones."""
    import numpy as np

    # All of f(X), f(Y), f(Z) in CIELAB grow by one factor with the light, and L* + 16, a* and b* with them: divided by
    # it, contrast does not change when a lamp is turned up; and a* and b* divided by L* + 16 change by the same in dark
    # and in bright places when the lamp gets another colour.
    one, two = first[0] + OFFSET, second[0] + OFFSET
    light = bounded_mean(np.log(two / one), BOUND / 50)
    level = bounded_mean(second[0] - first[0])
    red, yellow = (bounded_mean(MIDDLE * (second[each] / two - first[each] / one), trust=one) for each in (1, 2))
    second = second * np.float32(np.exp(-light))
    second[0] += np.float32(OFFSET * np.expm1(-light))
    return (level, red, yellow), second


def bounded_mean(values: NDArray[np.float32], least: float = BOUND, trust: NDArray[np.float32] | None = None) -> float:
    """Return the mean of all values with less weight the farther they are from the median, none beyond a bound.

    The weights are those of Tukey's biweight. A median alone would not see a change that a codec writes in a few blocks
    at a time; a mean would see everything that comes into the picture.

    Args:
        least: of the bound.
        trust: what each value counts otherwise; all the same when None.
    """
    import numpy as np

    flat = values.reshape(-1)
    # A quarter of the pixels tells the middle as well.
    some = flat[:: 1 + 3 * (len(flat) > 4000)]
    middle = _median(some)
    rest = flat - np.float32(middle)
    weights = _weights(rest, 2 * max(least, BOUNDS * _median(np.abs(some - np.float32(middle)))))
    if trust is not None:
        weights *= trust
    return middle + float(weights @ rest) / float(weights.sum())


def _median(values: NDArray[np.float32]) -> float:
    """The upper median; numpy's own spends more time on its ways in than on so few values."""
    import numpy as np

    half = len(values) // 2
    return float(np.partition(values, half)[half])


def _weights(rest: NDArray[np.float32], bound: float) -> NDArray[np.float32]:
    import numpy as np

    weights: NDArray[np.float32] = np.maximum(np.float32(0), 1 - np.square(rest * np.float32(1 / bound)))
    weights *= weights
    return weights


def _growth(first: NDArray[np.float32], second: NDArray[np.float32], least: float) -> float:
    """Return by how much values spread more about their mean than before, as a natural logarithm.

    The change is laid as a line over the mean of both, so that neither counts as the truth; pixels that follow another
    line, because something moves there, count little.

    Args:
        first, second: (dimensions, pixels).
        least: a spread that is too little to tell.
    """
    import numpy as np

    gap, mean = second - first, (second + first) / 2
    weights = np.ones(gap.shape[1], np.float32)
    slope = np.float32(0)
    for _ in range(2):
        total = weights.sum()
        level, about = (gap @ weights / total)[:, None], (mean @ weights / total)[:, None]
        offset = mean - about
        rest = gap - level - slope * offset
        distance = np.sqrt(np.square(rest).sum(0))
        weights = _weights(distance, 2 * max(BOUND, BOUNDS * _median(distance[::4])))
        total = weights.sum()
        level, about = (gap @ weights / total)[:, None], (mean @ weights / total)[:, None]
        offset = mean - about
        spread = float((np.square(offset) @ weights).sum() / total)
        slope = np.float32(((gap - level) * offset @ weights).sum() / total / (spread + least**2))
    return float(slope)


def _detail(before: Looks, after: Looks, tiles: Sequence[Tile], shifts: Sequence[Shift]) -> float:
    """Return the change of fine against coarse detail, in log2: cell by cell, each followed to where it has moved."""
    import numpy as np

    if before.energy.shape != after.energy.shape:
        return 0.0
    _, rows, columns = before.energy.shape
    height, width = before.lab.shape[1:]
    down, across = (np.zeros((rows, columns)) for _ in range(2))
    for (top, bottom, left, right), (low, along) in zip(tiles, shifts, strict=True):
        inside = (
            slice(round(top * rows / height), round(bottom * rows / height)),
            slice(round(left * columns / width), round(right * columns / width)),
        )
        down[inside], across[inside] = low * rows / height, along * columns / width
    # Both are looked up half of the way from where they are: a value between cells is smoother than one on a cell.
    y, x = np.arange(rows)[:, None] + down / 2, np.arange(columns)[None] + across / 2
    v, u = y - down, x - across
    seen = (np.minimum(y, v) > -0.5) & (np.maximum(y, v) < rows - 0.5)
    seen &= (np.minimum(x, u) > -0.5) & (np.maximum(x, u) < columns - 0.5)
    if not seen.any():
        return 0.0
    one, two = _between(before.energy, y[seen], x[seen]), _between(after.energy, v[seen], u[seen])
    change = np.log2((two + NOTHING) / (one + NOTHING))
    return _finer(change, np.sqrt(np.minimum(one[0], two[0])))


def _finer(change: NDArray[np.float32], trust: NDArray[np.float32]) -> float:
    """Return by how much fine detail changes more than coarse, over cells that show the same thing.

    Args:
        change: log2 of the energy, at full size, at half and at a quarter of it, (3, cells).
        trust: what each cell counts.
    """
    import numpy as np

    # Where coarse detail changes otherwise than in the rest of the picture, something else has come there; what blurs
    # or sharpens leaves it alone. A codec writes a change of fine detail in some cells only, so that these may differ.
    coarse = change[2] - np.float32(_median(change[2]))
    trust = trust * _weights(coarse, 2 * SAME)
    finer = change[0] - change[2]
    middle = _median(finer)
    for _ in range(3):
        rest = finer - np.float32(middle)
        weights = trust * _weights(rest, 2 * max(UNLIKE, BOUNDS * _median(np.abs(rest))))
        total = float(weights.sum())
        if total < 1e-6:
            return 0.0
        middle += float(weights @ rest) / total
    return middle


def _between(maps: NDArray[np.float32], y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return values of maps at parts of a cell."""
    import numpy as np

    _, rows, columns = maps.shape
    y, x = np.clip(y, 0, rows - 1), np.clip(x, 0, columns - 1)
    top, left = np.minimum(y.astype(int), max(0, rows - 2)), np.minimum(x.astype(int), max(0, columns - 2))
    v, u = (y - top).astype(np.float32), (x - left).astype(np.float32)
    below, right = np.minimum(top + 1, rows - 1), np.minimum(left + 1, columns - 1)
    upper = maps[:, top, left] * (1 - u) + maps[:, top, right] * u
    lower = maps[:, below, left] * (1 - u) + maps[:, below, right] * u
    found: NDArray[np.float32] = upper * (1 - v) + lower * v
    return found


def _likeness(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    import numpy as np

    one, two = (first - first.mean()).reshape(-1), (second - second.mean()).reshape(-1)
    size = float(np.sqrt((one @ one) * (two @ two)))
    # Two empty pictures are alike.
    return float(one @ two) / size if size > 1e-3 * one.size else 1.0
