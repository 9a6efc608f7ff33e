"""The only printer: a result becomes a table on a terminal, plain text in a pipe, or one JSON object."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from .checkout import Checkout
from .errors import SviError
from .names import SUBCOMMANDS
from .result import SCHEMA, Result

PROGRAM = "svi-install"
_NEWLINES = {"lf": "LF line ends", "crlf": "CRLF line ends", "mixed": "mixed line ends"}
_STYLES = {"bold": "1", "green": "32", "yellow": "33", "red": "31", "cyan": "36", "dim": "2"}


class Row(NamedTuple):
    """One line of the table: a file or a folder, what happens to it, and details."""

    path: str
    change: str
    details: str


class Output(NamedTuple):
    """Where and how to print.

    Args:
        out: stream for results.
        err: stream for errors and for what accompanies a diff.
        as_json: print one JSON object and nothing else.
        quiet: print nothing but errors and, in a dry run, the diff.
        color: use colors.
        rich: use a rich table.
        program: how the person starts this program.
    """

    out: IO[str]
    err: IO[str]
    as_json: bool = False
    quiet: bool = False
    color: bool = False
    rich: bool = False
    program: str = PROGRAM


def output(*, as_json: bool, quiet: bool, env: Mapping[str, str] = os.environ) -> Output:
    """Choose the way of printing for the real streams.

    Args:
        as_json: from ``--json``.
        quiet: from ``--quiet``.
        env: environment variables; ``NO_COLOR``, ``FORCE_COLOR`` and ``TERM`` count.

    Returns:
        How to print.
    """
    terminal = sys.stdout.isatty() and env.get("TERM") != "dumb"
    forced = bool(env.get("FORCE_COLOR"))
    color = (forced or (terminal and _takes_ansi(env))) and not env.get("NO_COLOR")
    return Output(sys.stdout, sys.stderr, as_json, quiet, color, terminal or forced, program(env))


def _takes_ansi(env: Mapping[str, str]) -> bool:
    """Tell whether a terminal understands ANSI colors; the old Windows console shows them as rubbish."""
    return sys.platform != "win32" or any(env.get(name) for name in ("WT_SESSION", "TERM_PROGRAM", "ANSICON", "TERM"))


def program(env: Mapping[str, str]) -> str:
    """Say how the person started this program, so that a proposed command works as it stands.

    Args:
        env: environment variables; the start scripts put their folder into ``SVI_INSTALL_SOURCE``.

    Returns:
        ``svi-install``, or the start script: short in the current folder, else with its path.
    """
    source = env.get("SVI_INSTALL_SOURCE")
    if not source:
        return PROGRAM
    script = "install.bat" if sys.platform == "win32" else "./install.sh"
    if Path(source) == Path.cwd():
        return script
    path = str(Path(source) / script)
    return f'"{path}"' if re.search(r"[^\w./\\:-]", path) else path


def spoken(text: str, to: Output) -> str:
    """Put the person's own way of starting this program into the commands that a text proposes."""
    if to.program == PROGRAM:
        return text
    # The name as the first word of a command, not as the name of the product in a sentence.
    proposed = rf"\bsvi-install (?=-|\"|/|[A-Za-z]:\\|PATH\b|(?:{'|'.join(SUBCOMMANDS)})\b)"
    return re.sub(proposed, lambda _: f"{to.program} ", text)


def as_dict(result: Result) -> dict[str, Any]:
    """Return the JSON object of a result; its keys are part of the interface."""
    return {
        "schema": SCHEMA,
        "command": result.command,
        "status": result.status,
        "checkout": _checkout_dict(result.checkout),
        "state": result.state or None,
        "changes": [
            {"path": change.path, "sha256_before": change.before, "sha256_after": change.after}
            for change in result.changes
        ],
        "hooks": [
            {"path": hook.path, "hook": hook.hook, "line": hook.line, "how": hook.how, "offset": hook.offset}
            for hook in result.hooks
        ],
        "notes": list(result.notes),
        "todo": list(result.todo),
        "next_command": result.next_command or None,
        **({"diff": result.diff} if result.status == "planned" else {}),
        **result.extra,
        "error": None,
    }


def _checkout_dict(checkout: Checkout | None) -> dict[str, Any] | None:
    if checkout is None:
        return None
    return {
        "root": str(checkout.root),
        "kind": checkout.kind,
        "version": checkout.version,
        "branch": checkout.branch,
        "commit": checkout.commit,
        "newline": checkout.newline,
    }


def error_dict(error: SviError, command: str) -> dict[str, Any]:
    """Return the JSON object of a failed command, with the keys that every object has."""
    return {
        "schema": SCHEMA,
        "command": command,
        "status": "failed",
        "checkout": None,
        "state": None,
        "changes": [],
        "error": {"code": error.code, "message": error.message, "hint": error.hint},
    }


def show(result: Result, to: Output) -> None:
    """Print a result.

    Args:
        result: what a command returned.
        to: where and how.
    """
    if to.as_json:
        print(json.dumps(as_dict(result)), file=to.out)
        return
    if result.status == "planned":
        _print_diff(result.diff, to)
        to = to._replace(out=to.err, rich=to.rich and to.err.isatty())
    if to.quiet:
        return
    # Status is asked often and must start fast, so it never waits for rich.
    if to.rich and result.command != "status" and result.changes:
        from .report_rich import show_rich

        show_rich(result, to)
        return
    print("\n".join(spoken(line, to) for line in plain_lines(result, color=to.color)), file=to.out)


def show_error(error: SviError, command: str, to: Output) -> None:
    """Print a failure: JSON on the standard output, or a few plain lines on the error output."""
    if to.as_json:
        print(json.dumps(error_dict(error, command)), file=to.out)
        return
    color = to.color and to.err.isatty()
    print(f"{paint('svi-install:', 'red', color)} {error.message}", file=to.err)
    if error.hint:
        print(f"{paint('Next:', 'bold', color)} {spoken(error.hint, to)}", file=to.err)


def say(text: str, to: Output) -> None:
    """Print one line for a person while a command runs; nothing with ``--json`` or ``--quiet``."""
    if not (to.as_json or to.quiet):
        print(text, file=to.err, flush=True)


def rows(result: Result) -> list[Row]:
    """Sum a result up in the lines of a table.

    Args:
        result: what a command returned.

    Returns:
        One row per file of WanGP's own, with its hooks; one row per folder for the files that are added or removed.
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
            Row(f"{folder}/", verb, f"{len(names)} file{'s' if len(names) > 1 else ''}")
            for (folder, verb), names in folders.items()
        ),
    ]


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

    Args:
        result: what a command returned.
        color: add ANSI colors.

    Returns:
        The lines, without line ends.
    """
    tone = "yellow" if result.todo or result.exit_code or result.state in _ATTENTION else "green"
    lines = [paint(result.headline, tone, color)]
    lines += ["".join(paint(text, style, color) if style else text for text, style in line) for line in result.body]
    if result.checkout is not None:
        lines += [f"  folder  {result.checkout.root}", f"  kind    {describe(result.checkout)}"]
    table = rows(result)
    if table:
        first = max(len(row.path) for row in table)
        second = max(len(row.change) for row in table)
        lines.append("")
        gap = "  " if second else ""
        lines += [f"  {row.path:{first}}  {row.change:{second}}{gap}{row.details}".rstrip() for row in table]
    if result.notes or result.todo or result.next_command:
        lines.append("")
    lines += [f"  {note}" for note in result.notes]
    lines += [f"{paint('Left to do:', 'yellow', color)} {task}" for task in result.todo]
    if result.next_command:
        lines.append(f"{paint('Next:', 'bold', color)} {result.next_command}")
    return lines


_ATTENTION = {"outdated", "wiped", "partial", "edited", "foreign", "unsupported"}


def paint(text: str, style: str, color: bool) -> str:
    """Wrap text in the ANSI codes of a style, or return it as it is."""
    return f"\033[{_STYLES[style]}m{text}\033[0m" if color else text


def _print_diff(diff: str, to: Output) -> None:
    buffer = getattr(to.out, "buffer", None)
    if buffer is not None and not to.out.isatty():
        # Byte for byte, so that `git apply` and `patch` take it on files with CRLF line ends.
        to.out.flush()
        buffer.write(diff.encode("utf-8", "surrogateescape"))
        buffer.flush()
        return
    styles = {"+": "green", "-": "red", "@": "cyan", "d": "bold"}
    for line in diff.encode("utf-8", "surrogateescape").decode("utf-8", "replace").splitlines():
        style = styles.get(line[:1])
        print(paint(line, style, to.color) if style else line, file=to.out)
