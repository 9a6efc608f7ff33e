"""Shows how far a command has come that counts what it does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import click

from ..report.output import Output, say

Progress = Callable[[str, int, int], None]


@contextlib.contextmanager
def progress() -> Iterator[Progress]:
    """Show how far a command has come: a bar in a terminal, a line per step in a log, nothing for a program."""
    to = click.get_current_context().find_object(Output)
    if to is None or to.as_json or to.quiet:
        yield lambda what, done, total: None
    elif not to.err.isatty():
        told: list[str] = []

        def tell(what: str, done: int, total: int) -> None:
            if what not in told:
                told.append(what)
                say(f"{what} ...", to)

        yield tell
    else:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bar(*columns, console=Console(file=to.err, no_color=not to.color), transient=True) as bar:
            task = bar.add_task("Reading", total=None)
            yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total or None)
