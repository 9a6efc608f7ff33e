"""install.sh: finds a Python, passes every argument and the exit code through, says what to do when there is none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from svi_install import bootstrap

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "install.sh"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="install.sh is for Linux and macOS")


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)
    return path


def run(*arguments: str, script: Path = SCRIPT, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(script), *arguments],
        env={**os.environ, **variables},
        cwd=cwd,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A data folder whose environment is up to date; its Python prints its arguments and exits with 7."""
    home = tmp_path / "data with space (ü)"
    executable(bootstrap.interpreter(home / "venv"), 'for a in "$@"; do echo "<$a>"; done; echo "$PWD"; exit 7')
    (home / "venv" / bootstrap.STAMP).write_text(bootstrap.fingerprint(ROOT), "utf-8")
    return home


def test_arguments_exit_code_and_current_folder_pass_through(tmp_path: Path, prepared: Path) -> None:
    arguments = ["/a folder/ü 視頻", "--status", "", "*", "$HOME", "a'b\"c"]
    result = run(*arguments, cwd=tmp_path, SVI_INSTALL_HOME=str(prepared))
    expected = [f"<{word}>" for word in ("-I", "-m", "svi_install", *arguments)]
    assert result.stdout.splitlines() == [*expected, str(tmp_path)]
    assert result.returncode == 7
    assert result.stderr == ""


def test_it_runs_from_any_folder_under_any_name(tmp_path: Path) -> None:
    copy = tmp_path / "my svi (ü) & more"
    (copy / "svi_install").mkdir(parents=True)
    script = shutil.copy(SCRIPT, copy / "install.sh")
    (copy / "svi_install" / "bootstrap.py").write_text("import sys; print(sys.argv)", "utf-8")
    result = run("x", script=Path(script), cwd=tmp_path)
    assert result.stdout == f"{[str(copy / 'svi_install' / 'bootstrap.py'), 'x']}\n"


def test_it_may_be_started_through_links(tmp_path: Path, prepared: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "absolute").symlink_to(SCRIPT)
    (tmp_path / "bin" / "svi").symlink_to("../absolute")
    result = run("x", script=tmp_path / "bin" / "svi", SVI_INSTALL_HOME=str(prepared))
    assert result.stdout.splitlines()[:4] == ["<-I>", "<-m>", "<svi_install>", "<x>"]


def test_the_named_python_is_used(tmp_path: Path) -> None:
    python = executable(tmp_path / "py thon", 'echo "mine $3"')
    result = run("--status", SVI_INSTALL_PYTHON=str(python))
    assert result.stdout == "mine --status\n"


def test_a_python_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    executable(tmp_path / "bin" / "python3", 'if [ "$1" = --version ]; then echo Python 3.8.1; fi; exit 1')
    executable(tmp_path / "bin" / "python3.11", 'echo "good $3"')
    path = f"{tmp_path / 'bin'}:/usr/bin:/bin"
    assert run("--status", PATH=path).stdout == "good --status\n"


def test_without_a_usable_python_it_says_what_it_found_and_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    for name in ("dirname", "head", "sh"):
        tool = shutil.which(name)
        assert tool
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(tool)
    executable(folder / "python3", 'if [ "$1" = --version ]; then echo Python 3.8.1; fi; exit 1')
    result = run(PATH=str(folder))
    assert result.returncode == 1
    assert result.stdout == ""
    assert "no Python 3.10 or newer was found" in result.stderr
    assert f"{folder / 'python3'}: Python 3.8.1" in result.stderr
    assert "SVI_INSTALL_PYTHON" in result.stderr
    result = run("status", "--json", PATH=str(folder))
    assert (result.returncode, result.stderr) == (1, "")
    data = json.loads(result.stdout)
    assert (data["status"], data["error"]["code"], data["changes"]) == ("failed", "no-python", [])


def test_a_new_environment_without_a_network_ends_with_a_clear_error(tmp_path: Path) -> None:
    result = run(
        SVI_INSTALL_HOME=str(tmp_path / "data"),
        SVI_INSTALL_PYTHON=sys.executable,
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
        PIP_RETRIES="0",
        PIP_NO_CACHE_DIR="1",
        PIP_CONFIG_FILE=os.devnull,
    )
    assert result.returncode == 1
    assert result.stdout == ""
    assert "no connection to the Python package index" in result.stderr
    assert result.stderr.endswith("Nothing was changed in WanGP.\n")
    assert "Traceback" not in result.stderr
