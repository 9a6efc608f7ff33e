"""The only printer: a result becomes a table on a terminal, plain text in a pipe, or one JSON object."""

from __future__ import annotations

import json
from typing import Any

from .checkout import Checkout
from .errors import SviError
from .output import Output, paint, spoken
from .report_plain import plain_lines
from .result import SCHEMA, Result


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
        # Byte for byte, so that `git apply` and `patch` take it on files with CRLF line ends.
        to.out.flush()
        buffer.write(diff.encode("utf-8", "surrogateescape"))
        buffer.flush()
        return
    styles = {"+": "green", "-": "red", "@": "cyan", "d": "bold"}
    for line in diff.encode("utf-8", "surrogateescape").decode("utf-8", "replace").splitlines():
        style = styles.get(line[:1])
        print(paint(line, style, to.color) if style else line, file=to.out)
