"""The curves of the calibration as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

Row = dict[str, Any]
COLOURS = ("#d1495b", "#30638e", "#8d6a9f", "#00798c", "#edae49", "#6b705c", "#c1666b", "#3a7d44")
CLEAN = "#888"
WIDTH, HEIGHT, LEFT, TOP = 330, 220, 48, 34
# Limits that are tried instead of 1, the one that holds.
LEAST, MOST = 0.25, 8.0


def figure(rows: Sequence[Row]) -> str:
    """Draw how often a video is rightly called worse than clean, and how often each limit would call it drifting.

    Over the strength where several were tried, else as one bar for each kind.
    """
    kinds = list(dict.fromkeys(row["kind"] for row in rows if "strength" in row))
    strengths = sorted({row["strength"] for row in rows if "strength" in row})
    clean = {row["scene"]: row for row in rows if row["kind"] == "clean"}

    def better(row: Row) -> bool:
        return bool(row["score"] > clean[row["scene"]]["score"])

    second = LEFT + WIDTH + 60
    title = "rightly called worse than clean"
    parts = [_frame(LEFT, title if len(strengths) > 1 else f"{title}, at {_percent(strengths[0])} per clip")]
    if len(strengths) > 1:
        parts += _over_strength(rows, kinds, strengths, better)
    else:
        parts += _bars(rows, kinds, better)
    parts.append(_frame(second, f"called drifting, by the limit{'' if len(strengths) > 1 else ', as above'}"))
    parts += _over_limit(second, rows, kinds, strengths[len(strengths) // 2])
    right = LEFT + 2 * (WIDTH + 60)
    for number, (name, colour) in enumerate([*zip(kinds, COLOURS, strict=False), ("clean", CLEAN)]):
        y = TOP + 16 + number * 20
        parts.append(f'<path d="M{right} {y - 4}h22" stroke="{colour}" stroke-width="3"/>')
        parts.append(f'<text x="{right + 28}" y="{y}">{name}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right + 120} {TOP + HEIGHT + 48}" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#777">'
        f"{''.join(parts)}</svg>\n"
    )


def _over_strength(
    rows: Sequence[Row], kinds: Sequence[str], strengths: Sequence[float], good: Callable[[Row], bool]
) -> list[str]:
    parts = []
    for kind, colour in zip(kinds, COLOURS, strict=False):
        shares = [
            _share([row for row in rows if row["kind"] == kind and row.get("strength") == strength], good)
            for strength in strengths
        ]
        at = [LEFT + WIDTH * index / (len(strengths) - 1) for index in range(len(strengths))]
        parts.append(_line(at, shares, colour))
    for index, strength in enumerate(strengths):
        parts.append(_below(LEFT + WIDTH * index / (len(strengths) - 1), _percent(strength)))
    return [*parts, _axis(LEFT, "made worse per clip")]


def _bars(rows: Sequence[Row], kinds: Sequence[str], good: Callable[[Row], bool]) -> list[str]:
    each, parts = WIDTH / len(kinds), []
    for number, (kind, colour) in enumerate(zip(kinds, COLOURS, strict=False)):
        share = _share([row for row in rows if row["kind"] == kind], good)
        x, top = LEFT + each * (number + 0.15), _y(share)
        width, high = each * 0.7, TOP + HEIGHT - top
        parts.append(f'<rect x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{high:.1f}" fill="{colour}"/>')
    return parts


def _over_limit(x: float, rows: Sequence[Row], kinds: Sequence[str], strength: float) -> list[str]:
    def at(limit: float) -> float:
        return x + WIDTH * math.log(limit / LEAST) / math.log(MOST / LEAST)

    limits = [LEAST * (MOST / LEAST) ** (step / 60) for step in range(61)]
    parts = [f'<path d="M{at(1.0):.1f} {TOP}v{HEIGHT}" stroke="#8886" stroke-dasharray="4 3"/>']
    for kind, colour in [*zip(kinds, COLOURS, strict=False), ("clean", CLEAN)]:
        group = [row for row in rows if row["kind"] == kind and row.get("strength", strength) == strength]
        shares = [_share(group, lambda row, limit=limit: row["margin"] >= limit) for limit in limits]  # type: ignore[misc]
        parts.append(_line([at(limit) for limit in limits], shares, colour, 3 if kind == "clean" else 2))
    parts += [_below(at(limit), f"{limit:g}") for limit in (0.25, 0.5, 1, 2, 4, 8)]
    return [*parts, _axis(x, "limit; 1 is the one that holds")]


def _share(rows: Sequence[Row], good: Callable[[Row], bool]) -> float:
    return sum(map(good, rows)) / max(1, len(rows))


def _percent(strength: float) -> str:
    return f"{100 * strength:g} %"


def _line(at: Sequence[float], shares: Sequence[float], colour: str, width: int = 2) -> str:
    points = " ".join(f"{x:.1f},{_y(share):.1f}" for x, share in zip(at, shares, strict=True))
    return f'<polyline points="{points}" stroke="{colour}" fill="none" stroke-width="{width}"/>'


def _y(share: float) -> float:
    return TOP + HEIGHT * (1 - share)


def _below(x: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{text}</text>'


def _axis(x: float, text: str) -> str:
    return f'<text x="{x + WIDTH / 2}" y="{TOP + HEIGHT + 38}" text-anchor="middle">{text}</text>'


def _frame(x: float, title: str) -> str:
    lines = [f'<text x="{x}" y="{TOP - 14}" font-weight="bold">{title}</text>']
    for share in (0, 0.5, 1):
        lines.append(f'<path d="M{x} {_y(share):.1f}h{WIDTH}" stroke="#8886"/>')
        lines.append(f'<text x="{x - 6}" y="{_y(share) + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    return "".join(lines)
