"""Ranks the lines of a file by how much they read like an anchor that is gone."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

_WORD = re.compile(r"\w+")


class Candidate(NamedTuple):
    """A line that may be what an anchor became; ``score`` is 1 for the same text and 0 for nothing in common."""

    line: int
    text: str
    score: float


def nearest(data: bytes, anchor: str, limit: int = 3) -> tuple[Candidate, ...]:
    """Find the lines of a file that read most like an anchor; white space around it does not count.

    Returns:
        The best lines that share at least half of the anchor's words, best first, earlier lines first among equals.
    """
    import difflib

    anchor = anchor.strip()
    words = Counter(_WORD.findall(anchor))
    likely: list[tuple[int, str]] = []
    for number, raw in enumerate(data.split(b"\n"), 1):
        text = raw.decode("utf-8", "replace").strip()
        if 2 * (words & Counter(_WORD.findall(text))).total() >= words.total():
            likely.append((number, text))
    scored = [
        Candidate(number, text, round(difflib.SequenceMatcher(None, anchor, text, autojunk=False).ratio(), 2))
        for number, text in likely
    ]
    return tuple(sorted(scored, key=lambda item: (-item.score, item.line))[:limit])
