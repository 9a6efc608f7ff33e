"""The command line as click sees it: options in, one call, a result out. `main` calls this and prints."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import click

from .. import __version__
from ..errors import EXIT_USAGE, SviError
from ..report.command_names import ELSEWHERE, SUBCOMMANDS
from ..report.output import Output
from ..report.result import Result
from . import dispatch
from .spelling import closest

F = TypeVar("F", bound=Callable[..., Any])

EPILOG = """\b
Exit codes:
  0    done, or nothing to do
  1    failed; nothing was changed, or the message says what was
  2    the command line was wrong
  3    no WanGP folder was found, or several and none was chosen
  4    this WanGP cannot be patched safely; nothing was changed
  5    a download failed; the installation itself is untouched
  130  stopped with Ctrl-C (143: by another program); nothing is left half done

\b
PATH is WanGP's folder or anything inside it. Without PATH: WANGP_HOME, the current
folder and its parents, folders beside it, then the usual places.
With nothing at all, in a terminal: a menu.
For a folder with the name of a command, write ./status
"""


class DefaultGroup(click.Group):
    """Runs ``install`` when the first word is no command; the other commands are imported only when asked for."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command first: options may stand before it, and without a command ``install`` is meant."""
        before = args[: args.index("--")] if "--" in args else args
        at = self._place_of_command(ctx, before)
        if at is not None and "--version" not in before:
            args = [args[at], *args[:at], *args[at + 1 :]]
        elif "--version" in before:
            args = ["--version"]
        elif not (before and before[0] in {"--help", "-h"}):
            args = ["install", *args]
        return super().parse_args(ctx, args)

    def _place_of_command(self, ctx: click.Context, args: list[str]) -> int | None:
        """Say where the command stands: the first word that is no option and no value of one that stands before it."""
        words = [number for number, arg in enumerate(args) if not arg.startswith("-")]
        for position, number in enumerate(words):
            if args[number] not in SUBCOMMANDS:
                if number and args[number - 1].startswith("-"):
                    continue  # perhaps a value; the command that follows knows
                return None
            earlier = words[:position]
            if not earlier:
                return number
            command = self.get_command(ctx, args[number])
            taking = {
                name
                for option in (command.params if command else ())
                if isinstance(option, click.Option) and not option.is_flag
                for name in option.opts
            }
            return number if all(args[value - 1] in taking for value in earlier) else None
        return None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by name, importing it if it is not one of the three main ones."""
        if cmd_name in ELSEWHERE:
            module = import_module(f"{__package__}.{ELSEWHERE[cmd_name]}")
            command: click.Command = getattr(module, cmd_name.replace("-", "_"))
            return command
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


dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Print the diff of WanGP's own files and list the others; change nothing."
)
online_option = click.option("--online", is_flag=True, help="Read what the project's page says of this WanGP, too.")
yes_option = click.option("--yes", "-y", is_flag=True, help="Answer every question with yes.")


@commands.command()
@path_argument
@click.option("--revert", "mode", flag_value="revert", help="Take SVI out again, byte for byte.")
@click.option("--status", "mode", flag_value="status", help="Say what is installed; PATH may be a video made with SVI.")
@dry_run_option
@click.option("--no-lora", is_flag=True, help="Do not download SVI's LoRA; WanGP fetches it on first use.")
@click.option("--loras", is_flag=True, help="With --revert: delete SVI's LoRAs too; otherwise they stay.")
@click.option("--plugin", is_flag=True, help="Add SVI as a plugin; none of WanGP's own files is changed.")
@yes_option
@output_options
def install(path: Path | None, *, mode: str | None, plugin: bool, loras: bool, **options: bool) -> Result:
    """Add SVI to WanGP."""
    dry_run, no_lora, yes = (options[name] for name in ("dry_run", "no_lora", "yes"))
    if plugin and mode:
        raise click.UsageError(f"--plugin cannot be combined with --{mode}, which is about both ways.")
    if loras and mode != "revert":
        raise click.UsageError("--loras can only be used with --revert.")
    if mode == "status":
        if dry_run or no_lora:
            raise click.UsageError("--status cannot be combined with --dry-run or --no-lora.")
        return dispatch.status(path, _output(), online=False)
    if mode == "revert":
        if no_lora:
            raise click.UsageError("--revert cannot be combined with --no-lora.")
        return dispatch.revert(path, dry_run, _output(), loras=loras)
    if plugin:
        return dispatch.install(path, dry_run, _output(), lora=not no_lora, yes=yes, plugin=True)
    return dispatch.install(path, dry_run, _output(), lora=not no_lora, yes=yes)


@commands.command()
@path_argument
@dry_run_option
@click.option("--loras", is_flag=True, help="Delete SVI's LoRAs too; otherwise they stay.")
@yes_option
@output_options
def revert(path: Path | None, *, dry_run: bool, loras: bool, yes: bool) -> Result:
    """Take SVI out of WanGP again, byte for byte."""
    return dispatch.revert(path, dry_run, _output(), loras=loras)


@commands.command()
@path_argument
@online_option
@output_options
def status(path: Path | None, *, online: bool) -> Result:
    """Say what is installed and what to do next.

    PATH may be a video made with SVI: its settings are shown then.
    """
    return dispatch.status(path, _output(), online=online)


def _output() -> Output:
    to: Output = click.get_current_context().obj
    return to


def run(arguments: Sequence[str], to: Output) -> Result | str:
    """Run the command that a command line asks for.

    Returns:
        The result, or the text where click itself had the answer, such as ``--help``.

    Raises:
        SviError: the command line is wrong, or the command failed.
        KeyboardInterrupt: the person stopped it.
    """
    said = io.StringIO()
    try:
        # Commands print with what is in ``to``; click is not to print, because only `report` copes with full disks.
        # Its own way in would answer Ctrl-C with an empty line and a broken pipe with exit code 1.
        with (
            contextlib.redirect_stdout(said),
            commands.make_context("svi-install", list(arguments), obj=to) as context,
        ):
            outcome = commands.invoke(context)
    except click.exceptions.Exit:
        return said.getvalue()
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx is not None else "svi-install"
        hint = f"{command.removesuffix(' install')} --help"
        first = next((word for word in arguments if not word.startswith("-")), "")
        if first and first not in SUBCOMMANDS and not Path(first).exists() and (named := closest(first)):
            hint = f"Did you mean the command? svi-install {named}"
        raise SviError("usage", error.format_message(), hint, EXIT_USAGE) from error
    except click.Abort as error:
        raise KeyboardInterrupt from error
    return outcome if isinstance(outcome, Result) else said.getvalue()
