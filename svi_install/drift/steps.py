"""How the looks change from one frame to another: what all of the picture does, not what moves in it."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from .measure import Looks, Tile, detail_of, tile_size, tiles_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Quantities whose changes are followed; the unit of each is about the least change that an eye notices.
QUANTITIES = ("L", "a", "b", "chroma", "contrast", "detail", "noise")
# A pixel that changes more than this against the rest of the picture belongs to something that moves (CIELAB); where
# everything moves, more than so many times the usual change.
BOUND, BOUNDS = 1.5, 2.0
# Contrast is compared where less than this changes.
STILL = 3.0
# Levels from frame to frame above which motion is followed there too.
MOVING = 2.0
# L* = 116 f(Y) - 16.
OFFSET = 16.0
# The share of a tile that must be seen in both frames for its motion to be taken out.
OVERLAP = 0.5
Shift = tuple[int, int]


@dataclass(frozen=True)
class Step:
    """From one frame to another.

    Args:
        change: of each of `QUANTITIES`: L*, a*, b*, chroma as differences, the colours as under the light of the first
            frame; contrast as a natural logarithm of the ratio, likewise; detail as a difference of log2; noise in
            levels.
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
        return Step((0.0,) * len(QUANTITIES), 100.0, 0.0, 0.0, 255.0)
    gap = second - first
    bright = first[..., 0]
    slope = np.square(np.diff(bright, axis=0)).mean() + np.square(np.diff(bright, axis=1)).mean()
    whole = gap[..., 0] - gap[..., 0].mean()
    flicker = float(np.abs(after.rgb.astype(np.int16) - before.rgb).mean())
    change = drifted(before, after) if flicker > MOVING else _change(before, after, first, second, (0, 0))
    return Step(
        change,
        float(np.sqrt(np.square(gap).sum(-1)).mean()),
        _likeness(bright, second[..., 0]),
        float(np.sqrt(np.square(whole).mean() / (slope + 0.05))),
        flicker,
    )


def drifted(before: Looks, after: Looks) -> tuple[float, ...]:
    """Return the change of each of `QUANTITIES` between two frames of one scene, up to a second apart.

    The picture is followed tile by tile, so that a pan, a zoom or a near thing in front of a far one is compared with
    itself; what only one of the frames shows is left out.
    """
    import numpy as np

    if before.lab.shape != after.lab.shape:
        return (0.0,) * len(QUANTITIES)
    # A fast pan goes farther than a tile is wide.
    camera = _shifts(before.whole, after.whole, before.lab.shape[:2])[0]
    tiles = tiles_of(*before.lab.shape[:2])
    own = _shifts(before.tiles, after.tiles, tile_size(tiles))
    pairs = [_followed(before.lab, after.lab, tile, (camera, shift)) for tile, shift in zip(tiles, own, strict=True)]
    first = np.concatenate([each.reshape(1, -1, 3) for each, _, _ in pairs], axis=1)
    second = np.concatenate([each.reshape(1, -1, 3) for _, each, _ in pairs], axis=1)
    shifts = [shift for _, _, shift in pairs]
    whole = round(median(down for down, _ in shifts)), round(median(right for _, right in shifts))
    return _change(before, after, first, second, whole)


def _followed(
    before: NDArray[np.float32], after: NDArray[np.float32], tile: Tile, shifts: tuple[Shift, Shift]
) -> tuple[NDArray[np.float32], NDArray[np.float32], Shift]:
    """Return a tile of the first frame, the same thing in the second one, and by how much it has moved."""
    import numpy as np

    top, bottom, left, right = tile
    height, width = before.shape[:2]
    best: tuple[float, NDArray[np.float32], NDArray[np.float32], tuple[int, int]] | None = None
    for down, along in dict.fromkeys(((0, 0), *shifts)):
        # The second picture moved by this lies on the first: what is here now was there.
        a, b = max(top, down), min(bottom, height + down)
        c, d = max(left, along), min(right, width + along)
        if (b - a) * (d - c) < OVERLAP * (bottom - top) * (right - left) or b <= a:
            continue
        one, two = before[a:b, c:d], after[a - down : b - down, c - along : d - along]
        rest = float(np.abs(two[..., 0] - one[..., 0]).mean())
        if best is None or rest < best[0]:
            best = rest, one, two, (down, along)
    assert best is not None
    return best[1:]


def _shifts(
    first: NDArray[np.complex64], second: NDArray[np.complex64], size: tuple[int, int]
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


def _overlap(array: NDArray[np.float32], down: int, right: int) -> NDArray[np.float32]:
    """The part of a picture that is left when the other one is moved by this over it."""
    height, width = array.shape[:2]
    return array[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)]


def _change(
    before: Looks, after: Looks, first: NDArray[np.float32], second: NDArray[np.float32], shift: tuple[int, int]
) -> tuple[float, ...]:
    import numpy as np

    gap = second - first
    # All of f(X), f(Y), f(Z) in CIELAB grow by one factor with the light, and L* + 16, a* and b* with them: divided by
    # it, colour and contrast do not change when a lamp is turned up.
    light = bounded_mean(np.log((second[..., 0] + OFFSET) / (first[..., 0] + OFFSET)), BOUND / 50)
    factor = np.float32(np.exp(-light))
    tint = second[..., 1:] * factor
    colour = [bounded_mean(tint[..., each] - first[..., 1 + each]) for each in (0, 1)]
    chroma = bounded_mean(np.hypot(tint[..., 0], tint[..., 1]) - np.hypot(first[..., 1], first[..., 2]))
    rest = gap[..., 0] - np.median(gap[..., 0])
    still = np.abs(rest) < STILL
    contrast = 0.0
    if still.mean() > 0.2:
        spread = second[..., 0][still].std() + 0.5, first[..., 0][still].std() + 0.5
        contrast = float(np.log(spread[0] / spread[1])) - light
    detail = _detail(before, after, shift)
    noise = after.value("noise") - before.value("noise")
    return (bounded_mean(gap[..., 0]), *colour, chroma, contrast, detail, noise)


def bounded_mean(values: NDArray[np.float32], least: float = BOUND) -> float:
    """Return the mean of all values with less weight the farther they are from the median, none beyond a bound.

    The weights are those of Tukey's biweight. A median alone would not see a change that a codec writes in a few blocks
    at a time; a mean would see everything that comes into the picture.
    """
    import numpy as np

    # A quarter of the pixels tells the middle as well.
    some = values[::2, ::2] if len(values) > 1 else values[:, ::4]
    middle = float(np.median(some))
    rest = values - middle
    bound = 2 * max(least, BOUNDS * float(np.median(np.abs(some - middle))))
    weights = np.square(np.maximum(0, 1 - np.square(rest / bound)))
    return middle + float((weights * rest).sum() / weights.sum())


def _detail(before: Looks, after: Looks, shift: tuple[int, int]) -> float:
    rows, columns = before.fine.shape
    if before.fine.shape != after.fine.shape:
        return 0.0
    height, width = before.lab.shape[:2]
    down, right = round(shift[0] * rows / height), round(shift[1] * columns / width)
    first = [_overlap(each, down, right) for each in (before.fine, before.coarse[:rows, :columns])]
    second = [_overlap(each, -down, -right) for each in (after.fine, after.coarse[:rows, :columns])]
    return detail_of(*second) - detail_of(*first)


def _likeness(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    import numpy as np

    one, two = first - first.mean(), second - second.mean()
    size = float(np.sqrt(np.square(one).sum() * np.square(two).sum()))
    # Two empty pictures are alike.
    return float((one * two).sum()) / size if size > 1e-3 * one.size else 1.0
