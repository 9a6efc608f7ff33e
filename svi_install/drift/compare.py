"""Which of several videos drifts less, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .report import Report
from .steps import QUANTITIES
from .trend import UNITS, positions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DRAWS = 2000
# What is said of it in words.
SURE, LIKELY = 0.95, 0.8


@dataclass(frozen=True)
class Ranking:
    """How videos compare.

    Args:
        least: the one that drifts least.
        sure: the share of draws from the clips in which it does, against the next best; 0.5 is a coin.
        text: in words.
    """

    least: Path
    sure: float
    text: str


def compare(reports: Sequence[Report]) -> Ranking:
    """Rank videos by their score.

    How sure that is comes from the clips: each is drawn again and again with its neighbours, and the distance from
    the beginning, over all quantities in units that an eye notices, is added up.
    """
    import numpy as np

    order = sorted(reports, key=lambda each: each.score)
    best, second = order[0], order[1]
    one, two = distances(best), distances(second)
    chance = np.random.default_rng(0)
    draws = [
        float(chance.choice(one, len(one)).mean()) < float(chance.choice(two, len(two)).mean()) for _ in range(DRAWS)
    ]
    share = float(np.mean(draws))
    words = "surely" if share >= SURE else "probably"
    scores = f"(score {best.score:.1f} against {second.score:.1f}; {share:.0%} sure)"
    text = f"{best.path} {words} drifts less than {second.path} {scores}."
    if share < LIKELY:
        text = f"It is too close to say which drifts less, {best.path} or {second.path} {scores}."
    if best.score == second.score:
        text = f"{best.path} and {second.path} drift alike (score {best.score:.1f})."
    return Ranking(best.path, share, text)


def distances(report: Report) -> NDArray[np.float64]:
    """Return for each clip how far it is from the first one, in units that an eye notices."""
    import numpy as np

    scan, starts = report.scan, report.clips.starts
    marks = np.floor(positions(scan.marks, starts, scan.frames)).astype(int)
    units = np.array([UNITS[name] for name in QUANTITIES])
    means = [scan.drift[marks == clip].mean(axis=0) for clip in range(len(starts)) if (marks == clip).any()]
    if not means:
        return np.zeros(1)
    first = means[0]
    return np.array([float(np.sqrt(np.square((each - first) / units).sum())) for each in means])
