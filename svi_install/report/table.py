"""The table on a terminal; imported only where one is shown, because rich takes time to import."""

from __future__ import annotations

import io
import os
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .output import Output, printable, spoken, takes_ansi
from .result import Result
from .text import describe, rows
from .wrapping import wrapped


def rich_text(result: Result, to: Output) -> str:
    """Return a result with a table, as a terminal takes it.

    Args:
        to: where and how it will be printed. Rich itself would end the process when nobody reads.
    """
    text = io.StringIO()
    show_rich(result, to, Console(file=text, force_terminal=takes_ansi(os.environ), **_quiet(to)))
    return text.getvalue()


def show_rich(result: Result, to: Output, console: Console) -> None:
    """Print a result with a table."""
    console.print(Text(printable(result.headline), style="bold yellow" if result.todo else "bold green"))
    if result.checkout is not None:
        console.print(Text.assemble(("  folder  ", "dim"), printable(str(result.checkout.root))), soft_wrap=True)
        console.print(Text.assemble(("  kind    ", "dim"), printable(describe(result.checkout))), soft_wrap=True)
    table = Table(box=box.ROUNDED if _draws(to) else box.ASCII, header_style="bold", border_style="dim")
    # No word of a file's name is broken; a dry run names more files than fit, so its last column may be.
    table.add_column("File", no_wrap=True, overflow="fold")
    table.add_column("Change", no_wrap=True)
    table.add_column("Hooks and their lines" if result.hooks else "Files", overflow="fold")
    for row in rows(result):
        table.add_row(Text(printable(row.path)), Text(row.change, style="green"), Text(printable(row.details)))
    console.print(table)
    words = [("", "", note) for note in result.notes]
    words += [("Left to do: ", "bold yellow", task) for task in result.todo]
    words += [("Next: ", "bold", result.next_command)] if result.next_command else []
    for name, style, text in words:
        for line in wrapped([f"{name}{printable(spoken(text, to))}"], console.width, to.program):
            shown = Text(line)
            if line.startswith(name):
                shown.stylize(style, 0, len(name))
            # A command that is longer than the terminal is broken by the terminal, and can be copied whole.
            console.print(shown, soft_wrap=True)


def _quiet(to: Output) -> dict[str, Any]:
    return {"no_color": not to.color, "highlight": False, "emoji": False, "markup": False}


def _draws(to: Output) -> bool:
    """Tell whether the stream's encoding has box-drawing characters."""
    try:
        "\u256d\u2500\u2502".encode(getattr(to.out, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
