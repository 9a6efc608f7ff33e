"""The launcher for Pinokio: its menu, and what its scripts run, in the folders that Pinokio makes."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from tests import miniature, story
from tests.crash.layer import tree
from tests.documented import ROOT
from tests.person import Person, executable, hub, person
from tests.trees import posix

__all__ = ["hub", "person"]
LAUNCHER = ROOT / "pinokio"
SCRIPTS = sorted(path.name for path in LAUNCHER.glob("*.json"))
START = "{{platform === 'win32' ? '.\\\\install.bat' : './install.sh'}}"
ADDRESS = "https://github.com/svi-install/svi-install"
MENU = """
const menu = require(process.argv[1]).menu
const info = (exists, running) => ({ exists: () => exists, running: (script) => script === running })
const show = async (...about) => (await menu({}, info(...about))).map((each) => [each.text, each.href])
const all = [show(false, ""), show(true, ""), show(true, "revert.json")]
Promise.all(all).then((shown) => console.log(JSON.stringify(shown)))
"""


def steps(name: str) -> list[dict[str, str]]:
    script = json.loads((LAUNCHER / name).read_text("utf-8"))
    return [step["params"] for step in script["run"] if step["method"] == "shell.run"]


@pytest.fixture
def pinokio(person: Person) -> Person:
    """Pinokio's home with its WanGP, the launcher beside it, and this project where the launcher looks for it."""
    api = person.home / "pinokio" / "api"
    wangp = miniature.write(api / "wan.git" / "app")
    launcher = shutil.copytree(LAUNCHER, api / "svi-install.git")
    project = person.home / "project"
    executable(project / "install.sh", 'exec svi-install "$@"')
    story.git(project, "init", "-q", "-b", "main")
    story.git(project, "add", ".")
    story.git(project, "commit", "-q", "-m", "One", when=1)
    (person.home / ".gitconfig").write_text(f'[url "{project}"]\ninsteadOf = {ADDRESS}\n')
    return person._replace(folder=launcher, wangp=wangp)


def run(person: Person, name: str) -> str:
    said = ""
    for step in steps(name):
        line = step["message"].replace(START, "./install.sh")
        done = person.types(line, person.folder / step.get("path", "."))
        said += done.stdout + done.stderr
        assert done.returncode == 0, said
    return said


@posix
def test_in_and_out_in_pinokios_folders(pinokio: Person) -> None:
    before = tree(pinokio.wangp)
    assert "SVI is now in WanGP" in run(pinokio, "install.json")
    assert (pinokio.wangp / "svi_wangp").is_dir()
    assert "nothing to do" in run(pinokio, "install.json"), "the second time it brings the launcher up to date"
    assert "SVI is in." in run(pinokio, "doctor.json")
    assert "SVI was taken out" in run(pinokio, "revert.json")
    kept = tree(pinokio.wangp)
    assert {path: kept[path] for path in before} == before
    assert [path for path in kept.keys() - before.keys() if "loras" not in str(path)] == [], "only downloads stay"


def test_every_script_starts_the_program_of_its_system() -> None:
    assert SCRIPTS == ["doctor.json", "install.json", "menu.json", "revert.json", "update.json"]
    for name in SCRIPTS:
        assert START in steps(name)[-1]["message"]
        assert steps(name)[-1]["path"] == "app"


def test_the_menu_offers_what_can_be_done() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("the menu is JavaScript, and there is no node")
    command = [node, "-e", MENU, str(LAUNCHER / "pinokio.js")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    absent, there, busy = json.loads(done.stdout)
    assert absent == [["Add or repair SVI", "install.json"]]
    assert sorted(script for _, script in there) == SCRIPTS
    assert busy == [["Take SVI out ...", "revert.json"]]
