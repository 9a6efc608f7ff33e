"""A report in a sentence and in a table."""

from __future__ import annotations

import math
from typing import Any

from .report import Report
from .trend import positions

_SHOWN = ("L", "a", "b", "L_spread", "chroma", "contrast", "detail", "noise", "clipped")


def in_words(report: Report) -> str:
    """Say in one sentence how a video does."""
    # Rounded down: what is not drift must not be called once what counts as drift.
    margin = f"{math.floor(10 * report.margin) / 10:.1f} times what counts as drift"
    score = f"score {report.score:.1f}"
    jumps = sum(seam.flagged for seam in report.seams)
    seams = f"; {jumps} seam{'' if jumps == 1 else 's'} can be seen" if jumps else ""
    if report.verdict == "steady":
        return f"steady ({margin}, {score}){seams}."
    since = f" from clip {report.onset} on" if report.onset and report.onset > 1 else ""
    return f"{report.verdict}{since} ({margin}, {score}){seams}."


def clip_values(report: Report) -> list[dict[str, Any]]:
    """Return one row of values per clip: means over its frames, and how far it is off what came before."""
    import numpy as np

    scan, starts = report.scan, report.clips.starts
    where = np.floor(positions(range(scan.frames), starts, scan.frames)).astype(int)
    marks = np.floor(positions(scan.marks, starts, scan.frames)).astype(int)
    likes = np.floor(positions([frame for frame, _ in scan.reference], starts, scan.frames)).astype(int)
    rows = []
    for clip, start in enumerate(starts):
        inside = where == clip
        values = {name: round(float(scan.of(name)[inside].mean()), 3) for name in _SHOWN}
        off = scan.drift[marks == clip]
        like = [value for index, (_, value) in zip(likes, scan.reference, strict=True) if index == clip]
        rows.append(
            {
                "clip": clip + 1,
                "frame": start,
                "frames": int(inside.sum()),
                **values,
                "motion": round(float(scan.motion[inside].mean()), 3),
                "likeness": round(float(np.mean(like)), 3) if like else None,
                "drift": _named(off.mean(axis=0)) if len(off) else None,
            }
        )
    return rows


def _named(values: Any) -> dict[str, float]:
    from .steps import QUANTITIES

    return {name: round(float(value), 4) for name, value in zip(QUANTITIES, values, strict=True)}
