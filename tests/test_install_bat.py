"""install.bat: its rules are checked everywhere; it runs under Windows, or under wine where that is installed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.windows.wine import SCRIPT, cmd, fake_python, prefix, printed, run, windows_path

__all__ = ["fake_python", "prefix"]


def lines() -> list[str]:
    return SCRIPT.read_bytes().decode("ascii").splitlines()


def test_line_ends_are_those_of_windows() -> None:
    data = SCRIPT.read_bytes()
    assert data.count(b"\n") == data.count(b"\r\n") > 0


def test_no_block_can_be_ended_by_a_bracket_in_a_path() -> None:
    assert not [line for line in lines() if re.search(r"\(\s*$|^\s*\)", line)]


def test_paths_are_quoted_and_every_run_passes_all_arguments() -> None:
    runs = [line for line in lines() if "bootstrap.py" in line and not line.startswith(("rem", "if"))]
    assert len(runs) == 4
    for line in runs:
        assert line.endswith(r'"%svi_here%svi_install\bootstrap.py" %*')
    assert 'set "svi_here=%~dp0"' in lines()


def test_every_jump_has_its_label() -> None:
    jumps = set(re.findall(r"goto (\w+)", "\n".join(lines())))
    labels = [line[1:] for line in lines() if line.startswith(":")]
    assert jumps == set(labels)
    assert len(labels) == len(jumps)


def test_the_script_ends_with_the_real_exit_code() -> None:
    assert lines()[-1] == "exit /b %svi_code%"
    assert [line for line in lines() if line.strip() == 'set "svi_code=%ERRORLEVEL%"']


@pytest.mark.parametrize("name", ["plain", "with space", "a & b (x86)", "Zoë Müller", "now!", "a^b,c;d=e"])
def test_any_folder_name(tmp_path: Path, fake_python: Path, prefix: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    result = run(folder, prefix, SVI_INSTALL_PYTHON=windows_path(fake_python))
    assert printed(result) == ["-I", windows_path(folder / "svi_install" / "bootstrap.py")], result
    assert result.returncode == 0


def test_every_argument_is_passed_on(tmp_path: Path, fake_python: Path, prefix: Path) -> None:
    arguments = [r"D:\My Videos\Wan2GP", "--dry-run", "wow!", "a(b)", "ä"]
    result = run(tmp_path, prefix, *arguments, SVI_INSTALL_PYTHON=windows_path(fake_python))
    assert printed(result)[2:] == arguments


@pytest.mark.parametrize("code", [0, 1, 3, 130])
def test_the_exit_code_is_passed_on(tmp_path: Path, fake_python: Path, prefix: Path, code: int) -> None:
    result = run(tmp_path, prefix, SVI_INSTALL_PYTHON=windows_path(fake_python), FAKE_CODE=str(code))
    assert result.returncode == code


def test_python_is_found_on_the_path(tmp_path: Path, fake_python: Path, prefix: Path) -> None:
    shutil.copy(fake_python, tmp_path / "python.exe")
    result = run(tmp_path, prefix, "one")
    assert printed(result)[-1] == "one"


def test_without_a_python_it_says_what_to_do(tmp_path: Path, fake_python: Path, prefix: Path) -> None:
    result = run(tmp_path, prefix, SVI_INSTALL_PYTHON=windows_path(fake_python), FAKE_CHECK="1")
    assert result.returncode == 1
    assert "no Python 3.10 or newer was found" in result.stderr
    assert "python.org" in result.stderr


@pytest.mark.parametrize(("hold", "holds"), [("1", True), ("", False)])
def test_the_window_stays_open_only_when_asked(
    tmp_path: Path, fake_python: Path, prefix: Path, hold: str, holds: bool
) -> None:
    result = run(tmp_path, prefix, SVI_INSTALL_PYTHON=windows_path(fake_python), SVI_INSTALL_HOLD=hold, FAKE_CODE="4")
    assert ("any key" in result.stdout) is holds
    assert result.returncode == 4


@pytest.mark.parametrize("name", ["plain", "a & b (x86)", "now, then; b=c!"])
def test_a_folder_dropped_on_it_is_passed_on(tmp_path: Path, fake_python: Path, prefix: Path, name: str) -> None:
    """What Explorer's command line is, only real Windows knows; under wine the variable is there, its text is lost."""
    folder = tmp_path / name
    folder.mkdir()
    line = f'C:\\windows\\system32\\cmd.exe /c ""{windows_path(folder)}\\install.bat" "{windows_path(folder)}""'
    result = run(folder, prefix, windows_path(folder), SVI_INSTALL_PYTHON=windows_path(fake_python), CMDCMDLINE=line)
    assert printed(result)[2:] == [windows_path(folder)], result
    assert "any key" not in result.stdout
    keeps = 'for /f "delims=" %%a in ("!CMDCMDLINE!") do endlocal& set "SVI_INSTALL_STARTED=%%a"'
    assert keeps in lines()


def test_started_inside_the_zip(tmp_path: Path, fake_python: Path, prefix: Path) -> None:
    shutil.copy(SCRIPT, tmp_path / "install.bat")
    result = cmd(tmp_path, prefix, "install.bat", SVI_INSTALL_PYTHON=windows_path(fake_python))
    assert result.returncode == 1
    assert "Extract All" in result.stderr
    assert not printed(result)


def test_a_double_click_keeps_the_window_open() -> None:
    """Explorer ends the command line with a quote, a space and a quote; only real Windows has that variable."""
    text = "\n".join(lines())
    compare = 'set svi_mark=" "\nset svi_tail=!CMDCMDLINE:~-3!\nif !svi_tail!==!svi_mark! goto clicked\n'
    assert f"setlocal EnableDelayedExpansion\n{compare}" in text
    assert ':clicked\nendlocal\nset "svi_hold=1"\nset "svi_menu=1"\n' in text
    # The menu waits by itself.
    assert 'if defined svi_menu if "%svi_code%"=="0" set "svi_hold="\n' in text
    assert "if defined svi_hold pause\nexit /b %svi_code%" in text
