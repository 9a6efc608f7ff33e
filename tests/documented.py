"""Reads every command line out of the documents: blocks, tables, running text, and the cells of the notebook."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/*.md",
    "tests/*/README.md",
    ".github/ISSUE_TEMPLATE/*.yml",
)
NOTEBOOKS = "notebooks/*.ipynb"
OURS = {"svi-install", "./install.sh", "install.sh", "install.bat"}
PROGRAMS = OURS | {
    *("python", "python3", "py", "pip", "pip3", "uv", "uvx", "pipx", "pytest", "ruff", "mypy", "git", "ffmpeg", "curl"),
    *(
        "dask",
        "sh",
        "bash",
        "export",
        "set",
        "cd",
        "cp",
        "mv",
        "rm",
        "mkdir",
        "chmod",
        "sudo",
        "apt",
        "apt-get",
        "brew",
        "npm",
    ),
}
# What a fence must say that holds no command lines. A fence that says nothing holds commands.
NO_COMMANDS = {"text", "yaml", "json", "python"}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:(?<=\n\n)|\A)(?: {4}.*\n)+(?:\n(?: {4}.*\n)+)*", re.MULTILINE)
INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
ASSIGNMENT = re.compile(r"^[A-Z_]+=\S+$")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
PATH = re.compile(r"(?:svi_install|patches|tests|docs|benchmarks|notebooks|\.github)/[\w./-]*")
REMARK = re.compile(r"\s{2,}(?:# )?.*$|\s+# .*$")


class Line(NamedTuple):
    """One command line as a document has it, without the remark behind it."""

    document: str
    text: str


def documents() -> Iterator[tuple[str, str]]:
    """Name and text of every document."""
    for pattern in DOCUMENTS:
        for path in sorted(ROOT.glob(pattern)):
            yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")


def lines() -> list[Line]:
    """Every command line of every document, each once per document."""
    found = [Line(name, line) for name, text in documents() for line in (*_blocks(text), *_inline(text))]
    for path in sorted(ROOT.glob(NOTEBOOKS)):
        name = path.relative_to(ROOT).as_posix()
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "code":
                found += [Line(name, line[1:].strip()) for line in source.splitlines() if line.startswith(("!", "%"))]
            else:
                found += [Line(name, line) for line in _inline(source)]
    return list(dict.fromkeys(found))


def options() -> set[str]:
    """Every option that a document names anywhere, in a command line, in a remark or by itself."""
    return {word for _, text in documents() for word in OPTION.findall(text)}


def paths() -> set[str]:
    """Every file or folder of this repository that a document names."""
    return {span for _, text in documents() for span in _spans(text) if PATH.fullmatch(span)}


def _blocks(text: str) -> Iterator[str]:
    fenced = [block for language, block in FENCE.findall(text) if language not in NO_COMMANDS]
    for block in (*fenced, *INDENTED.findall(FENCE.sub("", text))):
        for line in block.splitlines():
            if command := REMARK.sub("", line.strip()):
                yield command


def _inline(text: str) -> Iterator[str]:
    for span in _spans(text):
        words = [word for word in span.split() if not ASSIGNMENT.match(word)]
        program = words[0].rpartition("/")[2] if words and words[0].startswith(".venv") else "".join(words[:1])
        if program in PROGRAMS and (len(words) > 1 or program in OURS):
            yield span


def _spans(text: str) -> list[str]:
    return [" ".join(span.split()) for span in INLINE.findall(INDENTED.sub("", FENCE.sub("", text)))]
