"""Where one clip ends and the next begins: does more change there than the video changes by itself?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .scan import Scan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KINDS = ("brightness", "colour", "detail")
# The least step that is looked at, per kind: L*, distance of (a*, b*), log2.
LEAST = (0.09, 0.30, 0.15)
# A step that anybody sees.
OBVIOUS = (4.0, 5.0, 2.0)
# Against the 99th percentile of the steps within clips. Colour and detail follow what a codec does to single frames.
TIMES = (1.05, 1.6, 2.0)
# Frames on each side that a jump is judged from.
REACHES = (2, 3, 4, 6, 8, 12)


@dataclass(frozen=True)
class Seam:
    """Between two clips.

    Args:
        clip: the one that begins here, from 1.
        frame: its first frame.
        step: per kind of `KINDS`, how much changes here that did not change around it.
        against: the step divided by what is ordinary in this video, for the kind that stands out most.
        kind: that kind.
        flagged: it stands out.
        obvious: and anybody sees it.
        cut: a cut to another scene; it is not judged.
        repeats: the first frames of the clip show the last one of the clip before, so many of them.
        motion: motion behind the seam against that before it, in log2.
    """

    clip: int
    frame: int
    step: tuple[float, float, float]
    against: float
    kind: str
    flagged: bool
    obvious: bool
    cut: bool
    repeats: int
    motion: float


def sudden(scan: Scan, reach: int) -> NDArray[np.float64]:
    """Return for each frame what jumps at it beyond what changes steadily around it.

    A line is laid through some frames on both sides, with one slope for both; what is between its two parts is the
    jump. A short reach is best where things move, a long one where a codec makes single frames differ.

    Args:
        reach: frames on each side.

    Returns:
        (frames, 3): L* with its sign, distance of (a*, b*), detail with its sign.
    """
    import numpy as np

    steps = scan.steps.copy()
    steps[list(scan.cuts)] = 0.0
    where = np.arange(-reach, reach)
    shape = np.stack([np.ones(2 * reach), where, where >= 0], axis=1).astype(float)
    weights = np.linalg.pinv(shape)[2]
    levels = np.pad(np.cumsum(steps, axis=0), ((reach, reach - 1), (0, 0)), mode="edge")
    jumps = np.stack([np.convolve(each, weights[::-1], "valid") for each in levels.T], axis=1)
    jumps[:1] = 0.0
    jumps[list(scan.cuts)] = 0.0
    return np.stack([jumps[:, 0], np.hypot(jumps[:, 1], jumps[:, 2]), jumps[:, 3]], axis=1)


def ordinary(scan: Scan, starts: Sequence[int]) -> tuple[NDArray[np.float64], tuple[float, ...]]:
    """Return the jumps, and their 99th percentile within clips per kind, with the reach that keeps that lowest."""
    import numpy as np

    best: list[tuple[float, NDArray[np.float64]]] = []
    for kind in range(len(KINDS)):
        found = []
        for reach in REACHES:
            jumps = sudden(scan, reach)[:, kind]
            inner = np.ones(len(jumps), bool)
            for frame in (0, *starts, *scan.cuts, len(jumps)):
                inner[max(0, frame - reach) : frame + reach] = False
            if inner.sum() >= 20:
                found.append((float(np.percentile(np.abs(jumps[inner]), 99)), jumps))
        best.append(min(found, key=lambda each: each[0]) if found else (float("inf"), np.zeros(scan.frames)))
    return np.stack([jumps for _, jumps in best], axis=1), tuple(usual for usual, _ in best)


def seams(scan: Scan, starts: Sequence[int]) -> tuple[Seam, ...]:
    """Judge every seam.

    Args:
        starts: the frame at which each clip begins.
    """
    import numpy as np

    steps, usual = ordinary(scan, starts)
    found = []
    for clip, frame in enumerate(starts[1:], 2):
        cut = any(abs(each - frame) <= 1 for each in scan.cuts)
        step = steps[frame]
        against = [abs(float(step[each])) / max(usual[each] * TIMES[each], LEAST[each]) for each in range(len(KINDS))]
        most = int(np.argmax(against))
        repeats = _repeated(scan, frame)
        obvious = any(abs(step[each]) >= OBVIOUS[each] for each in range(len(KINDS)))
        flagged = not cut and (against[most] >= 1.0 or repeats > 0)
        found.append(
            Seam(
                clip,
                frame,
                (float(step[0]), float(step[1]), float(step[2])),
                against[most],
                KINDS[most] if against[most] >= 1.0 or not repeats else "repeat",
                flagged,
                flagged and obvious,
                cut,
                repeats,
                _motion(scan, frame),
            )
        )
    return tuple(found)


def _repeated(scan: Scan, frame: int) -> int:
    """How many frames from a seam on show the one before it, where the video does not stand still anyway."""
    count = 0
    repeats = set(scan.repeats)
    while frame + count in repeats:
        count += 1
    near = [each for each in range(max(1, frame - 12), min(scan.frames, frame + 12)) if each in repeats]
    return count if 0 < count <= 8 and len(near) <= count + 2 else 0


def _motion(scan: Scan, frame: int) -> float:
    import numpy as np

    before, after = scan.motion[max(1, frame - 8) : frame], scan.motion[frame + 1 : frame + 9]
    if len(before) < 4 or len(after) < 4:
        return 0.0
    return float(np.log2((np.median(after) + 0.02) / (np.median(before) + 0.02)))
