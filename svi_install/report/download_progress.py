"""Shows how a download goes: a bar on a terminal, now and then a line in a pipe."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..loras.transfer.progress import Progress, Report, human_size, no_report
from .output import Output

_STEP = 10


@contextlib.contextmanager
def download_progress(to: Output) -> Iterator[Report]:
    """Show progress on the error output while the block runs."""
    if to.as_json or to.quiet:
        yield no_report
    elif to.err.isatty() and to.rich:
        with _bar(to) as report:
            yield report
    else:
        yield lines(to)


def lines(to: Output) -> Report:
    """Return a report that prints a line whenever another tenth has arrived, when a file is checked, and every note."""
    shown: dict[str, int] = {}
    checked: set[str] = set()

    def report(progress: Progress) -> None:
        if progress.note:
            print(f"  {progress.filename}: {progress.note}", file=to.err, flush=True)
        if progress.phase == "hash" and progress.filename not in checked:
            checked.add(progress.filename)
            print(f"  {progress.filename}: checking the file on disk", file=to.err, flush=True)
        if progress.phase != "download" or not progress.total:
            return
        percent = 100 * progress.done // progress.total // _STEP * _STEP
        if percent > shown.get(progress.filename, -1):
            shown[progress.filename] = percent
            print(f"  {progress.filename}: {percent} % of {human_size(progress.total)}", file=to.err, flush=True)

    return report


def amount(progress: Progress) -> str:
    """Say how much of a file is there."""
    if progress.total is None:
        return human_size(progress.done) if progress.done else ""
    return f"{human_size(progress.done)} of {human_size(progress.total)}"


def speed(progress: Progress) -> str:
    """Say how fast a download is and how long it will take."""
    if progress.phase != "download" or progress.rate < 1:
        return ""
    text = f"{human_size(int(progress.rate))}/s"
    if progress.eta is None:
        return text
    minutes, seconds = divmod(int(progress.eta), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{text}  {hours}:{minutes:02}:{seconds:02} left" if hours else f"{text}  {minutes}:{seconds:02} left"


_WORDS = {"resolve": "looking it up", "wait": "waiting", "hash": "checking", "copy": "copying", "retry": "trying again"}


@contextlib.contextmanager
def _bar(to: Output) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskID, TextColumn
    from rich.progress import Progress as Bars

    console = Console(file=to.err, no_color=not to.color, highlight=False, emoji=False, markup=False)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        # Rich's own column counts a GB as 1000 MB, Windows and the rest of this program do not.
        TextColumn("{task.fields[amount]}", markup=False),
        # Rich would count what an earlier run has left as arrived within this second.
        TextColumn("{task.fields[speed]}", markup=False),
    )
    with Bars(*columns, console=console, expand=True, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def report(progress: Progress) -> None:
            if progress.note:
                console.print(f"{progress.filename}: {progress.note}")
            words = _WORDS.get(progress.phase, "")
            label = f"{progress.name} ({words})" if words else progress.name
            if progress.filename not in tasks:
                tasks[progress.filename] = bars.add_task(label, total=progress.total, amount="", speed="")
            bars.update(
                tasks[progress.filename],
                description=label,
                completed=progress.done,
                total=progress.total,
                amount=amount(progress),
                speed=speed(progress),
            )

        yield report
