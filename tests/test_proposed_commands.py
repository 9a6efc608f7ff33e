"""Every command that a text of the program proposes is one that its own command line accepts."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from svi_install.cli.app import commands
from svi_install.report.command_names import SUBCOMMANDS
from tests.documented import ROOT

# What follows the program's name where a command is meant and not the product: as report.output.spoken has it.
COMMAND = re.compile(rf"\bsvi-install (?=-|\"|/|PATH\b|(?:{'|'.join(SUBCOMMANDS)})\b)([^`\n]*)")
# Where the command ends and the sentence goes on.
END = re.compile(r"[;)]|[.,:](?=\s|$)|\s(?:again|command|once|says|then|when|\(or)\b(?!\.)")
# A placeholder of a text, and what a person puts there.
FILLED = {"PATH": "/WanGP", "URL": "https://hub", "IMAGE": "start.png", "story.yaml": "story.yaml"}


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every text in a module but the docstrings, with its line; what an f-string puts in is a folder or a name."""
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            inside.add(id(node.value))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.lineno, node.value
        if isinstance(node, ast.JoinedStr):
            yield (
                node.lineno,
                "".join(part.value if isinstance(part, ast.Constant) else put_in(part) for part in node.values),
            )


def put_in(part: ast.expr) -> str:
    """A folder has a space in its name, so one that is not quoted is seen."""
    code = ast.unparse(part)
    if "version" in code:
        return "1.0"
    return "svi-shot" if "name" in code else "'/Wan GP'" if "quoted" in code else "/Wan GP"


def proposed(source: str) -> Iterator[tuple[int, str]]:
    for line, text in texts(ast.parse(source)):
        for found in COMMAND.finditer(text):
            yield line, END.split(found[1])[0].strip()


def accepted(words: list[str]) -> None:
    """Read a command line as the program does, up to what it would call."""
    group = commands.make_context("svi-install", list(words))
    with group:
        name, command, rest = commands.resolve_command(group, [*group._protected_args, *group.args])
        assert command
        try:
            command.make_context(name, rest, parent=group).close()
        except click.exceptions.Exit:
            return  # --help
        except click.MissingParameter:
            if rest:
                raise  # else a command is only named


ALL = [
    pytest.param(words, id=f"{path.relative_to(ROOT / 'svi_install')}:{line} {words}")
    for path in sorted((ROOT / "svi_install").rglob("*.py"))
    for line, words in proposed(path.read_text("utf-8"))
]


@pytest.mark.parametrize("words", ALL)
def test_a_proposed_command_is_accepted(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("start.png", "story.yaml"):
        (tmp_path / name).touch()
    # A film that can be rendered again is a file.
    words = words.replace("render '/Wan GP'", "render start.png")
    accepted([FILLED.get(word, word) for word in shlex.split(words)])


def test_there_are_many() -> None:
    assert len(ALL) > 40


def test_a_wrong_one_is_seen() -> None:
    found = list(proposed('x = f"Do this: svi-install fetch {name} --mirrors URL"\ny = "svi-install repair PATH"'))
    assert found == [(1, "fetch svi-shot --mirrors URL")]
    with pytest.raises(click.NoSuchOption):
        accepted(shlex.split(found[0][1]))
