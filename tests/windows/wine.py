"""install.bat under Windows, or under wine where that is installed: with a stand-in for python.exe, built here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documented import ROOT

SCRIPT = ROOT / "install.bat"
STUB = Path(__file__).with_name("fake_python.c")
COMPILER = "x86_64-w64-mingw32-gcc"


@pytest.fixture(scope="session")
def fake_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if sys.platform != "win32" and shutil.which("wine") is None:
        pytest.skip("install.bat cannot run here: neither Windows nor wine")
    compiler = shutil.which(COMPILER)
    if compiler is None:
        pytest.skip(f"install.bat cannot be tried here: no {COMPILER} to build the stand-in for python.exe")
    target = tmp_path_factory.mktemp("fake python") / "python.exe"
    subprocess.run([compiler, "-municode", "-o", str(target), str(STUB)], check=True)
    return target


@pytest.fixture(scope="session")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wine folder of this test session; filled once, because that takes seconds."""
    if sys.platform != "win32" and shutil.which("wine") is None:
        pytest.skip("install.bat cannot be tried here: no wine")
    folder = tmp_path_factory.mktemp("wine")
    if sys.platform != "win32":
        # What starts while wine still fills the folder may not find its files, or lose what it prints.
        said = [cmd(folder, folder, "echo", "ready") for _ in range(2)]
        assert said[-1].stdout.strip() == "ready", said
    return folder


def run(folder: Path, prefix: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(SCRIPT, folder / "install.bat")
    (folder / "svi_install").mkdir(exist_ok=True)
    (folder / "svi_install" / "bootstrap.py").touch()
    result = cmd(folder, prefix, "install.bat", *arguments, **variables)
    if sys.platform == "win32" or result.stdout or "svi-install" in result.stderr:
        return result
    # install.bat is never silent: once in some hundred starts wine loses all that a program prints.
    return cmd(folder, prefix, "install.bat", *arguments, **variables)


def cmd(
    folder: Path, prefix: Path, *arguments: str, encoding: str = "utf-8", **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "WINEPREFIX": str(prefix), "WINEDEBUG": "-all", "LC_ALL": "C.UTF-8", **variables}
    environment.pop("DISPLAY", None)
    wine = [] if sys.platform == "win32" else ["wine"]
    return subprocess.run(
        [*wine, "cmd", "/c", *arguments],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        # A real Python does not start on the NUL of wine.
        input="",
        text=True,
        encoding=encoding,
        errors="replace",
        timeout=900,
    )


def windows_path(path: Path) -> str:
    return str(path) if sys.platform == "win32" else "Z:" + str(path).replace("/", "\\")


def printed(result: subprocess.CompletedProcess[str]) -> list[str]:
    return re.findall(r"^<(.*)>\r?$", result.stdout, re.MULTILINE)
