"""A result as plain lines, and the rows that a table of it has."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import NamedTuple

from ..checkout.inspection import Checkout
from .output import paint, printable
from .result import Result

_NEWLINES = {"lf": "LF line endings", "crlf": "CRLF line endings", "mixed": "mixed line endings"}
_ATTENTION = {"outdated", "wiped", "partial", "edited", "foreign", "unsupported"}


class Row(NamedTuple):
    """One line of the table: a file or a folder, what happens to it, and details."""

    path: str
    change: str
    details: str


def rows(result: Result) -> list[Row]:
    """Sum a result up in the lines of a table.

    Returns:
        One row per file of WanGP's own, with its hooks; one row per folder for the files that are added or removed,
        with their names in a dry run.
    """
    own: dict[str, Row] = {}
    folders: dict[tuple[str, str], list[str]] = {}
    for change in result.changes:
        verb = _verb(result, change.before, change.after)
        if change.before is not None and change.after is not None:
            own[change.path] = Row(change.path, verb, "")
        else:
            folders.setdefault((PurePosixPath(change.path).parent.as_posix(), verb), []).append(change.path)
    hooks: dict[str, list[str]] = {}
    for hook in result.hooks:
        moved = f" ({hook.how})" if hook.how == "reduced" else ""
        hooks.setdefault(hook.path, []).append(f"{hook.hook} {hook.line}{moved}")
    for path, places in hooks.items():
        own[path] = Row(path, own[path].change if path in own else "", ", ".join(places))
    return [
        *own.values(),
        *(
            Row(f"{folder}/", verb, _counted(names, named=result.status == "planned"))
            for (folder, verb), names in folders.items()
        ),
    ]


def _counted(paths: list[str], *, named: bool) -> str:
    count = f"{len(paths)} file{'s' if len(paths) > 1 else ''}"
    return f"{count}: {', '.join(PurePosixPath(path).name for path in paths)}" if named else count


def _verb(result: Result, before: str | None, after: str | None) -> str:
    planned = result.status == "planned"
    if before is None:
        return "would be added" if planned else "added"
    if after is None:
        return "would be removed" if planned else "removed"
    done = "restored" if result.command == "revert" else "changed"
    return f"would be {done}" if planned else done


def describe(checkout: Checkout) -> str:
    """Say in one line what kind of checkout it is."""
    parts = [{"git": "git clone", "zip": "unpacked zip", "pinokio": "Pinokio"}[checkout.kind]]
    if checkout.branch:
        parts.append(f"branch {checkout.branch}")
    if checkout.commit:
        parts.append(f"commit {checkout.commit[:10]}")
    parts.append(_NEWLINES[checkout.newline])
    return ", ".join(parts)


def plain_lines(result: Result, *, color: bool = False) -> list[str]:
    """Render a result as plain lines.

    Returns:
        The lines, without line ends.
    """
    tone = "yellow" if result.todo or result.exit_code or result.state in _ATTENTION else "green"
    lines = [paint(printable(result.headline), tone, color)]
    for line in result.body:
        pieces = ((printable(text), style) for text, style in line)
        lines.append("".join(paint(text, style, color) if style else text for text, style in pieces))
    if result.checkout is not None:
        lines.append(f"  folder  {printable(str(result.checkout.root))}")
        lines.append(f"  kind    {printable(describe(result.checkout))}")
    table = [Row(*map(printable, row)) for row in rows(result)]
    if table:
        first = max(len(row.path) for row in table)
        second = max(len(row.change) for row in table)
        lines.append("")
        gap = "  " if second else ""
        lines += [f"  {row.path:{first}}  {row.change:{second}}{gap}{row.details}".rstrip() for row in table]
    if result.notes or result.todo or result.next_command:
        lines.append("")
    lines += [f"  {printable(note)}" for note in result.notes]
    lines += [f"{paint('Left to do:', 'yellow', color)} {printable(task)}" for task in result.todo]
    if result.next_command:
        lines.append(f"{paint('Next:', 'bold', color)} {printable(result.next_command)}")
    return lines
