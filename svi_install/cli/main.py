"""One way in and one way out: every command line comes through `main`, every error ends there."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import signals
from ..errors import EXIT_DONE, EXIT_INTERRUPTED, SviError
from ..report import deliver, output
from ..report.command_names import SUBCOMMANDS
from ..report.result import Result

_STATUS_OPTIONS = {"--status", "--json", "--quiet", "-q"}


def main(arguments: Sequence[str], *, stopped: bool = False) -> int:
    """Run one command and print its result or its error.

    Args:
        stopped: the person pressed Ctrl-C before this could begin.

    Returns:
        The exit code of the process.
    """
    for stream in (sys.stdout, sys.stderr):
        # A console without the characters of a path must not end in a crash.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    options = arguments[: list(arguments).index("--")] if "--" in arguments else arguments
    quiet = "--quiet" in options or any(re.fullmatch("-[hy]*q[hqy]*", word) for word in options)
    to = output.of_process(as_json="--json" in options, quiet=quiet)
    outcome = _outcome(arguments, to, stopped)
    code = EXIT_DONE if isinstance(outcome, str) else outcome.exit_code
    signals.decided(code)
    if isinstance(outcome, SviError) and os.environ.get("SVI_INSTALL_DEBUG"):
        import traceback

        traceback.print_exception(outcome, file=to.err)
    try:
        return deliver.deliver(outcome, _name(options), to)
    except Exception as unknown:  # noqa: BLE001 - a bug in the printing changes nothing in what was done
        from .crash_report import explain

        failed = deliver.deliver(explain(unknown, list(arguments)), _name(options), to)
        return code if isinstance(outcome, Result) and not outcome.only_says else code or failed


def _outcome(arguments: Sequence[str], to: output.Output, stopped: bool) -> Result | SviError | str:
    try:
        with signals.heard():
            if stopped:
                raise KeyboardInterrupt
            return _run(arguments, to)
    except KeyboardInterrupt:
        return SviError("interrupted", "Stopped. Nothing was left half done.", "", signals.exit_code())
    except SviError as known:
        if known.exit_code == EXIT_INTERRUPTED:
            known.exit_code = signals.exit_code()
        return known
    except Exception as unknown:  # noqa: BLE001 - the one place where a bug becomes a few plain lines
        from .crash_report import explain

        return explain(unknown, list(arguments))


def _run(arguments: Sequence[str], to: output.Output) -> Result | str:
    paths = plain_status(arguments)
    if paths is None:
        from .app import run

        return run(arguments, to)
    from .dispatch import status

    return status(Path(paths[0]) if paths else None, to)


def plain_status(arguments: Sequence[str]) -> list[str] | None:
    """Recognise a plain question for the status, which scripts and prompts ask often: it need not wait for click.

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
