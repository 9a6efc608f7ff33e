"""What a download reports while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

Phase = Literal["resolve", "wait", "hash", "copy", "download", "retry", "done"]


class Progress(NamedTuple):
    """One report about one file.

    Args:
        name: what people call the LoRA.
        done: bytes that are there, those of earlier runs included.
        total: bytes of the whole file, None while it is not known.
        rate: bytes a second over the last seconds, 0.0 while it is not known.
        note: one line for people, such as why a download starts again; mostly empty.
    """

    name: str
    filename: str
    phase: Phase
    done: int = 0
    total: int | None = None
    rate: float = 0.0
    note: str = ""

    @property
    def eta(self) -> float | None:
        """Seconds that are left at the present rate, None while that cannot be said."""
        if self.total is None or self.rate <= 0:
            return None
        return max(0.0, (self.total - self.done) / self.rate)


Report = Callable[[Progress], None]


def no_report(progress: Progress) -> None:
    """Ignore a report."""


class Rate:
    """Bytes a second over the last few seconds."""

    def __init__(self, window: float = 5.0) -> None:
        self._window = window
        self._samples: list[tuple[float, int]] = []

    def add(self, now: float, done: int) -> float:
        """Take a sample."""
        self._samples.append((now, done))
        while len(self._samples) > 2 and self._samples[1][0] <= now - self._window:
            del self._samples[0]
        (start, first), (end, last) = self._samples[0], self._samples[-1]
        return (last - first) / (end - start) if end > start else 0.0


def human_size(count: int) -> str:
    """Write a number of bytes the way shops and file managers do."""
    if count < 1024:
        return f"{count} bytes"
    size = float(count)
    for unit in ("KB", "MB", "GB"):
        size /= 1024
        if size < 1024:
            return f"{size:.0f} {unit}" if size >= 100 else f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} TB"
