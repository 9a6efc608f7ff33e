"""The command `profiles`: options in, one call, result out."""

from __future__ import annotations

import click

from ..report.output import Output
from ..report.result import Result
from ..report.wrapping import columns
from .app import output_options


@click.command()
@output_options
def profiles() -> Result:
    """Say which profile is for what, how long a clip takes on which card, and what it needs."""
    from ..commands.profiles import profiles as run

    to: Output = click.get_current_context().obj
    return run(columns(to.out))
