"""Shows how a film goes: a line that changes on a terminal, for each worker, a line per finished segment in a pipe."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..storyboard.film.film import Progress
from .output import Output, takes_ansi
from .worker_lines import WorkerLines
from .wrapping import columns

WIDTH = 28


def printer(to: Output) -> Callable[[Progress], None]:
    """Return what prints progress on the error output.

    Args:
        to: how the command prints; nothing is shown with ``--json`` or ``--quiet``.
    """
    terminal = to.err.isatty()
    linked = terminal and os.environ.get("TERM") != "dumb" and takes_ansi(os.environ)
    width = 0

    def show(progress: Progress) -> None:
        nonlocal width
        if to.as_json or to.quiet:
            return
        if progress.finished is not None:
            if terminal:
                progress = replace(progress, finished=_from_here(progress.finished))
            # Where all workers have lines, what is left stands below these.
            text = line(replace(progress, left=0) if isinstance(to.err, WorkerLines) else progress)
            link = f"  {_link(progress.sheet)}" if linked and progress.sheet is not None else ""
            if link and len(text) + len("  contact sheet") > (columns(to.err) or 1000):
                link = f"\n{link}"
            print(f"\r{text:<{width}}{link}" if width else f"{text}{link}", file=to.err, flush=True)
            width = 0
            if isinstance(to.err, WorkerLines):
                to.err.drop(progress.worker, _whole(progress))
        elif isinstance(to.err, WorkerLines):
            to.err.show(progress.worker, line(replace(progress, seconds=None, pace=None)), _whole(progress))
        elif terminal:
            text = line(progress)
            print(f"\r{text:<{width}}", end="", file=to.err, flush=True)
            width = len(text)

    return show


def _whole(progress: Progress) -> str:
    """How much of everything is left, empty when nothing is."""
    if not progress.left:
        return ""
    clips = f"{progress.left} clip{'s' * (progress.left > 1)} to make"
    return clips if progress.eta is None else f"{clips}, about {span(progress.eta)} left"


def _from_here(path: Path) -> Path:
    """The path as a person in this folder would write it, because a whole one rarely fits a line."""
    with contextlib.suppress(ValueError, OSError):
        return path.relative_to(Path.cwd())
    return path


def _link(sheet: Path) -> str:
    """The contact sheet's name as a link that a terminal opens (OSC 8); one that knows no links shows the name."""
    from rich.console import Console
    from rich.text import Text

    console = Console(force_terminal=True, legacy_windows=False, color_system="standard", no_color=True, width=1000)
    with console.capture() as captured:
        console.print(Text("contact sheet", style=f"link {sheet.absolute().as_uri()}"), end="")
    return captured.get()


def publishing(to: Output) -> Callable[[int, int], None]:
    """Return what shows how many frames of a video are written: a bar on a terminal, tenths in a pipe.

    Args:
        to: how the command prints; nothing is shown with ``--json`` or ``--quiet``.
    """
    terminal, began = to.err.isatty(), time.monotonic()
    shown = -1

    def show(done: int, total: int) -> None:
        nonlocal shown, began
        if to.as_json or to.quiet:
            return
        if done == 1:
            shown, began = -1, time.monotonic()
        percent = 100 * done // total
        if percent == shown or (not terminal and percent // 10 == shown // 10):
            return
        shown = percent
        left = (time.monotonic() - began) * (total - done) / max(done - 1, 1)
        if terminal:
            full = percent * WIDTH // 100
            text = f"writing the video [{'#' * full}{'.' * (WIDTH - full)}] {percent:3} %, {span(left)} left"
            print(f"\r{text:<72}", end="\n" if done == total else "", file=to.err, flush=True)
        else:
            print(f"writing the video: {percent} %", file=to.err, flush=True)

    return show


def line(progress: Progress) -> str:
    """Return progress in words."""
    take = f" take {progress.take}/{progress.takes}" if progress.takes > 1 else ""
    who = f"{progress.worker}: " if progress.worker else ""
    where = f"{who}segment {progress.segment}/{progress.segments}{take}"
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
