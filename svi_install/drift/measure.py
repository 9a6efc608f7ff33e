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

# Cells of the grid on which detail is looked at, along the longer side; those for noise are larger.
CELLS, LARGER = 104, 2
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


@dataclass(frozen=True)
class Looks:
    """One frame, measured.

    Args:
        index: of the frame.
        time: in seconds.
        lab: small picture in CIELAB, (height, width, 3), float32.
        rgb: the same in levels, uint8.
        fine: gradient energy per cell at full size, (rows, columns), float32.
        coarse: gradient energy per cell at a quarter of the size.
        values: one for each of `VALUES`.
        whole, tiles: spectra of the brightness of the small picture and of its tiles, by which motion is followed.
    """

    index: int
    time: float
    lab: NDArray[np.float32]
    rgb: NDArray[np.uint8]
    fine: NDArray[np.float32]
    coarse: NDArray[np.float32]
    values: tuple[float, ...]
    whole: NDArray[np.complex64]
    tiles: NDArray[np.complex64]

    def value(self, name: str) -> float:
        """Return one of the values."""
        return self.values[VALUES.index(name)]


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
    from skimage.color import rgb2lab

    lab = rgb2lab(frame.rgb.astype(np.float32) / 255).astype(np.float32)
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    low, high = np.percentile(lab[..., 0], (5, 95))
    mean, spread = lab.mean((0, 1)), lab.std((0, 1))
    gray = frame.gray.astype(np.int16)
    cell = max(4, round(max(gray.shape) / CELLS / 4) * 4)
    small = _halved(_halved(gray))
    fine, coarse = _cells(_gradient(gray), cell), _cells(_gradient(small), cell // 4)
    dark, bright = np.count_nonzero(frame.gray < DARKEST), np.count_nonzero(frame.gray > BRIGHTEST)
    clipped = (dark + bright) / frame.gray.size
    values = (
        *(float(each) for each in (*mean, *spread, chroma.mean(), high - low)),
        detail_of(fine, coarse),
        _noise(gray, cell * LARGER),
        float(clipped),
        _clarity(gray),
    )
    level = lab[..., 0]
    tiles = tiles_of(*level.shape)
    height, width = tile_size(tiles)
    cut = np.stack([level[top : top + height, left : left + width] for top, _, left, _ in tiles])
    return Looks(frame.index, frame.time, lab, frame.rgb, fine, coarse, values, _spectra(level[None]), _spectra(cut))


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


def detail_of(fine: NDArray[np.float32], coarse: NDArray[np.float32]) -> float:
    """Return log2 of gradient energy at full size against that at a quarter, 0 where there is nothing to see."""
    import numpy as np

    # A quarter of a level squared keeps a black picture from having detail.
    return float(np.log2((fine.mean() + 0.25) / (coarse.mean() + 0.25)))


def _halved(gray: NDArray[Any]) -> NDArray[Any]:
    """Mean of each 2 x 2 pixels, not rounded."""
    import numpy as np

    height, width = gray.shape[0] // 2 * 2, gray.shape[1] // 2 * 2
    rows = gray[0:height:2, :width] + gray[1:height:2, :width]
    found: NDArray[Any] = (rows[:, 0::2] + rows[:, 1::2]) / np.float32(4)
    return found


def _gradient(gray: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    core = gray[:-1, :-1]
    found: NDArray[Any] = np.square(gray[:-1, 1:] - core, dtype=np.float32)
    found += np.square(gray[1:, :-1] - core, dtype=np.float32)
    return found


def _cells(values: NDArray[Any], cell: int) -> NDArray[np.float32]:
    import numpy as np

    rows, columns = max(1, values.shape[0] // cell), max(1, values.shape[1] // cell)
    cut = values[: rows * cell, : columns * cell]
    if values.shape[0] < cell or values.shape[1] < cell:
        return np.full((1, 1), values.mean() if values.size else 0.0, np.float32)
    summed = np.add.reduceat(
        np.add.reduceat(cut, np.arange(0, rows * cell, cell), 0), np.arange(0, columns * cell, cell), 1
    )
    return (summed / cell**2).astype(np.float32)


def _noise(gray: NDArray[np.int16], cell: int) -> float:
    """Standard deviation of what differs from pixel to pixel in both directions, in the flattest fifth of the cells."""
    import numpy as np

    height, width = gray.shape[0] // 2 * 2, gray.shape[1] // 2 * 2
    first = gray[0:height:2, 0:width:2] - gray[0:height:2, 1:width:2]
    second = gray[1:height:2, 0:width:2] - gray[1:height:2, 1:width:2]
    rough = _cells(np.abs(first - second).astype(np.float32), cell // 2)
    bright = _cells(gray[0:height:2, 0:width:2].astype(np.float32), cell // 2)
    # Black bars have no noise whatever the picture has.
    seen = rough[(bright > 8) & (bright < 247)]
    if seen.size < 4:
        return 0.0
    # Mean of |x| is 0.798 of the deviation, and four pixels were summed.
    return float(np.percentile(seen, 20)) / (0.798 * 2)


def _clarity(gray: NDArray[np.int16]) -> float:
    import numpy as np

    if min(gray.shape) < 3:
        return 0.0
    # Every second row is enough for a variance and takes half the time.
    middle = gray[1:-1:2, 1:-1]
    laplacian = gray[:-2:2, 1:-1][: len(middle)] + gray[2::2, 1:-1][: len(middle)]
    laplacian = laplacian + gray[1:-1:2, :-2] + gray[1:-1:2, 2:] - 4 * middle
    return float(laplacian.astype(np.float32).var())
