"""Shows how a film goes: one line that changes on a terminal, a line per finished segment in a pipe."""

from __future__ import annotations

from collections.abc import Callable

from ..storyboard.film import Progress
from .output import Output


def printer(to: Output) -> Callable[[Progress], None]:
    """Return what prints progress on the error output.

    Args:
        to: how the command prints; nothing is shown with ``--json`` or ``--quiet``.
    """
    terminal = to.err.isatty()
    width = 0

    def show(progress: Progress) -> None:
        nonlocal width
        if to.as_json or to.quiet:
            return
        text = line(progress)
        if progress.finished is not None:
            print(f"\r{text:<{width}}" if width else text, file=to.err, flush=True)
            width = 0
        elif terminal:
            print(f"\r{text:<{width}}", end="", file=to.err, flush=True)
            width = len(text)

    return show


def line(progress: Progress) -> str:
    """Return progress in words."""
    where = f"segment {progress.segment}/{progress.segments}"
    left = "" if progress.eta is None else f", {span(progress.eta)} left"
    if progress.finished is not None:
        took = "" if progress.seconds is None else f" in {span(progress.seconds)}"
        return f"{where} done{took}: {progress.finished}{left if progress.left else ''}"
    step = f", step {progress.step}/{progress.steps}" if progress.steps else ""
    return f"{where}{step}{left}"


def span(seconds: float) -> str:
    """Return a time such as ``42 s``, ``3 min`` or ``2 h 05 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
