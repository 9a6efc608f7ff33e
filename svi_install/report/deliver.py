"""The only printer: a result becomes a table on a terminal, plain text in a pipe, or one JSON object."""

from __future__ import annotations

import errno
import json
import sys
from typing import Any

from ..checkout.inspection import Checkout
from ..errors import EXIT_DONE, EXIT_FAILED, SviError
from .output import Output, give_up, paint, printable, spoken
from .result import SCHEMA, Result
from .text import plain_lines
from .wrapping import columns, wrapped


def deliver(outcome: Result | SviError | str, command: str, to: Output) -> int:
    """Print how a command ended; what was done decides the exit code, not whether it could be printed.

    Args:
        outcome: a result, an error, or a text such as the help.
        to: where and how. What cannot be printed there goes to the error output.

    Returns:
        The exit code of the process.
    """
    try:
        if isinstance(outcome, SviError):
            show_error(outcome, command, to)
        elif isinstance(outcome, Result):
            show(outcome, to)
        else:
            to.out.write(outcome)
        to.out.flush()
    except OSError as failure:
        give_up(to.out)
        return _instead(outcome, command, to._replace(out=to.err, rich=False, color=False), failure)
    return EXIT_DONE if isinstance(outcome, str) else outcome.exit_code


def _instead(outcome: Result | SviError | str, command: str, to: Output, failure: OSError) -> int:
    """Say on the error output what could not be said on the standard output."""
    why = f"The standard output cannot be written ({failure.strerror or failure})"
    if isinstance(outcome, SviError):
        show_error(outcome, command, to)
        return outcome.exit_code
    if isinstance(outcome, Result) and not outcome.only_says:
        show(outcome._replace(notes=(*outcome.notes, f"{why}, so the message is here instead.")), to)
        return outcome.exit_code
    # A reader that has left has seen enough; a program that wants JSON gets it all the same.
    if to.as_json or not _reader_left(failure):
        answer = SviError("not-printed", f"{why}, so there is no answer. Nothing was changed.", "Check where it goes.")
        show_error(answer, command, to)
    return EXIT_FAILED


def _reader_left(failure: OSError) -> bool:
    # Windows says "invalid argument" of a pipe that nobody reads.
    return isinstance(failure, BrokenPipeError) or (sys.platform == "win32" and failure.errno == errno.EINVAL)


def show(result: Result, to: Output) -> None:
    """Print a result.

    Raises:
        OSError: the stream cannot be written.
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
        from .table import rich_text

        to.out.write(rich_text(result, to))
        return
    lines = (spoken(line, to) for line in plain_lines(result, color=to.color))
    print("\n".join(wrapped(lines, columns(to.out), to.program)), file=to.out)


def show_error(error: SviError, command: str, to: Output) -> None:
    """Print a failure: JSON on the standard output, or a few plain lines on the error output."""
    if to.as_json:
        print(json.dumps(error_dict(error, command)), file=to.out)
        return
    color = to.color and to.err.isatty()
    lines = f"{paint('svi-install:', 'red', color)} {printable(error.message)}".split("\n")
    if error.hint:
        lines += f"{paint('Next:', 'bold', color)} {printable(spoken(error.hint, to))}".split("\n")
    print("\n".join(wrapped(lines, columns(to.err), to.program)), file=to.err)


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


def _print_diff(diff: str, to: Output) -> None:
    buffer = getattr(to.out, "buffer", None)
    if buffer is not None and not to.out.isatty():
        # Byte for byte, so that `git apply` and `patch` take it on files with CRLF line endings.
        to.out.flush()
        buffer.write(diff.encode("utf-8", "surrogateescape"))
        buffer.flush()
        return
    styles = {"+": "green", "-": "red", "@": "cyan", "d": "bold"}
    for line in diff.encode("utf-8", "surrogateescape").decode("utf-8", "replace").splitlines():
        style, shown = styles.get(line[:1]), printable(line)
        print(paint(shown, style, to.color) if style else shown, file=to.out)
