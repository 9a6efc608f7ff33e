"""The command `plugin`: options in, one call, result out."""

from __future__ import annotations

from pathlib import Path

import click

from ..report.result import Result
from .app import output_options


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--url", default="", metavar="ADDRESS", help="The address where it will be published, for its description."
)
@output_options
def plugin(folder: Path, url: str) -> Result:
    """Build SVI as a plugin of WanGP.

    FOLDER then holds everything that WanGP needs; publish it as a git repository with the name wan2gp-endless, and
    anybody can paste its address into WanGP's Plugins tab.
    """
    from ..commands.plugin import plugin as run

    return run(folder, url=url)
