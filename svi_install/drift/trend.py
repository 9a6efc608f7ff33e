"""Is it drift? A quantity that leaves where it was at some clip and keeps going, against how much it wanders anyway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .scan import Scan
from .steps import QUANTITIES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# What an eye notices in the long run, per quantity of `steps.QUANTITIES`; a displacement counts in these units.
UNITS = dict(zip(QUANTITIES, (1.0, 0.8, 0.8, 0.04, 0.04, 0.10, 0.4), strict=True))
# The displacement that is called drift: so many units, chosen on clean videos that move, pan, zoom and cut
# (benchmarks/drift_calibration.py), and so many times what the video wanders by itself.
LEAST = dict(zip(QUANTITIES, (2.2, 2.2, 2.2, 2.0, 2.4, 8.0, 1.6), strict=True))
WANDERS = 3.0
# The share of the largest excursion that must be left at the end: what comes back is content.
LEFT = 0.6
# Share of the variance that the model must explain.
EXPLAINED = 0.6
CONFIDENCE = 0.95
# What a level of grain adds to the detail at most, in log2; sharpening adds more than that for each.
GRAIN = 0.7
# What the way counts beside the end. The way says more: one clip at the end may be off by chance. Its spread is said as
# the end of a ramp that spreads as much.
WAY, RAMP = 0.7, 12**0.5


@dataclass(frozen=True)
class Trend:
    """What one quantity does over the clips.

    Args:
        quantity: one of `steps.QUANTITIES`.
        onset: the first clip, from 1, in which it is off.
        per_clip: how much each clip from there on adds: the Theil-Sen slope.
        low, high: its interval.
        end: how far it is off at the end, from the fit.
        wander: how much it changes otherwise, as a standard deviation around the fit.
        returns: it comes back by itself.
        margin: `end` against what would be called drift; from 1 on it is drift.
        last: how far it is off in the last clip, whatever the fit says.
        spread: the standard deviation of all values.
    """

    quantity: str
    onset: int
    per_clip: float
    low: float
    high: float
    end: float
    wander: float
    returns: bool
    margin: float
    last: float = 0.0
    spread: float = 0.0

    @property
    def drifts(self) -> bool:
        """Whether this is drift."""
        return self.margin >= 1.0

    @property
    def size(self) -> float:
        """How far it is off at the end, in units that an eye notices."""
        return abs(self.end) / UNITS[self.quantity]

    @property
    def distance(self) -> float:
        """How far it is off at the end and on the way there, in the same units."""
        return ((1 - WAY) * abs(self.last) + WAY * RAMP * self.spread) / UNITS[self.quantity]


def positions(marks: Sequence[int], starts: Sequence[int], frames: int) -> NDArray[np.float64]:
    """Return where frames are, in clips: 2.5 is the middle of the third.

    Args:
        marks: frames.
        starts: the frame at which each clip begins.
        frames: how many there are in all.
    """
    import numpy as np

    edges = np.array([*starts, frames], float)
    found: NDArray[np.float64] = np.interp(np.array(marks, float), edges, np.arange(len(edges)))
    return found


def trends(scan: Scan, starts: Sequence[int], left_out: Sequence[int] = ()) -> tuple[Trend, ...]:
    """Look for drift in every quantity.

    Args:
        starts: the frame at which each clip begins.
        left_out: clips, from 1, of which there are no marks: time stands still meanwhile.
    """
    where, kept = _places(scan, starts, left_out)
    found = {name: trend(name, where, scan.drift[:, column], len(kept)) for column, name in enumerate(QUANTITIES)}
    if left_out and kept:
        found = {name: replace(each, onset=kept[each.onset - 1]) for name, each in found.items()}
    detail, noise = found["detail"], found["noise"]
    if noise.drifts and noise.end > 0 and detail.end > 0:
        # Grain is fine detail too, and over-sharpening lifts what grain there is; each has one name.
        if detail.end < GRAIN * noise.end:
            found["detail"] = replace(detail, margin=min(detail.margin, 0.99), end=0.0, last=0.0, spread=0.0)
        else:
            found["noise"] = replace(noise, margin=min(noise.margin, 0.99))
    return tuple(found.values())


def onset_of(scan: Scan, starts: Sequence[int], off: Sequence[Trend], left_out: Sequence[int] = ()) -> int | None:
    """Return the first clip, from 1, that is off: the one that fits best to all quantities that drift, taken together.

    Args:
        starts, left_out: as for `trends`.
        off: those of its results that drift; None comes back when there is none.
    """
    import numpy as np

    if not off:
        return None
    where, kept = _places(scan, starts, left_out)
    # What is left over counts as a share: of normal errors that is the likelihood, whatever the unit.
    rest = np.zeros(len(kept))
    for each in off:
        values = scan.drift[:, QUANTITIES.index(each.quantity)]
        rest += [
            np.log(1e-9 + min((fit[0] for fit in fits), default=np.inf)) for fits in _fits(where, values, len(kept))
        ]
    return kept[int(np.argmin(rest))]


def _places(scan: Scan, starts: Sequence[int], left_out: Sequence[int]) -> tuple[NDArray[np.float64], list[int]]:
    """Return where the marks are, in clips that are not left out, and the numbers of these."""
    import numpy as np

    where = positions(scan.marks, starts, scan.frames)
    kept = [clip for clip in range(1, len(starts) + 1) if clip not in left_out]
    return where - sum((where >= clip for clip in sorted(set(left_out))), start=np.zeros(len(where))), kept


def trend(name: str, where: NDArray[np.float64], values: NDArray[np.float64], clips: int) -> Trend:
    """Look for drift in one quantity.

    Args:
        where: position of each value in clips.
        values: of the quantity, freed from cuts.
        clips: how many there are.
    """
    import numpy as np

    if len(values) < 4 or clips < 2:
        return Trend(name, 1, 0.0, 0.0, 0.0, 0.0, float(np.std(values)) if len(values) else 0.0, False, 0.0)
    onset, shape, base, slope = _best(where, values, clips)
    fit = base + slope * shape
    rest = values - fit
    wander = float(np.sqrt(np.mean(np.square(rest))))
    end = slope * float(shape.max())
    per_clip, low, high = _slope(where, values, onset)
    off = values - base
    # A clip that arrives at an image has no values.
    last = float(np.median(off[where >= np.floor(where.max())]))
    # It must have left both the first clip and the very first frames: a lamp may go off a moment after the start.
    begins = [0.0] if onset == 0 else [float(np.median(off[where < where[0] + 1])), float(np.median(off[:3]))]
    most = float(np.percentile(np.abs(off), 97))
    left = min((last - begin) * np.sign(slope) for begin in begins)
    returns = bool(left < LEFT * most)
    spread = float(np.mean(np.square(values - values.mean())))
    explained = 1 - wander**2 / spread if spread else 0.0
    sure = low > 0 or high < 0
    size = min(abs(end) / UNITS[name] / LEAST[name], abs(end) / (WANDERS * wander + 1e-9))
    margin = size if not returns and explained >= EXPLAINED and sure else min(size, 0.99)
    return Trend(name, onset + 1, per_clip, low, high, end, wander, returns, margin, *_off(where, values))


def _off(where: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[float, float]:
    """How far the last clip is from where the video began, and how much all of it spreads."""
    import numpy as np

    inside = np.floor(where)
    end = np.median(values[inside == inside[-1]]) - np.median(values[:3])
    return float(end), float(values.std())


def _best(
    where: NDArray[np.float64], values: NDArray[np.float64], clips: int
) -> tuple[int, NDArray[np.float64], float, float]:
    """Find the onset and the shape, a ramp or stairs, that fit best; a later onset has to earn it."""
    fits = [(fit, onset) for onset, found in enumerate(_fits(where, values, clips)) for fit in found]
    (_, shape, base, slope), onset = min(fits, key=lambda each: each[0][0])
    return onset, shape, base, slope


def _fits(
    where: NDArray[np.float64], values: NDArray[np.float64], clips: int
) -> list[list[tuple[float, NDArray[np.float64], float, float]]]:
    """Fit a ramp and stairs from each clip on.

    Returns:
        For each onset: what is left over, the shape, its base and its slope.
    """
    import numpy as np

    found = []
    for onset in range(clips):
        ramp = np.maximum(0.0, where - onset)
        stairs = np.maximum(0.0, np.floor(where) - onset + 1)
        shapes = [shape for shape in (ramp, stairs) if shape.max() != shape.min()]
        lines = [(shape, *_line(shape, values)) for shape in shapes]
        found.append([(error, shape, base, slope) for shape, base, slope, error in lines])
    return found


def _line(shape: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Fit a line, with little weight for what lies far off (Huber).

    Returns:
        Base, slope, and what is left over.
    """
    import numpy as np

    weights = np.ones_like(values)
    base = slope = 0.0
    rest = values
    for _ in range(3):
        total = weights.sum()
        x, y = (weights * shape).sum() / total, (weights * values).sum() / total
        spread = (weights * np.square(shape - x)).sum()
        slope = float((weights * (shape - x) * (values - y)).sum() / spread) if spread > 0 else 0.0
        base = float(y - slope * x)
        rest = np.abs(values - base - slope * shape)
        bound = 2.0 * float(np.median(rest)) + 1e-9
        weights = np.minimum(1.0, bound / np.maximum(rest, 1e-12))
    bounded = np.where(rest < bound, np.square(rest) / 2, bound * (rest - bound / 2))
    return base, slope, float(bounded.sum())


def _slope(where: NDArray[np.float64], values: NDArray[np.float64], onset: int) -> tuple[float, float, float]:
    from scipy.stats import theilslopes

    used = where >= max(0.0, onset - 0.5)
    # Some hundred points say as much as some thousand, and pairs grow with the square.
    step = max(1, int(used.sum()) // 300)
    slope = theilslopes(values[used][::step], where[used][::step], CONFIDENCE)
    return float(slope.slope), float(slope.low_slope), float(slope.high_slope)
