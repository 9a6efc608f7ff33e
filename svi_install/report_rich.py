"""The table on a terminal; imported only where one is shown, because rich takes time to import."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .output import Output, spoken
from .report_plain import describe, rows
from .result import Result


def show_rich(result: Result, to: Output, console: Console | None = None) -> None:
    """Print a result with a table.

    Args:
        result: what a command returned.
        to: where and how.
        console: print to this console instead, such as one that records.
    """
    console = console or Console(
        file=to.out, force_terminal=True, no_color=not to.color, highlight=False, emoji=False, markup=False
    )
    console.print(Text(result.headline, style="bold yellow" if result.todo else "bold green"))
    if result.checkout is not None:
        console.print(Text.assemble(("  folder  ", "dim"), str(result.checkout.root)), soft_wrap=True)
        console.print(Text.assemble(("  kind    ", "dim"), describe(result.checkout)), soft_wrap=True)
    table = Table(box=box.ROUNDED if _draws(to) else box.ASCII, header_style="bold", border_style="dim")
    table.add_column("File", overflow="fold")
    table.add_column("Change", no_wrap=True)
    table.add_column("Hooks and their lines" if result.hooks else "Files", overflow="fold")
    for row in rows(result):
        table.add_row(Text(row.path), Text(row.change, style="green"), Text(row.details))
    console.print(table)
    for note in result.notes:
        console.print(Text(spoken(note, to)))
    for task in result.todo:
        console.print(Text.assemble(("Left to do: ", "bold yellow"), spoken(task, to)))
    if result.next_command:
        console.print(Text.assemble(("Next: ", "bold"), spoken(result.next_command, to)), soft_wrap=True)


def _draws(to: Output) -> bool:
    """Tell whether the stream's encoding has box-drawing characters."""
    try:
        "\u256d\u2500\u2502".encode(getattr(to.out, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
