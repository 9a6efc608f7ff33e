"""Our lines in a file of git's that also has other people's: put in at its end, taken out byte for byte."""

from __future__ import annotations

from collections.abc import Sequence

BEGIN = b"# svi-install: from here"
END = b"# svi-install: to here"
# What taking out has to restore is said in the first line itself, so that no record of it can get lost.
_UNENDED = b", after a line without an end"
_NEW = b", in a file of its own"
_TAKES = b"; svi-install --revert takes this out"
FILTER = "svi-install"
# How our lines begin, those of git's settings without their indentation.
_OURS = (b"/", b'[filter "svi-install"]', b"clean =", b"smudge =", b"required =")


def put(data: bytes | None, lines: Sequence[str]) -> bytes | None:
    """Return a file's bytes with these lines of ours at the end; what was there of ours before goes.

    Args:
        data: its bytes, None where there is no such file.
        lines: without line ends; without any of them it is as `take`.
    """
    rest = take(data)
    if not lines:
        return rest
    end = newline(rest or b"")
    how = _NEW if rest is None else _UNENDED if rest and not rest.endswith(b"\n") else b""
    block = [BEGIN + how + _TAKES, *(line.encode() for line in lines), END, b""]
    return (rest or b"") + (end if how == _UNENDED else b"") + end.join(block)


def take(data: bytes | None) -> bytes | None:
    """Return a file's bytes without our lines, None where an install made the file and nothing else is in it."""
    while data is not None and (start := _begin(data)) is not None:
        rows = data[start:].splitlines(keepends=True)
        rest = data[start + sum(map(len, rows[: _length(rows)])) :]
        if not rest and _NEW in rows[0] and not start:
            return None
        # Where somebody has written behind our lines, the line before them needs its end.
        kept = data[:start]
        if not rest and _UNENDED in rows[0]:
            kept = kept.removesuffix(newline(kept))
        data = kept + rest
    return data


def newline(data: bytes) -> bytes:
    """Return the line end of a file."""
    return b"\r\n" if data.partition(b"\n")[0].endswith(b"\r") else b"\n"


def _begin(data: bytes) -> int | None:
    if data.startswith(BEGIN):
        return 0
    found = data.find(b"\n" + BEGIN)
    return None if found < 0 else found + 1


def _length(rows: Sequence[bytes]) -> int:
    """Return how many lines are ours: up to our last one, or as far as they look like ours where it is missing."""
    for number, row in enumerate(rows[1:], 1):
        if row.startswith(END):
            return number + 1
        if not row.strip().startswith(_OURS):
            return number
    return len(rows)
