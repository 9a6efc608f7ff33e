"""One way in and one way out: every command line comes through `main`, every error ends there."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from . import output, report
from .errors import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, SviError
from .names import SUBCOMMANDS
from .result import Result

_STATUS_OPTIONS = {"--status", "--json", "--quiet", "-q"}


def main(arguments: Sequence[str]) -> int:
    """Run one command and print its result or its error.

    Args:
        arguments: without the program's name.

    Returns:
        The exit code of the process.
    """
    for stream in (sys.stdout, sys.stderr):
        # A console without the characters of a path must not end in a crash.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    options = arguments[: list(arguments).index("--")] if "--" in arguments else arguments
    to = output.of_process(as_json="--json" in options, quiet="--quiet" in options or "-q" in options)
    try:
        result = _run(arguments, to)
        if result is None:
            return EXIT_DONE
        report.show(result, to)
        return result.exit_code
    except KeyboardInterrupt:
        error = SviError("interrupted", "Stopped. Nothing half done stays.", "", EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader of the pipe has seen enough; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except SviError as known:
        error = known
    except Exception as unknown:  # noqa: BLE001 - the one place where a bug becomes a few plain lines
        from .crash_report import explain

        error = explain(unknown, list(arguments))
    if os.environ.get("SVI_INSTALL_DEBUG"):
        import traceback

        traceback.print_exception(error)
    report.show_error(error, _name(options), to)
    return error.exit_code


def _run(arguments: Sequence[str], to: output.Output) -> Result | None:
    paths = plain_status(arguments)
    if paths is None:
        from .cli import run

        return run(arguments, to)
    from .actions import status

    return status(Path(paths[0]) if paths else None, to)


def plain_status(arguments: Sequence[str]) -> list[str] | None:
    """Recognise a plain question for the status, which scripts and prompts ask often: it need not wait for click.

    Args:
        arguments: without the program's name.

    Returns:
        The path, if any, in a list; None when click has to read the command line.
    """
    words = [word for word in arguments if not word.startswith("-")]
    if not {word for word in arguments if word.startswith("-")} <= _STATUS_OPTIONS:
        return None
    if words[:1] == ["status"] and "--status" not in arguments:
        words = words[1:]
    elif "--status" not in arguments or (words[:1] and words[0] in SUBCOMMANDS):
        return None
    return words if len(words) <= 1 else None


def _name(options: Sequence[str]) -> str:
    word = next((word for word in options if not word.startswith("-")), "")
    if word in SUBCOMMANDS:
        return word
    return next((mode for mode in ("revert", "status") if f"--{mode}" in options), "install")
