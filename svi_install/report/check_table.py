"""What `svi-install check` shows on a terminal: one column per release, one row per hook, then every refusal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from ..history.judge import FileVerdict
from ..history.releases import Verdict
from ..history.survival import Survival
from .result import Line

MARKS = {"exact": ("=", "green"), "moved": (".", "green"), "reduced": ("~", "yellow"), "refused": ("X", "red")}
LEGEND = "= at its line  . moved  ~ less context  X refused  ! upstream does not compile"
WIDTH = 64
# More columns than this and a row per hook would be more than a person can look over.
MANY = 250


def matrix(verdicts: Sequence[Verdict]) -> tuple[Line, ...]:
    """Draw the verdicts.

    Returns:
        The lines: one block per major version, one character per release and hook.
    """
    rows = [""] if len(verdicts) > MANY else _hooks(verdicts)
    lines: list[Line] = []
    for _, group in groupby(verdicts, key=lambda item: item.version.partition(".")[0]):
        block = list(group)
        for start in range(0, len(block), WIDTH):
            part = block[start : start + WIDTH]
            last = f" to {part[-1].version}" if part[-1].version != part[0].version else ""
            lines += [(), ((f"WanGP {part[0].version}{last}", "bold"), (f"  {part[0].day} to {part[-1].day}", "dim"))]
            for row in rows:
                cells = [_cell(verdict, row) for verdict in part]
                joined = (("".join(mark for mark, _ in run), style) for style, run in _runs(cells))
                lines.append(((f"  {row or 'all hooks':<10} ", ""), *joined))
    return (*lines, (), ((LEGEND, "dim"),))


def refusals(verdicts: Sequence[Verdict]) -> tuple[Line, ...]:
    """List what could not be placed, why, since which upstream commit, and what comes nearest.

    Returns:
        The lines, empty when everything was placed.
    """
    lines: list[Line] = []
    for verdict in verdicts:
        for file in verdict.files:
            head = f"WanGP {verdict.version} ({verdict.commit.id[:10]}, {verdict.day}) {file.path}"
            if file.broken:
                lines += [(), ((f"{head}: does not compile upstream: {file.broken}", "yellow"),)]
            if file.refusals:
                lines += [(), ((head, "red"),), *((("  " + text, ""),) for text in _why(file))]
    return tuple(lines)


def _why(file: FileVerdict) -> Iterator[str]:
    for refusal in file.refusals:
        name = f"hook {refusal.hook}: " if refusal.hook else ""
        yield f"{name}{refusal.why}"
        if refusal.looked_for:
            yield f"  looked for  {refusal.looked_for}"
        for item in refusal.candidates:
            yield f"  line {item.line:<6} {item.text}  ({item.score:.0%} alike)"
        for cause in file.causes:
            if cause.hook == refusal.hook:
                yield f"  since       {cause.commit.id[:10]} {cause.commit.subject}"


def lifetime(life: Survival) -> str:
    """Say in one line how a frozen patch set did."""
    end = f"first refusal at {life.first_refused.version} ({life.first_refused.day})" if life.first_refused else "alive"
    return (
        f"Frozen at WanGP {life.frozen_at}: {life.placed} of {life.later} later ones placed ({life.share:.1%}), "
        f"{life.wrong} hooks in the wrong place, {life.days} days, {end}."
    )


def _hooks(verdicts: Sequence[Verdict]) -> list[str]:
    files = [file for verdict in verdicts for file in verdict.files]
    names = [name for file in files for name in (*(p.hook for p in file.places), *(r.hook for r in file.refusals))]
    return [name for name in dict.fromkeys(names) if name] or [""]


def how_of(verdict: Verdict, hook: str) -> str:
    """Return how one hook of a release was placed.

    Args:
        hook: its name; empty for all of them together.

    Returns:
        ``exact``, ``moved``, ``reduced`` or ``refused``.
    """
    if not hook:
        return verdict.how
    places = [place for file in verdict.files for place in file.places if place.hook == hook]
    return places[0].how if places else "refused"


def _cell(verdict: Verdict, hook: str) -> tuple[str, str]:
    mark, style = MARKS[how_of(verdict, hook)]
    broken = any(file.broken for file in verdict.files if not hook or any(item.hook == hook for item in file.places))
    return ("!", "yellow") if broken and mark != "X" else (mark, style)


def _runs(cells: Sequence[tuple[str, str]]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    for style, run in groupby(cells, key=lambda cell: cell[1]):
        yield style, list(run)
