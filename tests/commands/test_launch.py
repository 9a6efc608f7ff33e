from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from svi_install.commands import launch as module
from svi_install.commands.install import install
from svi_install.commands.launch import launch
from svi_install.errors import SviError
from svi_install.patching import patchset, state
from tests import miniature
from tests.trees import posix

pytestmark = posix

PATCHES = patchset.load()
PYTHON = Path(sys.executable)
TOLD = """
import json, os, sys
told = {"arguments": sys.argv[1:], "folder": os.getcwd(), "home": os.environ.get("VIRTUAL_ENV"), "x": os.getenv("X")}
with open("told.json", "w") as file:
    json.dump(told, file)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = miniature.write(tmp_path / "Wan GP")
    data = (folder / "wgp.py").read_text()
    (folder / "wgp.py").write_text(data.replace('if __name__ == "__main__":', f'{TOLD}\nif __name__ == "__main__":'))
    return folder


def told(root: Path) -> dict[str, object]:
    answer: dict[str, object] = json.loads((root / "told.json").read_text())
    return answer


class TestLaunch:
    def test_puts_svi_in_and_starts_wangp(self, root: Path) -> None:
        said: list[str] = []
        result = launch(root, ["--listen", "a b"], python=PYTHON, say=said.append)
        assert said == ["SVI is now in WanGP 12.60."]
        assert (result.command, result.state, result.exit_code) == ("launch", "installed", 0)
        assert told(root)["arguments"] == ["--listen", "a b"]
        assert told(root)["folder"] == str(root)

    def test_once_it_is_in_nothing_is_said(self, root: Path) -> None:
        install(root)
        said: list[str] = []
        launch(root, python=PYTHON, say=said.append)
        assert said == []

    def test_after_a_wipe_it_is_put_in_again(self, root: Path) -> None:
        before = (root / "wgp.py").read_bytes()
        install(root)
        (root / "wgp.py").write_bytes(before)
        assert "repaired" in launch(root, python=PYTHON).extra["before"][0]
        assert state.read(root, PATCHES).name == "installed"

    def test_a_wangp_that_cannot_be_patched_starts_all_the_same(self, root: Path) -> None:
        model = root / "models" / "wan" / "modules" / "model.py"
        model.write_bytes(model.read_bytes().replace(b"first = next(iter(sd), None)", b"first = None"))
        said: list[str] = []
        result = launch(root, python=PYTHON, say=said.append)
        assert said[0] == "SVI is off in this WanGP."
        assert result.exit_code == 0
        assert told(root)["arguments"] == []

    def test_wangps_exit_code_is_ours(self, root: Path) -> None:
        (root / "wgp.py").write_text((root / "wgp.py").read_text().replace("sys.exit(main())", "sys.exit(7)"))
        result = launch(root, python=PYTHON)
        assert result.exit_code == 7
        assert result.headline == "WanGP ended with exit code 7."

    def test_the_python_in_its_folder_is_found(self, root: Path) -> None:
        (root / "venv" / "bin").mkdir(parents=True)
        (root / "venv" / "bin" / "python").symlink_to(PYTHON)
        assert launch(root).extra["python"] == str(root / "venv" / "bin" / "python")

    def test_no_python(self, root: Path) -> None:
        with pytest.raises(SviError) as caught:
            launch(root, python=root / "none")
        assert caught.value.code == "no-python"
        assert not (root / ".svi-install").exists()

    def test_the_environment_of_svi_install_is_not_handed_on(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module.sys, "prefix", "/ours")
        launch(root, python=PYTHON, env={**os.environ, "VIRTUAL_ENV": "/ours", "X": "kept"})
        assert (told(root)["home"], told(root)["x"]) == (None, "kept")
        launch(root, python=PYTHON, env={**os.environ, "VIRTUAL_ENV": "/wangps", "X": "kept"})
        assert told(root)["home"] == "/wangps"

    def test_a_signal_becomes_an_exit_code(self, root: Path) -> None:
        text = (root / "wgp.py").read_text().replace("sys.exit(main())", "os.kill(os.getpid(), 9)")
        (root / "wgp.py").write_text(text)
        assert launch(root, python=PYTHON).exit_code == 137


def test_ctrl_c_leaves_the_ending_to_wangp(root: Path) -> None:
    """WanGP gets the same Ctrl-C, takes its time to put its work away, and its exit code is returned."""
    slow = """
import signal, time
def end(*_):
    time.sleep(0.5)
    open("saved", "w").close()
    sys.exit(3)
signal.signal(signal.SIGINT, end)
open("ready", "w").close()
time.sleep(60)
"""
    text = (root / "wgp.py").read_text().replace(TOLD, slow)
    (root / "wgp.py").write_text(text)
    command = [sys.executable, "-m", "svi_install", "launch", str(root), "--python", sys.executable]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL) as process:
        while not (root / "ready").exists() and process.poll() is None:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait() == 3
    assert (root / "saved").exists()


def test_the_command_line_hands_on_what_stands_after_the_dashes(root: Path) -> None:
    command = [sys.executable, "-m", "svi_install", "launch", str(root), "--python", sys.executable, "--json"]
    done = subprocess.run([*command, "--", "--status", "--", "x"], capture_output=True, text=True, check=True)
    assert told(root)["arguments"] == ["--status", "--", "x"]
    assert json.loads(done.stdout.splitlines()[-1])["arguments"] == ["--status", "--", "x"]
