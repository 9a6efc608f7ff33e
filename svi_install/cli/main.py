"""One way in and one way out: every command line comes through `main`, every error ends there."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import signals
from ..errors import EXIT_DONE, EXIT_INTERRUPTED, SviError
from ..report import deliver, output
from ..report.command_names import SUBCOMMANDS
from ..report.result import Result

# Plain command lines of the three main commands; `app` has all others, the help, and what is said of a mistake.
_PRINTING = {"--json", "--quiet", "-q"}
_CHANGING = {*_PRINTING, "--yes", "-y", "--dry-run"}
_PLAIN = {"status": _PRINTING, "revert": {*_CHANGING, "--loras"}, "install": {*_CHANGING, "--no-lora"}}


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
    quiet = "--quiet" in options or any(
        word[:1] == "-" and "q" in word and set(word[1:]) <= set("hqy") for word in options
    )
    to = output.of_process(as_json="--json" in options, quiet=quiet)
    outcome = _outcome(arguments, to, stopped)
    if isinstance(outcome, int):
        signals.decided(outcome)
        return outcome
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


def _outcome(arguments: Sequence[str], to: output.Output, stopped: bool) -> Result | SviError | str | int:
    try:
        if not (arguments or stopped) and _sits_there(to):
            from . import menu

            return menu.run(to, main)
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


def _sits_there(to: output.Output) -> bool:
    """Tell whether somebody sits at a terminal: then nothing given means the menu."""
    from .prompts import interactive

    return interactive(to) and to.out.isatty()


def _run(arguments: Sequence[str], to: output.Output) -> Result | str:
    plain = plain_command(arguments)
    if plain is None:
        from .app import run

        gc.enable()
        return run(arguments, to)
    from . import dispatch

    command, path, options = plain
    dry_run = "--dry-run" in options
    if command == "status":
        return dispatch.status(path, to, online=False)
    if command == "revert":
        return dispatch.revert(path, dry_run, to, loras="--loras" in options)
    return dispatch.install(path, dry_run, to, lora="--no-lora" not in options, yes=bool({"--yes", "-y"} & options))


def plain_command(arguments: Sequence[str]) -> tuple[str, Path | None, set[str]] | None:
    """Recognise a plain command line, which need not wait for click: scripts and prompts ask often.

    Returns:
        Which of the three main commands, its path and its options; None when click has to read the command line.
    """
    options = {word for word in arguments if word.startswith("-")}
    words = [word for word in arguments if not word.startswith("-")]
    command = words.pop(0) if words and words[0] in SUBCOMMANDS else "install"
    if command == "install":
        for mode in ("status", "revert"):
            if f"--{mode}" in options:
                command = mode
                options.remove(f"--{mode}")
                break
    if len(words) > 1 or command not in _PLAIN or not options <= _PLAIN[command]:
        return None
    return command, Path(words[0]) if words else None, options


def _name(options: Sequence[str]) -> str:
    word = next((word for word in options if not word.startswith("-")), "")
    if word in SUBCOMMANDS:
        return word
    return next((mode for mode in ("revert", "status") if f"--{mode}" in options), "install")
