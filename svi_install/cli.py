"""The command line: options in, one call, report out. Errors of every kind end in `main`, nowhere else."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from . import __version__, report
from .errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_NO_CHECKOUT, EXIT_USAGE, SviError
from .locate import locate, surroundings
from .result import Result

F = TypeVar("F", bound=Callable[..., Any])

# One line each, so that --help need not import the commands.
SUBCOMMANDS = {
    "install": "Add SVI to WanGP; what svi-install does without a command.",
    "revert": "Take SVI out again, byte for byte; the same as --revert.",
    "status": "Say what is installed and what to do next; the same as --status.",
}
EPILOG = """\b
Exit codes:
  0    done, or nothing to do
  1    failed; nothing was changed
  2    the command line was wrong
  3    no WanGP folder was found, or several and none was chosen
  4    this WanGP cannot be patched safely; nothing was changed
  5    a download failed; the installation itself is untouched
  130  stopped with Ctrl-C; nothing half done stays

\b
PATH is WanGP's folder or anything in it. Without PATH: WANGP_HOME, the current
folder and its parents, folders beside it, then the usual places.
A folder that is named like a command: ./status
"""


class DefaultGroup(click.Group):
    """Runs ``install`` when the first word is no command; the other commands are imported only when asked for."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command first: options may stand before it, and without a command ``install`` is meant."""
        before = args[: args.index("--")] if "--" in args else args
        word = next((arg for arg in before if not arg.startswith("-")), None)
        if word in SUBCOMMANDS and "--version" not in before:
            args = [word, *args[: args.index(word)], *args[args.index(word) + 1 :]]
        elif "--version" in before:
            args = ["--version"]
        elif not (before and before[0] in {"--help", "-h"}):
            args = ["install", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by name, importing it if it is not one of the three main ones."""
        return super().get_command(ctx, cmd_name)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the usage of the main command."""
        formatter.write_usage(ctx.command_path, "[PATH] [OPTIONS]")
        formatter.write_usage(ctx.command_path, "COMMAND ...", prefix="       ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of the main command, then the commands."""
        options = [param for param in (*install.params, *self.get_params(ctx)) if isinstance(param, click.Option)]
        records = [record for option in options if (record := option.get_help_record(ctx)) is not None]
        with formatter.section("Options"):
            formatter.write_dl(list(dict.fromkeys(records)))
        with formatter.section("Commands"):
            formatter.write_dl(list(SUBCOMMANDS.items()))


@click.group(
    cls=DefaultGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="svi-install %(version)s")
def commands() -> None:
    """Add SVI, endless video, to any WanGP from 9.0 on, and take it back byte for byte."""


def path_argument(function: F) -> F:
    """Add the PATH argument that every command about one checkout has."""
    return click.argument("path", required=False, type=click.Path(path_type=Path))(function)


def output_options(function: F) -> F:
    """Add ``--json`` and ``--quiet``; `main` reads them, so that errors before the command obey them too."""
    for name, text in (
        (("--quiet", "-q"), "Print nothing but errors."),
        (("--json",), "Print one JSON object and nothing else."),
    ):
        function = click.option(*name, is_flag=True, expose_value=False, help=text)(function)
    return function


dry_run_option = click.option("--dry-run", is_flag=True, help="Print what would change as a diff; change nothing.")
yes_option = click.option("--yes", "-y", is_flag=True, help="Answer every question with yes.")


@commands.command()
@path_argument
@click.option("--revert", "mode", flag_value="revert", help="Take SVI out again, byte for byte.")
@click.option("--status", "mode", flag_value="status", help="Say what is installed; PATH may be a video made with SVI.")
@dry_run_option
@click.option("--no-lora", is_flag=True, help="Do not download SVI's LoRA; WanGP fetches it on first use.")
@yes_option
@output_options
def install(path: Path | None, mode: str | None, dry_run: bool, no_lora: bool, yes: bool) -> Result:
    """Add SVI to WanGP."""
    if mode == "status":
        if dry_run or no_lora:
            raise click.UsageError("--status cannot be combined with --dry-run or --no-lora.")
        return _status(path)
    if mode == "revert":
        if no_lora:
            raise click.UsageError("--revert cannot be combined with --no-lora.")
        return _revert(path, dry_run)
    return _install(path, dry_run, no_lora=no_lora, yes=yes)


@commands.command()
@path_argument
@dry_run_option
@yes_option
@output_options
def revert(path: Path | None, dry_run: bool, yes: bool) -> Result:
    """Take SVI out of WanGP again, byte for byte."""
    return _revert(path, dry_run)


@commands.command()
@path_argument
@output_options
def status(path: Path | None) -> Result:
    """Say what is installed and what to do next.

    PATH may be a video made with SVI: its settings are shown then.
    """
    return _status(path)


def _install(path: Path | None, dry_run: bool, *, no_lora: bool, yes: bool) -> Result:
    from .commands.install import install as run

    root = checkout_root(path)
    result = run(root, dry_run=dry_run)
    if dry_run or no_lora:
        return result
    from .commands.prefetch import add_loras
    from .progress_bar import download_progress

    to = _output()

    def agree(question: str) -> bool:
        report.say(result.headline, to)
        return yes or confirmed(question, to)

    return add_loras(result, root, agree=agree, progress=lambda: download_progress(to))


def _revert(path: Path | None, dry_run: bool) -> Result:
    from .commands.revert import revert as run

    return run(checkout_root(path), dry_run=dry_run)


def _status(path: Path | None) -> Result:
    if path is not None and path.suffix.lower() in {".mp4", ".mov", ".m4v"} and path.is_file():
        from .commands.video import video_status

        return video_status(path)
    from .commands.status import status as run

    return run(checkout_root(path))


def checkout_root(path: Path | None) -> Path:
    """Find the one checkout that a command is about, asking when there are several.

    Args:
        path: what the person gave, if anything.

    Returns:
        The folder that holds ``wgp.py``.

    Raises:
        SviError: none, or several and nobody to ask.
    """
    folders = locate(path, surroundings())
    to = _output()
    if len(folders) == 1:
        if path is None:
            report.say(f"Found WanGP in {folders[0]}", to)
        return folders[0]
    listing = "\n".join(f"  {number}  {folder}" for number, folder in enumerate(folders, 1))
    if not interactive(to):
        raise SviError(
            "several-checkouts",
            f"There are several WanGP folders. Nothing was changed. Found:\n{listing}",
            "Name the one you mean: svi-install PATH",
            EXIT_NO_CHECKOUT,
        )
    click.echo(f"There are several WanGP folders:\n{listing}", err=True)
    return folders[click.prompt("Which one", type=click.IntRange(1, len(folders)), err=True) - 1]


def interactive(to: report.Output) -> bool:
    """Tell whether there is a person who can answer a question."""
    return not (to.as_json or to.quiet) and sys.stdin.isatty() and sys.stderr.isatty()


def confirmed(text: str, to: report.Output) -> bool:
    """Ask a question whose usual answer is yes; without a person the answer is no."""
    return interactive(to) and click.confirm(text, default=True, err=True)


def _output() -> report.Output:
    found: report.Output | None = click.get_current_context().find_object(report.Output)
    return found or report.output(as_json=False, quiet=False)


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
    to = report.output(as_json="--json" in options, quiet="--quiet" in options or "-q" in options)
    name = next((arg for arg in options if arg in SUBCOMMANDS), _mode(options))
    try:
        outcome = commands.main(list(arguments), prog_name="svi-install", standalone_mode=False, obj=to)
        if isinstance(outcome, Result):
            report.show(outcome, to)
            return outcome.exit_code
        return int(outcome or 0)
    except click.UsageError as error:
        hint = f"{error.ctx.command_path} --help" if error.ctx is not None else "svi-install --help"
        return _fail(SviError("usage", error.format_message(), hint, EXIT_USAGE), name, to)
    except (click.Abort, KeyboardInterrupt):
        stopped = SviError("interrupted", "Stopped. Nothing half done stays.", "", EXIT_INTERRUPTED)
        return _fail(stopped, name, to)
    except BrokenPipeError:
        # The reader of the pipe has seen enough; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except SviError as error:
        return _fail(error, name, to)
    except Exception as error:  # noqa: BLE001 - the one place where a bug becomes a few plain lines
        from .crash_report import explain

        return _fail(explain(error, list(arguments)), name, to)


def _mode(options: Sequence[str]) -> str:
    return next((mode for mode in ("revert", "status") if f"--{mode}" in options), "install")


def _fail(error: SviError, name: str, to: report.Output) -> int:
    if os.environ.get("SVI_INSTALL_DEBUG"):
        import traceback

        traceback.print_exception(error)
    report.show_error(error, name, to)
    return error.exit_code
