"""The commands `update`, `launch`, `shortcut` and `doctor`: options in, one call, result out."""

from __future__ import annotations

from pathlib import Path

import click

from ..report.output import Output, say
from ..report.result import Result
from .app import online_option, output_options, path_argument
from .dispatch import checkout_root


class PassedOn(click.Command):
    """A command that hands everything after ``--`` on as it is."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep what stands after ``--`` away from click."""
        at = args.index("--") if "--" in args else len(args)
        ctx.meta["passed_on"] = tuple(args[at + 1 :])
        return super().parse_args(ctx, args[:at])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Name what is handed on behind everything else, where it stands."""
        return [*super().collect_usage_pieces(ctx), "[-- WANGP-OPTIONS]"]


@click.command()
@path_argument
@online_option
@output_options
def update(path: Path | None, *, online: bool) -> Result:
    """Update WanGP with git and keep SVI in it.

    The new WanGP is looked at first: when SVI cannot go into it, or git cannot pull, everything stays as it was.
    """
    from ..commands.update import update as run

    to: Output = click.get_current_context().obj
    return run(checkout_root(path, to, "svi-install update PATH"), lambda text: say(text, to), online=online)


@click.command(cls=PassedOn)
@path_argument
@click.option("--python", type=click.Path(path_type=Path), metavar="FILE", help="WanGP's Python.")
@output_options
def launch(path: Path | None, python: Path | None) -> Result:
    """Make sure that SVI is in, then start WanGP with its own Python.

    What stands after -- goes to WanGP, for example: svi-install launch -- --listen
    """
    from ..commands.launch import launch as run

    context = click.get_current_context()
    to: Output = context.obj
    root = checkout_root(path, to, "svi-install launch PATH")
    return run(root, context.meta["passed_on"], python=python, apart=to.as_json, say=lambda text: say(text, to))


@click.command()
@path_argument
@click.option("--try-updates", is_flag=True, help="Try on a copy what the ways to update WanGP do with SVI.")
@click.option("--report", "paste", is_flag=True, help="Show a report to paste into an issue, without private paths.")
@output_options
def doctor(path: Path | None, *, try_updates: bool, paste: bool) -> Result:
    """Look for problems, and name the command that fixes each of them."""
    from ..commands.doctor import doctor as run

    to: Output = click.get_current_context().obj
    return run(checkout_root(path, to, "svi-install doctor PATH"), report=paste, updates=try_updates)._replace(
        answer=True
    )


@click.command()
@path_argument
@click.option(
    "--folder", type=click.Path(path_type=Path), metavar="FOLDER", help="Put it here instead of on the desktop."
)
@click.option("--remove", is_flag=True, help="Take it away again.")
@output_options
def shortcut(path: Path | None, *, folder: Path | None, remove: bool) -> Result:
    """Put a start file on the desktop that starts WanGP with SVI.

    It runs svi-install launch: when an update has taken SVI out, that puts it back first.
    """
    from ..commands.shortcut import shortcut as run

    to: Output = click.get_current_context().obj
    return run(checkout_root(path, to, "svi-install shortcut PATH"), folder=folder, remove=remove)
