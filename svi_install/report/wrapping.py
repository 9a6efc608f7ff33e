"""Breaks lines for a terminal between words, before the terminal breaks them within one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import IO

_COLOR = re.compile(r"\x1b\[[0-9;]*m")
# What stands before two spaces is a column, and what follows keeps to the next one.
_COLUMN = re.compile(r"\s*\S.*?\s{2,}(?=\S)|\s*")


def columns(stream: IO[str]) -> int:
    """Return the width of the terminal that a stream goes to, 0 where it is none or says none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except (OSError, ValueError, AttributeError):
        return 0


def wrapped(lines: Iterable[str], width: int, program: str) -> list[str]:
    """Break lines that are too long for a terminal.

    Args:
        lines: they may be in color.
        width: columns of the terminal, 0 for none.
        program: how commands begin; a command stays whole, because it is copied.

    Returns:
        The lines; one that a command makes too long stands on its own.
    """
    if not width:
        return list(lines)
    return [part for line in lines for part in _wrapped(line, max(width, 40), program)]


def _wrapped(line: str, width: int, program: str) -> list[str]:
    if _length(line) <= width:
        return [line]
    command = re.compile(rf"{re.escape(program)}(?: (?:\"[^\"]*\"|'[^']*'|[^\s(\"'][^\s]*))+")
    text = command.sub(lambda match: match[0].replace(" ", "\0"), line)
    found = _COLUMN.match(_COLOR.sub("", line))
    indent = min(len(found[0]) if found else 0, width // 2)
    parts, now = [], ""
    for number, word in enumerate(text.split(" ")):
        longer = f"{now} {word}" if number else word
        if number and now.strip() and _length(longer) > width:
            parts.append(now.rstrip())
            longer = " " * indent + word
        now = longer
    return [part.replace("\0", " ") for part in (*parts, now)]


def _length(text: str) -> int:
    return len(_COLOR.sub("", text))
