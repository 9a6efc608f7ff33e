"""What one frame looks like in numbers: maps small enough to keep a few of, and one value per quantity."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .frames import Frame

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Cells of the grid on which detail is looked at, along the longer side.
CELLS = 52
# How many tiles motion is followed in, down and across, and how small they may be.
TILES, SMALLEST = (3, 4), 24
Tile = tuple[int, int, int, int]
# Values per frame, in the order of `Looks.values`.
VALUES = (
    *("L", "a", "b", "L_spread", "a_spread", "b_spread", "chroma", "contrast"),
    *("detail", "noise", "clipped", "clarity"),
)  # fmt: skip
# Levels of 255 beyond which brightness counts as clipped.
DARKEST, BRIGHTEST = 3, 252
# And so far from these, noise is not clipped either.
MARGIN = 5
BYTE = 255
# A quarter of a level squared keeps a black picture from having detail.
NOTHING = 0.25
# Rows of which one is looked at for the clarity; a variance needs no more.
APART = 8


@dataclass(frozen=True)
class Looks:
    """One frame, measured.

    Args:
        index: of the frame.
        time: in seconds.
        lab: small picture in CIELAB, (3, height, width), float32.
        rgb: the same in levels, (height, width, 3), uint8.
        energy: gradient energy per cell at full size, at half and at a quarter of it, (3, rows, columns), float32.
        values: one for each of `VALUES`.
    """

    index: int
    time: float
    lab: NDArray[np.float32]
    rgb: NDArray[np.uint8]
    energy: NDArray[np.float32]
    values: tuple[float, ...]

    def value(self, name: str) -> float:
        """Return one of the values."""
        return self.values[VALUES.index(name)]

    @functools.cached_property
    def whole(self) -> NDArray[np.complex64]:
        """Spectrum of the brightness, by which the motion of the camera is followed."""
        return _spectra(self.lab[:1])

    @functools.cached_property
    def tiles(self) -> NDArray[np.complex64]:
        """Spectra of its tiles."""
        import numpy as np

        level = self.lab[0]
        tiles = tiles_of(*level.shape)
        height, width = tile_size(tiles)
        return _spectra(np.stack([level[top : top + height, left : left + width] for top, _, left, _ in tiles]))


def measure(frame: Frame) -> Looks:
    """Measure one frame.

    Returns:
        L*, a*, b* as mean and spread (standard deviation); chroma: mean of sqrt(a*2 + b*2); contrast: 5th to 95th
        percentile of L*; detail: log2 of gradient energy at full size against a quarter of it, which contrast cancels
        out of;
        noise: standard deviation in levels of 255 in the flattest cells; clipped: share of pixels; clarity: variance
        of the Laplacian.
    """
    import numpy as np

    lab = lab_of(frame.rgb)
    mean, spread = lab.mean((1, 2)), lab.std((1, 2))
    chroma = np.sqrt(np.square(lab[1]) + np.square(lab[2])).mean()
    # Every third pixel tells where the darkest and brightest twentieth begin.
    low, high = np.percentile(lab[0].reshape(-1)[::3], (5, 95))
    black, white = frame.levels
    unit = 255 / (white - black)
    gray = frame.gray.astype(np.int16)
    cell = max(8, round(max(gray.shape) / CELLS / 8) * 8)
    energy = energies(gray, cell)
    energy *= np.float32(unit**2)
    dark, bright = black + DARKEST / unit, black + BRIGHTEST / unit
    some = frame.gray[::2]
    clipped = (np.count_nonzero(some < dark) + np.count_nonzero(some > bright)) / some.size
    values = (
        *(float(each) for each in (*mean, *spread, chroma, high - low)),
        detail_of(energy),
        _noise(gray, cell, dark, bright) * unit,
        float(clipped),
        _clarity(gray) * unit**2,
    )
    return Looks(frame.index, frame.time, lab, frame.rgb, energy, values)


def lab_of(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a picture in CIELAB (D65), (3, height, width), float32; from tables: right to a hundredth of a unit."""
    import numpy as np

    linear, root, matrix = _tables()
    light = matrix @ linear[rgb].reshape(-1, 3).T
    f = root[light.astype(np.uint16)]
    lab = np.empty((3, *rgb.shape[:2]), np.float32)
    x, y, z = f.reshape(lab.shape)
    np.multiply(y, np.float32(116), out=lab[0])
    lab[0] -= np.float32(16)
    np.multiply(x - y, np.float32(500), out=lab[1])
    np.multiply(y - z, np.float32(200), out=lab[2])
    return lab


@functools.cache
def _tables() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Levels to linear light, light in 1/65535 to what CIELAB makes of it, and from RGB to XYZ as seen in D65."""
    import numpy as np

    level = np.arange(256) / 255
    linear = np.where(level > 0.04045, ((level + 0.055) / 1.055) ** 2.4, level / 12.92)
    light = np.arange(65536) / 65535
    root = np.where(light > 0.008856, np.cbrt(light), 7.787 * light + 16 / 116)
    xyz = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
    matrix = xyz / np.array([[0.95047], [1.0], [1.08883]])
    # Each row of the matrix adds up to 1: half a step more rounds where an index would be cut off.
    return (linear * 65534 + 0.5).astype(np.float32), root.astype(np.float32), matrix.astype(np.float32)


def tiles_of(height: int, width: int) -> list[Tile]:
    """Divide a picture into tiles that are large enough to be found again: top, bottom, left, right of each."""
    rows, columns = max(1, min(TILES[0], height // SMALLEST)), max(1, min(TILES[1], width // SMALLEST))
    return [
        (height * row // rows, height * (row + 1) // rows, width * column // columns, width * (column + 1) // columns)
        for row in range(rows)
        for column in range(columns)
    ]


def tile_size(tiles: Sequence[Tile]) -> tuple[int, int]:
    """Return height and width that every tile has at least."""
    return min(bottom - top for top, bottom, _, _ in tiles), min(right - left for _, _, left, right in tiles)


def _spectra(pictures: NDArray[np.float32]) -> NDArray[np.complex64]:
    from scipy import fft

    level = pictures.mean((1, 2), keepdims=True)
    found: NDArray[np.complex64] = fft.rfft2((pictures - level) * _window(*pictures.shape[1:]))
    return found


@functools.cache
def _window(height: int, width: int) -> NDArray[np.float32]:
    import numpy as np

    return np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)


def detail_of(energy: NDArray[np.float32]) -> float:
    """Return log2 of gradient energy at full size against that at a quarter, 0 where there is nothing to see."""
    import numpy as np

    return float(np.log2((energy[0].mean() + NOTHING) / (energy[2].mean() + NOTHING)))


def energies(gray: NDArray[np.int16], cell: int) -> NDArray[np.float32]:
    """Return the gradient energy per cell at full size, at half and at a quarter of it: (3, rows, columns).

    Args:
        cell: pixels at full size, a multiple of 8.
    """
    import numpy as np

    half = _doubled(gray)
    quarter = _doubled(half)
    rows, columns = gray.shape[0] // cell, gray.shape[1] // cell
    sizes = ((gray, 1), (half, 2), (quarter, 4))
    if not rows or not columns:
        return np.stack([np.full((1, 1), _energy(each, BYTE * size**2).mean() / size**4) for each, size in sizes])
    found = []
    for each, size in sizes:
        # Every step of a sum of n x n pixels is the n * n-th part of a level.
        side = cell // size
        energy = _energy(each[: rows * side, : columns * side], BYTE * size**2)
        found.append(_means(energy, rows, columns) / np.float32(size**4))
    return np.stack(found)


def _doubled(gray: NDArray[np.int16]) -> NDArray[np.int16]:
    """Sum of each 2 x 2 pixels; twice two times the picture where it is too narrow for that."""
    height, width = gray.shape[0] // 2 * 2, gray.shape[1] // 2 * 2
    if not height or not width:
        return gray * 4
    rows = gray[0:height:2, :width] + gray[1:height:2, :width]
    found: NDArray[np.int16] = rows[:, 0::2] + rows[:, 1::2]
    return found


def _energy(gray: NDArray[np.int16], most: int) -> NDArray[np.float32]:
    """Squared gradient of every second row: to the right, and down to the row between.

    Args:
        most: the largest value that there may be.
    """
    import numpy as np

    first, second = gray[0::2], gray[1::2]
    found = np.zeros(first.shape, np.float32)
    found[:, :-1] = _squared(first[:, 1:] - first[:, :-1], most)
    found[: len(second)] += _squared(second - first[: len(second)], most)
    return found


def _squared(values: NDArray[np.int16], most: int) -> NDArray[Any]:
    import numpy as np

    if most > BYTE:
        return np.square(values.astype(np.float32))
    # The square of a difference of bytes has 16 bits; what overflows comes back where they have no sign.
    values *= values
    return values.view(np.uint16)


def _means(values: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """Mean per cell of values that can be divided into so many."""
    high, wide = values.shape[0] // rows, values.shape[1] // columns
    summed = values.reshape(rows, high, columns * wide).sum(1).reshape(rows, columns, wide).sum(2)
    found: NDArray[np.float32] = summed / (high * wide)
    return found


def _noise(gray: NDArray[np.int16], cell: int, dark: float, bright: float) -> float:
    """Standard deviation of what differs from pixel to pixel in both directions, in the flattest fifth of the cells."""
    import numpy as np

    rows, columns = gray.shape[0] // cell, gray.shape[1] // cell
    if rows * columns < 4:
        return 0.0
    cut = gray[: rows * cell, : columns * cell]
    down = cut[0::2] - cut[1::2]
    rough = _means(np.abs(down[:, 0::2] - down[:, 1::2]).astype(np.float32), rows, columns)
    level = _means(cut[0::2].astype(np.float32), rows, columns)
    # Black bars have no noise whatever the picture has.
    seen = rough[(level > dark + MARGIN) & (level < bright - MARGIN)]
    if seen.size < 4:
        return 0.0
    # Mean of |x| is 0.798 of the deviation, and four pixels were summed.
    return float(np.percentile(seen, 20)) / (0.798 * 2)


def _clarity(gray: NDArray[np.int16]) -> float:
    import numpy as np

    if min(gray.shape) < 3:
        return 0.0
    middle = gray[1:-1:APART]
    count = len(middle)
    laplacian = gray[:-2:APART, 1:-1][:count] + gray[2::APART, 1:-1][:count] - 4 * middle[:, 1:-1]
    laplacian += middle[:, :-2] + middle[:, 2:]
    return float(laplacian.var(dtype=np.float64))
