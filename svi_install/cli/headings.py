"""Options under headings, so that a long `--help` can be read. `cloup` does this too; it is not worth a package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
GENERAL = "Options"


class HeadedCommand(click.Command):
    """A command whose help shows each option under the heading that `under` gave it, in the order of the code."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section for each heading; what has none comes last."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                sections.setdefault(getattr(param, "heading", GENERAL), []).append(record)
        general = sections.pop(GENERAL, [])
        for heading, records in [*sections.items(), (GENERAL, general)]:
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


def under(heading: str, *options: Callable[[F], F]) -> Callable[[F], F]:
    """Give a function several options and put them under a heading.

    Args:
        heading: what the help shows above them.
        options: decorators as `click.option` makes them, in the order in which they are shown.
    """

    def add(function: F) -> F:
        before = len(getattr(function, "__click_params__", ()))
        for option in reversed(options):
            function = option(function)
        for param in getattr(function, "__click_params__", ())[before:]:
            param.heading = heading
        return function

    return add
