"""Strips over time for the drift page, as inline SVG that stretches with the page; words stand beside it as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 1000, 100
# A curve has no more points than a wide screen can show.
POINTS = 480


class Curve(NamedTuple):
    """One line: positions in clips, values, and the class that gives it its colour."""

    where: Sequence[float]
    values: Sequence[float]
    kind: str


class Marks(NamedTuple):
    """What stands behind the curves, in positions in clips: how many clips, bad seams, cuts, stretches of stillness."""

    clips: int
    flagged: Sequence[float] = ()
    cuts: Sequence[float] = ()
    still: Sequence[tuple[float, float]] = ()


def strip(
    title: str,
    unit: str,
    curves: Sequence[Curve],
    marks: Marks,
    *,
    band: float = 0.0,
    note: str = "",
    above: bool = False,
) -> str:
    """Draw one quantity over time.

    Args:
        title: its name.
        unit: of its values.
        curves: the first one decides the scale.
        marks: what stands behind them.
        band: height, to both sides of 0, that nobody notices; 0 for none.
        note: what a person sees on the right of the title.
        above: it is never below 0.
    """
    values = [value for curve in curves if curve.kind != "plain" for value in curve.values]
    low, high = min([*values, -band * 1.2]), max([*values, band * 1.2])
    if high - low < 1e-9:
        low, high = low - 1, high + 1
    pad = (high - low) * 0.06
    low, high = 0.0 if above else low - pad, high + pad

    def y(value: float) -> float:
        return HEIGHT * (high - value) / (high - low)

    parts = [_behind(marks)]
    if band:
        top, bottom = y(band), y(-band)
        parts.append(f'<rect class="unseen" x="0" width="{WIDTH}" y="{top:.1f}" height="{bottom - top:.1f}"/>')
    if low < 0 < high:
        parts.append(f'<path class="zero" d="M0 {y(0):.1f}H{WIDTH}"/>')
    parts += [_line(curve, marks.clips, y) for curve in reversed(curves)]
    svg = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(title)}: from {low:.2f} to {high:.2f} {escape(unit)}">{"".join(parts)}</svg>'
    )
    scale = f'<span class="top">{_number(high)}</span><span class="bottom">{_number(low)}</span>'
    said = f'<span class="note">{escape(note)}</span>' if note else ""
    head = f"<figcaption><b>{escape(title)}</b> <i>{escape(unit)}</i>{said}</figcaption>"
    return f'<figure class="strip">{head}<div class="plot">{svg}{scale}</div></figure>'


def bars(title: str, unit: str, heights: Sequence[tuple[float, float, bool]], marks: Marks, *, note: str = "") -> str:
    """Draw one bar per seam.

    Args:
        heights: position in clips, height (1 is where a seam is flagged), whether it is.
    """
    most = max([1.5, *(min(height, 6.0) for _, height, _ in heights)]) * 1.05
    parts = [_behind(marks._replace(flagged=()))]
    level = HEIGHT * (1 - 1 / most)
    parts.append(f'<path class="limit" d="M0 {level:.1f}H{WIDTH}"/>')
    for where, height, bad in heights:
        x, up = WIDTH * where / marks.clips, HEIGHT * min(height, most) / most
        kind = "bar bad" if bad else "bar"
        parts.append(f'<rect class="{kind}" x="{x - 3:.1f}" width="6" y="{HEIGHT - up:.1f}" height="{up:.1f}"/>')
    svg = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )
    said = f'<span class="note">{escape(note)}</span>' if note else ""
    head = f"<figcaption><b>{escape(title)}</b> <i>{escape(unit)}</i>{said}</figcaption>"
    scale = f'<span class="top">{_number(most)}</span><span class="bottom">0</span>'
    return f'<figure class="strip">{head}<div class="plot">{svg}{scale}</div></figure>'


def ruler(clips: int) -> str:
    """Number the clips below the strips."""
    every = max(1, -(-clips // 12))
    shown = "".join(
        f'<span style="left:{100 * (clip + 0.5) / clips:.2f}%">{"" if clip else "clip "}{clip + 1}</span>'
        for clip in range(0, clips, every)
    )
    return f'<div class="ruler" aria-hidden="true">{shown}</div>'


def _behind(marks: Marks) -> str:
    each = WIDTH / marks.clips
    parts = [
        f'<rect class="odd" x="{clip * each:.1f}" width="{each:.1f}" height="{HEIGHT}"/>'
        for clip in range(1, marks.clips, 2)
    ]
    for start, end in marks.still:
        x = start * each
        parts.append(
            f'<rect class="still" x="{x:.1f}" width="{max(2.0, (end - start) * each):.1f}" height="{HEIGHT}"/>'
        )
    parts += [f'<path class="cut" d="M{cut * each:.1f} 0V{HEIGHT}"/>' for cut in marks.cuts]
    parts += [f'<path class="seam" d="M{seam * each:.1f} 0V{HEIGHT}"/>' for seam in marks.flagged]
    return "".join(parts)


def _line(curve: Curve, clips: int, y: object) -> str:
    assert callable(y)
    step = max(1, -(-len(curve.values) // POINTS))
    points = [
        f"{WIDTH * where / clips:.1f} {max(-20.0, min(HEIGHT + 20.0, y(value))):.1f}"
        for where, value in zip(curve.where[::step], curve.values[::step], strict=True)
    ]
    return f'<path class="line {curve.kind}" d="M{"L".join(points)}"/>' if len(points) > 1 else ""


def _number(value: float) -> str:
    size = abs(value)
    return f"{value:.0f}" if size >= 20 else f"{value:.1f}" if size >= 1 else f"{value:.2f}"
