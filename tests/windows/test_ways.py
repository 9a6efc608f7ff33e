"""Further folders and ways to start install.bat, one run of cmd each: ``SVI_TEST_ALL=1 pytest tests/windows``.

With tests/test_install_bat.py, which always runs, they are the 25 and more that a person can come by. Without the
switch one stands for the rest. Wine cannot start a script that lies in \\\\server\\share, and takes % out of words.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.trees import posix

from .wine import SCRIPT, cmd, fake_python, prefix, printed, run, windows_path

__all__ = ["fake_python", "prefix"]
ALL = bool(os.environ.get("SVI_TEST_ALL"))
pytestmark = posix
rest = pytest.mark.skipif(not ALL, reason="seconds each: runs with SVI_TEST_ALL=1")
ELSEWHERE = r"C:\windows"


def unpacked(folder: Path) -> Path:
    """What install.bat needs beside it."""
    (folder / "svi_install").mkdir(parents=True)
    (folder / "svi_install" / "bootstrap.py").touch()
    shutil.copy(SCRIPT, folder)
    return folder


@pytest.mark.parametrize(
    "name", ["it's 'here'", *(pytest.param(n, marks=rest) for n in ("日本語", "#1 @home~", "-x +y"))]
)
def test_further_folder_names(tmp_path: Path, fake_python: Path, prefix: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    result = run(folder, prefix, "--status", SVI_INSTALL_PYTHON=windows_path(fake_python))
    expected = ["-I", windows_path(folder / "svi_install" / "bootstrap.py"), "--status"]
    assert printed(result) == expected, result


@rest
@pytest.mark.parametrize(
    "words",
    [
        ["--revert", "C:\\Wan2GP\\"],
        ["--help"],
        ["C:\\My Wan (neu)\\sub & co\\"],
        ["\\\\server\\share\\Wan 2GP"],
        ["render", "start.png", "she walks | she runs, then; stops=1 <3", "-o", "film.mp4"],
        ["D:\\" + "deep folder\\" * 24 + "Wan2GP"],
    ],
)
def test_further_words(tmp_path: Path, fake_python: Path, prefix: Path, words: list[str]) -> None:
    """A backslash at the end, addresses of other computers, what the shell would take, 270 characters."""
    result = run(tmp_path, prefix, *words, SVI_INSTALL_PYTHON=windows_path(fake_python))
    assert printed(result)[2:] == words, result


@rest
def test_from_another_drive_by_its_full_name(tmp_path: Path, fake_python: Path, prefix: Path) -> None:
    folder = unpacked(tmp_path / "a b")
    script = windows_path(folder / "install.bat")
    line = ["cd", "/d", ELSEWHERE, "&", "call", script, "Wan2GP"]
    result = cmd(prefix, prefix, *line, SVI_INSTALL_PYTHON=windows_path(fake_python))
    assert printed(result) == ["-I", windows_path(folder / "svi_install" / "bootstrap.py"), "Wan2GP"], result


@rest
def test_in_a_folder_that_nobody_may_write(tmp_path: Path, fake_python: Path, prefix: Path) -> None:
    folder = unpacked(tmp_path / "read only")
    for path in (folder / "svi_install", folder):
        path.chmod(0o555)
    result = cmd(folder, prefix, "install.bat", "--status", SVI_INSTALL_PYTHON=windows_path(fake_python))
    for path in (folder, folder / "svi_install"):
        path.chmod(0o755)
    assert printed(result)[-1] == "--status", result


@rest
@pytest.mark.parametrize("size", [0, 1])
def test_the_alias_of_the_store_is_no_python(tmp_path: Path, fake_python: Path, prefix: Path, size: int) -> None:
    """Windows has a python.exe without content, which opens its store; a broken file is none either."""
    (tmp_path / "python.exe").write_bytes(b"x" * size)
    result = run(tmp_path, prefix, "--status")
    assert result.returncode == 1, result
    assert "no Python 3.10 or newer was found" in result.stderr
    assert "winget install -e --id Python.Python.3.12" in result.stderr


@rest
def test_behind_the_alias_the_next_one_is_taken(tmp_path: Path, fake_python: Path, prefix: Path) -> None:
    (tmp_path / "python.exe").touch()
    shutil.copy(fake_python, tmp_path / "python3.exe")
    assert printed(run(tmp_path, prefix, "--status"))[-1] == "--status"


@rest
def test_an_old_python_is_passed_over(tmp_path: Path, fake_python: Path, prefix: Path) -> None:
    (tmp_path / "old").mkdir()
    source = Path(__file__).with_name("fake_python.c").read_text()
    (tmp_path / "old.c").write_text(source.replace('return number("FAKE_CHECK")', "return 1"))
    build = ["x86_64-w64-mingw32-gcc", "-municode", "-o", tmp_path / "python.exe", tmp_path / "old.c"]
    subprocess.run(build, check=True)
    shutil.copy(fake_python, tmp_path / "py.exe")
    assert printed(run(tmp_path, prefix, "one"))[:2] == ["-3", "-I"]
    (tmp_path / "py.exe").unlink()
    assert "no Python 3.10 or newer was found" in run(tmp_path, prefix, "one").stderr


@rest
def test_a_named_python_that_is_none_gives_way(tmp_path: Path, fake_python: Path, prefix: Path) -> None:
    shutil.copy(fake_python, tmp_path / "python.exe")
    result = run(tmp_path, prefix, "one", SVI_INSTALL_PYTHON=r"C:\nowhere\python.exe")
    assert printed(result)[-1] == "one"


@rest
@pytest.mark.parametrize("name", ["wgp.py", "a & b.txt"])
def test_a_dropped_file_is_passed_on(tmp_path: Path, fake_python: Path, prefix: Path, name: str) -> None:
    (tmp_path / name).touch()
    words = windows_path(tmp_path / name)
    assert printed(run(tmp_path, prefix, words, SVI_INSTALL_PYTHON=windows_path(fake_python)))[2:] == [words]


@rest
@pytest.mark.parametrize("which", ["no Python", "inside the ZIP"])
def test_the_window_of_a_dropped_folder_stays_when_nothing_could_start(
    tmp_path: Path, fake_python: Path, prefix: Path, which: str
) -> None:
    dropped = tmp_path / "Wan 2GP"
    dropped.mkdir()
    folder = unpacked(tmp_path / "svi")
    if which == "inside the ZIP":
        shutil.rmtree(folder / "svi_install")
    result = cmd(folder, prefix, "install.bat", windows_path(dropped))
    assert result.returncode == 1
    assert "any key" in result.stdout
