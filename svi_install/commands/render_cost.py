"""What a film costs in time and on the disk, for `render --lint`."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from ..errors import SviError
from ..loras.transfer.progress import human_size
from ..report.film_progress import span
from ..storyboard.film import budget
from ..storyboard.film.film import Film
from ..storyboard.headless import hardware
from ..storyboard.headless.estimate import Disk
from ..storyboard.media import ffmpeg


def disk(film: Film, root: Path) -> Disk | None:
    """Return what a film still needs on the disk, None when nothing is missing; see `budget.disk`."""
    program = None
    # Nothing here depends on it, so WanGP's own Python is not asked for one.
    with contextlib.suppress(SviError):
        program = ffmpeg.find(root, Path(sys.executable))
    return budget.disk(film, program)


def words(film: Film, needed: Disk | None) -> tuple[str, ...]:
    """Say what a film costs, one sentence each."""
    missing = len(film.lacking())
    if not missing:
        return ("Every segment is finished; only the joining is left.",)
    left = "1 segment" if missing == 1 else f"{missing} segments"
    time = budget.clip_time(film, hardware.find_card())
    if time is None:
        text = f"{left} to make; the time it takes will be known after the first."
    elif time.least == time.most:
        text = f"{left} to make, about {span(time.least * missing)} at {span(time.least)} each."
    else:
        text = (
            f"{left} to make, {span(time.least * missing)} to {span(time.most * missing)} ({time.source}); "
            "more will be known after the first."
        )
    return (text, *(() if needed is None else (f"On the disk that is about {human_size(needed.finished)}.",)))
