"""Films of the layout before: folders `NUMBER-KEY`, seeds that count through the whole film, takes by segment number.

Their results have the same addresses. What is taken over is which seed a clip was made with, where the story counts it
otherwise now; then the folders get their names of today.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..script.segments import Segment
from ..script.story import MOST_SEGMENTS, MOST_TAKES, SEED_STRIDE, SEEDS, TAKE_STRIDE
from .store import DIGITS, FINISHED, SEGMENTS, Store, Takes, plainly, read_json

_NAME = re.compile(r"\d{4,}-([0-9a-f]{16})")


@dataclass(frozen=True)
class Earlier:
    """What the layout before has left in a film's folder.

    Args:
        folders: of results, by the first digits of their keys.
        seeds: that each prompt was made with and the number of the segment, the latest first.
    """

    folders: Mapping[str, Path] = field(default_factory=dict)
    seeds: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict)

    def takes(self, segment: Segment, start: int, key_of: Callable[[int], str], shift: int = 0) -> Takes | None:
        """Return the takes of a clip that this layout has a result of, None where it has none.

        Args:
            segment: with the seed that the story gives it now.
            start: the story's own seed.
            key_of: gives the key that the clip has with another seed.
            shift: by which the seed of the clip before was another one; most likely that of this one, too.
        """
        seeds = self.seeds.get(segment.prompt, ())
        found = [
            (number != segment.number, (takes.first - segment.seed) % SEEDS != shift, takes)
            for seed, number in seeds
            if (takes := _takes(seed, (segment.seed, start)))
        ]
        # Scenes that begin alike differ by nothing but their place.
        for _, _, takes in sorted(found, key=lambda each: each[:2]):
            if key_of(takes.seed(takes.picked))[:DIGITS] in self.folders:
                return takes
        return None


def look(store: Store) -> Earlier:
    """Look for results of the layout before."""
    base = store.root / SEGMENTS
    folders: dict[str, Path] = {}
    seeds: dict[str, dict[tuple[int, int], float]] = {}
    try:
        found = [(path, match[1]) for path in sorted(base.iterdir()) if (match := _NAME.fullmatch(path.name))]
    except OSError:
        found = []
    for path, digits in found:
        facts = read_json(path / FINISHED) or {}
        prompt, seed = facts.get("prompt"), facts.get("seed")
        # A clip that was in the film twice was kept twice.
        if (facts or digits not in folders) and not (base / digits).exists():
            folders[digits] = path
        if isinstance(prompt, str) and type(seed) is int:
            with contextlib.suppress(OSError):
                seeds.setdefault(prompt, {})[seed, int(path.name.partition("-")[0])] = (path / FINISHED).stat().st_mtime
    latest = {prompt: sorted(each, key=lambda made: -each[made]) for prompt, each in seeds.items()}
    return Earlier(folders, latest)


def take_over(store: Store, earlier: Earlier) -> None:
    """Give the results of the layout before their names of today.

    Raises:
        SviError: the disk refuses.
    """
    for digits, path in earlier.folders.items():
        target = store.root / SEGMENTS / digits
        with plainly(path, "move"):
            if not target.exists():
                path.rename(target)


def _takes(seed: int, counted: Sequence[int]) -> Takes | None:
    """Which take it was: its first one was a few clips of the film away from where the story counts."""
    for redone in range(MOST_TAKES):
        first = (seed - TAKE_STRIDE * redone) % SEEDS
        if any(
            not apart % SEED_STRIDE and apart < SEED_STRIDE * MOST_SEGMENTS
            for now in counted
            for apart in ((first - now) % SEEDS, (now - first) % SEEDS)
        ):
            return Takes(first, redone + 1, redone + 1)
    return None
