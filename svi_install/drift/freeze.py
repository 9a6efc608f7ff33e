"""Where the picture stands still, and where there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .scan import BLANK, Scan

# Seconds of standing still that are worth a word, and that no film is shown with; the share that is too much.
WORTH, FAILS, MUCH = 1.0, 2.0, 0.3


@dataclass(frozen=True)
class Freeze:
    """A stretch of frames that show one picture, or none.

    Args:
        frame: the first that is as the one before it.
        frames: how many.
        seconds: that is.
        share: of the video.
        kind: frozen, or blank: black or of one colour.
    """

    frame: int
    frames: int
    seconds: float
    share: float
    kind: Literal["frozen", "blank"]

    @property
    def fails(self) -> bool:
        """Nobody would show a video with this."""
        return self.seconds >= FAILS or self.share >= MUCH


def freezes(scan: Scan) -> tuple[Freeze, ...]:
    """Find the stretches that are worth a word."""
    spread = scan.of("L_spread")
    empty = {frame for frame in range(scan.frames) if spread[frame] < BLANK}
    still = set(scan.repeats) - empty
    found = [*_runs(scan, still, "frozen"), *_runs(scan, empty, "blank")]
    return tuple(sorted(found, key=lambda each: each.frame))


def _runs(scan: Scan, frames: set[int], kind: Literal["frozen", "blank"]) -> list[Freeze]:
    found, fps = [], scan.stream.fps
    run: list[int] = []
    for frame in [*sorted(frames), -1]:
        if run and frame != run[-1] + 1:
            seconds, share = len(run) / fps, len(run) / scan.frames
            if len(run) > 1 and (seconds >= WORTH or share >= MUCH):
                found.append(Freeze(run[0], len(run), seconds, share, kind))
            run = []
        run.append(frame)
    return found
