"""What the menu shows, as lines that fit the terminal; pure, so that it can be looked at in any width."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from .output import paint, printable

WIDEST = 100
# A path that is longer than a line goes on in the next one after the end of a folder's name.
_FOLDERS = re.compile(r"[^/\\]*[/\\]+|[^/\\]+")


class Option(NamedTuple):
    """One line of the menu.

    Attributes:
        label: what it does, in two words.
        what: what comes of it.
        command: the command line that it runs, empty where it runs none.
    """

    label: str
    what: str
    command: str = ""


def fold(text: str, width: int) -> list[str]:
    """Break a text into lines of at most ``width`` signs: between words, else between folders, else where it must."""
    lines = [""]
    for word in printable(text).split(" "):
        space = " " if lines[-1] else ""
        if len(lines[-1]) + len(space) + len(word) <= width:
            lines[-1] += space + word
            continue
        if lines[-1]:
            lines.append("")
        for piece in _FOLDERS.findall(word) if len(word) > width else [word]:
            if lines[-1] and len(lines[-1]) + len(piece) > width:
                lines.append("")
            lines[-1] += piece
            while len(lines[-1]) > width:
                lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return [line.rstrip() for line in lines]


def facts(rows: Sequence[tuple[str, str]], width: int, color: bool) -> list[str]:
    """Lay out pairs of a name and what is said of it."""
    wide = max(len(name) for name, _ in rows)
    lines = []
    for name, text in rows:
        first, *more = fold(text, width - wide - 5)
        lines.append(f"  {paint(f'{name:{wide}}', 'dim', color)}  {first}")
        lines += [f"  {'':{wide}}  {line}" for line in more]
    return lines


def options(choices: Sequence[Option], chosen: int | None, width: int, color: bool) -> list[str]:
    """Lay out the choices.

    Args:
        chosen: the one that Enter would take; None for a terminal that knows no arrow keys, where each choice says
            its command.
    """
    wide = max(len(choice.label) for choice in choices)
    lines = []
    for number, choice in enumerate(choices):
        here = number == chosen
        first, *more = fold(choice.what, width - wide - 9)
        label = paint(f"{choice.label:{wide}}", "bold", color and here)
        lines.append(
            f"{paint('>', 'green', color) if here else ' '} {_key(choices, number):>2}  {label}  {first}".rstrip()
        )
        lines += [f"      {'':{wide}}  {line}" for line in more]
        if chosen is None and choice.command:
            lines += [f"      {paint(line, 'cyan', color)}" for line in fold(choice.command, width - 7)]
    return lines


def footer(choice: Option, width: int, color: bool, quits: bool) -> list[str]:
    """Say which command the choice runs, and which keys there are."""
    keys = f"Arrow keys and Enter, or a number. {'q quits.' if quits else 'Ctrl-C ends.'}"
    lines = [""]
    if choice.command:
        first, *more = fold(choice.command, width - 10)
        lines += [f"  Runs: {paint(first, 'cyan', color)}", *(f"        {paint(line, 'cyan', color)}" for line in more)]
    return [*lines, *(f"  {line}" for line in fold(keys, width - 3))]


def _key(choices: Sequence[Option], number: int) -> str:
    return "q" if choices[number].label == "Quit" else str(number + 1)
