"""One choice of several, by arrow keys where the terminal lets a line be drawn again, by numbers everywhere."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..report.menu_screen import WIDEST, Option, footer, options
from ..report.output import Output, draws
from . import keys
from .prompts import answer


def width_of(to: Output) -> int:
    """Return how many columns may be used."""
    return min(_size(to)[0], WIDEST)


def _size(to: Output) -> tuple[int, int]:
    try:
        columns, rows = os.get_terminal_size(to.err.fileno())
    except (OSError, ValueError):
        columns, rows = 0, 0
    return max(columns or 80, 40), rows or 24


def choose_one(head: Sequence[str], rows: Sequence[Option], to: Output, *, quits: bool = True) -> int:
    """Let a person choose.

    Args:
        head: lines above the choices.
        rows: the choices.
        to: how to print and whom to ask.
        quits: the last choice is to quit, and ``q`` means it.

    Returns:
        The number of the choice, from 0.

    Raises:
        KeyboardInterrupt: the person stopped it, or the terminal is gone.
    """
    for line in head:
        print(line, file=to.err)
    width = width_of(to)
    if draws(os.environ) and len(_drawn(rows, 0, width, to.color, quits)) < _size(to)[1]:
        return _by_keys(rows, to, quits)
    for line in options(rows, None, width, to.color):
        print(line, file=to.err)
    while (number := _meant(answer(f"\nNumber (1-{len(rows)}): ", to), rows, quits)) is None:
        print(f"Please answer with a number from 1 to {len(rows)}{', or q' if quits else ''}.", file=to.err)
    return number


def _by_keys(rows: Sequence[Option], to: Output, quits: bool) -> int:
    chosen = 0
    drawn: list[str] = []
    with keys.unbuffered():
        while True:
            again = f"\x1b[{len(drawn)}A\x1b[J" if drawn else ""
            drawn = _drawn(rows, chosen, width_of(to), to.color, quits)
            print(again + "\n".join(drawn), file=to.err, flush=True)
            try:
                pressed = keys.read()
            except (EOFError, OSError) as error:
                raise KeyboardInterrupt from error
            for key in pressed:
                if key in {"up", "down"}:
                    chosen = (chosen + (1 if key == "down" else -1)) % len(rows)
                elif key == "enter":
                    return chosen
                elif (number := _meant(key, rows, quits)) is not None:
                    return number


def _drawn(rows: Sequence[Option], chosen: int, width: int, color: bool, quits: bool) -> list[str]:
    return [*options(rows, chosen, width, color), *footer(rows[chosen], width, color, quits)]


def _meant(word: str, rows: Sequence[Option], quits: bool) -> int | None:
    if quits and word.lower() in {"q", "quit", "exit"}:
        return len(rows) - 1
    return int(word) - 1 if word.isascii() and word.isdigit() and 1 <= int(word) <= len(rows) else None
