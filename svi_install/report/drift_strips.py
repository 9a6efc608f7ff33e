"""What the drift page draws: the quantities of one video over time, and those of several on one scale."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..drift.report import Report
from ..drift.steps import QUANTITIES
from ..drift.trend import LEAST, UNITS, positions
from .drift_svg import Curve, Marks, bars, ruler, strip

TITLES = {
    "L": ("Brightness", "L*"),
    "a": ("Green to red", "a*"),
    "b": ("Blue to yellow", "b*"),
    "chroma": ("Strength of colour", "log of the ratio"),
    "contrast": ("Contrast", "log of the ratio"),
    "detail": ("Detail against contrast", "log2"),
    "noise": ("Noise", "levels of 255"),
}
# Quantities whose plain average may be laid over the curve: the same unit, from the first frame on.
_PLAIN = {"L", "a", "b", "noise", "detail"}


def strips(report: Report) -> str:
    """Draw everything that is known of one video over time."""
    scan, starts = report.scan, report.clips.starts
    marks = _marks(report)
    where = positions(scan.marks, starts, scan.frames)
    every = positions(range(scan.frames), starts, scan.frames)
    by_name = {each.quantity: each for each in report.trends}
    drawn = []
    for column, name in enumerate(QUANTITIES):
        title, unit = TITLES[name]
        curves = [Curve(where.tolist(), scan.drift[:, column].tolist(), "drift")]
        if name in _PLAIN:
            plain = scan.of(name) - scan.of(name)[scan.marks[0] if scan.marks else 0]
            curves.append(Curve(every.tolist(), plain.tolist(), "plain"))
        trend = by_name[name]
        note = f"{trend.per_clip:+.2f} per clip from clip {trend.onset} on" if trend.drifts else ""
        drawn.append(strip(title, unit, curves, marks, band=LEAST[name] * UNITS[name], note=note))
    if report.seams:
        drawn.append(_seams(report, marks))
    clipped = [100 * float(each) for each in scan.of("clipped")]
    drawn.append(strip("Clipped", "% of the picture", [Curve(every.tolist(), clipped, "drift")], marks, above=True))
    moves = Curve(every.tolist(), scan.motion.tolist(), "drift")
    drawn.append(strip("Motion", "pixels of a small picture", [moves], marks, above=True))
    likes = positions([frame for frame, _ in scan.reference], starts, scan.frames)
    likeness = Curve(likes.tolist(), [value for _, value in scan.reference], "drift")
    drawn.append(
        strip("Likeness to the reference", "SSIM of structure, colour taken out", [likeness], marks, above=True)
    )
    return f'<div class="strips">{"".join(drawn)}{ruler(len(starts))}</div>'


def compared(reports: Sequence[Report]) -> str:
    """Draw the quantities of several videos on one scale, each over its own clips."""
    longest = max(len(report.clips.starts) for report in reports)
    drawn = []
    for column, name in enumerate(QUANTITIES):
        title, unit = TITLES[name]
        curves = [
            Curve(
                positions(report.scan.marks, report.clips.starts, report.scan.frames).tolist(),
                report.scan.drift[:, column].tolist(),
                f"c{number % 4}",
            )
            for number, report in enumerate(reports)
        ]
        drawn.append(strip(title, unit, curves, Marks(longest), band=LEAST[name] * UNITS[name]))
    return f'<div class="strips">{"".join(drawn)}{ruler(longest)}</div>'


def _marks(report: Report) -> Marks:
    scan, starts = report.scan, report.clips.starts

    def at(frames: Sequence[int]) -> list[float]:
        found: list[float] = positions(frames, starts, scan.frames).tolist()
        return found

    still = [(*at([each.frame]), *at([each.frame + each.frames])) for each in report.freezes]
    return Marks(
        len(starts),
        at([seam.frame for seam in report.seams if seam.flagged]),
        at(scan.cuts),
        [(start, end) for start, end in still],
    )


def _seams(report: Report, marks: Marks) -> str:
    heights = [
        (seam.clip - 1.0, seam.against if math.isfinite(seam.against) and not seam.cut else 0.0, seam.flagged)
        for seam in report.seams
    ]
    bad = sum(seam.flagged for seam in report.seams)
    note = f"{bad} of {len(heights)} jump" if bad else ""
    return bars("Seams", "against what is flagged", heights, marks, note=note)
