"""The help of a command with many options."""

from __future__ import annotations

import re

import click
from click.testing import CliRunner

from svi_install.cli.headings import HeadedCommand, under
from svi_install.cli.render import render


@click.command(cls=HeadedCommand)
@click.argument("file")
@click.option("--last", is_flag=True, help="Without a heading.")
@under("First", click.option("--one", help="One."), click.option("--two", help="Two."))
@under("Second", click.option("--three", help="Three."), click.option("--hidden", hidden=True))
def command(**values: str) -> None:
    """Do."""
    click.echo(sorted(values))


def test_each_option_stands_under_its_heading_in_the_order_of_the_code() -> None:
    shown = CliRunner().invoke(command, ["--help"]).output
    words = re.findall(r"^(\w+):$|^  (--\w+)", shown, re.MULTILINE)
    assert [one or two for one, two in words] == [
        *("First", "--one", "--two", "Second", "--three"),
        *("Options", "--last", "--help"),
    ]
    assert CliRunner().invoke(command, ["x", "--two", "2"]).output.strip() == str(
        ["file", "hidden", "last", "one", "three", "two"]
    )


def test_nothing_is_lost_from_the_help_of_render() -> None:
    shown = CliRunner().invoke(render, ["--help"]).output
    for option in render.params:
        if isinstance(option, click.Option):
            assert len(re.findall(rf"^  .*{option.opts[-1]}\b", shown.partition("The film:")[2], re.MULTILINE)) >= 1
    assert shown.index("The film:") < shown.index("Several cards and machines:") < shown.index("\nOptions:")
