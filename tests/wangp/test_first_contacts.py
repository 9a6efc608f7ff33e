"""Ten first contacts, from nothing to a film: what a person types, in a shell, in folders as people have them.

Each way brings SVI into a real WanGP and ends in a film of two clips that WanGP itself makes. The table of
docs/install.md has how many steps each one took and what the person had to know; a test holds it to the lists here.
Three of the ten are elsewhere: the plugin's address (`test_plugin_journeys.py`), the notebook (`test_storyboard.py`),
and install.bat (`tests/windows/test_real_python.py`).
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import test_pinokio
from tests.documented import ROOT

from .conftest import Tree
from .lab import media, tools
from .lab.generate import decoded, place_loras

# What makes a film of the size of a test is not counted: a person leaves it out.
SMALL = "--variant shot --resolution 64x64 --clip-frames 17 --steps 2"
FILM = 'render start.png "a boat | a bridge" -o film.mp4'
WHEEL = re.search(r"svi_install-\S+\.whl", (ROOT / "docs/install.md").read_text("utf-8"))
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")


class Contact:
    """Somebody's computer, and how many steps they have taken on it."""

    def __init__(self, folder: Path, environment: Path, shared: Path) -> None:
        self.home = folder / "Zoë's Rechner"
        self.films = self.home / "Meine Filme"
        self.films.mkdir(parents=True)
        media.write_picture(self.films / "start.png")
        self.steps = 0
        self._environment = environment
        kept = ("PATH", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
        self.variables = {name: value for name, value in os.environ.items() if name in kept or name[:4] == "PIP_"}
        # The environment of the start scripts takes half a minute; it is made once for all.
        self.variables |= {"HOME": str(self.home), "SVI_INSTALL_HOME": str(shared), "HF_HUB_OFFLINE": "1"}

    def wangp(self, tree: Path, place: str) -> Path:
        """Put a tree where this person has it, with the LoRA that WanGP would download on first use."""
        target = self.home / place
        target.parent.mkdir(parents=True, exist_ok=True)
        tree.rename(target)
        lora = self.home / "svi-shot.safetensors"
        media.write_lora(lora, "pipe.dit")
        place_loras(target, [lora])
        tools.prepare(target, self._environment)
        return target

    def unpacks(self) -> Path:
        """Download and unpack this repository, as its page offers it."""
        self.steps += 1
        folder = self.home / "Downloads/svi-install-main"
        folder.mkdir(parents=True)
        packed = subprocess.run(["git", "-C", ROOT, "archive", "HEAD"], check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=packed, check=True)
        return folder

    def types(self, line: str, folder: Path, code: int = 0) -> str:
        """Type one line, which is one step."""
        self.steps += 1
        return self.run(line, folder, code)

    def run(self, line: str, folder: Path, code: int = 0) -> str:
        done = subprocess.run(
            ["/bin/sh", "-c", line], cwd=folder, env=self.variables, check=False, text=True, timeout=500,
            capture_output=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == code, f"{line}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def films_with(self, program: str, tree: Path, *words: str) -> str:
        """Render: the last step of every way."""
        variables = self.variables
        python = str(tools.python_of(self._environment))
        self.variables = {**tools.variables(tree, self._environment, TINY=1), **variables, "WANGP_PYTHON": python}
        try:
            said = self.types(f"{program} {' '.join((FILM, *words))} {SMALL}", self.films)
        finally:
            self.variables = variables
        assert decoded(self.films / "film.mp4")[0] == 33
        return said


Start = Callable[[], Contact]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own environment")


@pytest.fixture
def contact(tmp_path: Path, environment: Path, shared: Path) -> Iterator[Contact]:
    person = Contact(tmp_path, environment, shared)
    yield person
    for folder in ("Wan2GP", "Wan2GP-main"):
        shutil.rmtree(person.home / folder, ignore_errors=True)


def quoted(path: Path) -> str:
    return shlex.quote(str(path))


def install_sh(person: Contact, fresh_tree: Tree) -> None:
    tree = person.wangp(fresh_tree("12.60"), "Wan2GP")
    folder = person.unpacks()
    assert "SVI is now in WanGP 12.60" in person.types("./install.sh ../../Wan2GP", folder)
    person.films_with(quoted(folder / "install.sh"), tree, "--wangp", "../Wan2GP")


def zip_without_git(person: Contact, fresh_tree: Tree) -> None:
    """Both are ZIPs, unpacked as Windows does it, twice the same name; nobody gives a path."""
    tree = person.wangp(fresh_tree("12.60"), "Downloads/Wan2GP-main/Wan2GP-main")
    folder = person.unpacks()
    said = person.types("./install.sh", folder)
    assert "SVI is now in WanGP 12.60" in said
    assert "unpacked zip" in said
    person.films_with(quoted(folder / "install.sh"), tree)


def pipx(person: Contact, fresh_tree: Tree) -> None:
    tree = person.wangp(fresh_tree("12.60"), "Wan2GP")
    # What the release page has, and a computer that has pipx.
    subprocess.run([*PIP, "wheel", "--no-deps", "-w", person.home, ROOT], check=True)
    tool = person.home / "pipx tool"
    subprocess.run([sys.executable, "-m", "venv", tool], check=True)
    subprocess.run([tool / "bin/python", *PIP[1:], "install", "pipx"], check=True)
    person.variables["PATH"] = f"{tool / 'bin'}:{person.home / '.local/bin'}:{person.variables['PATH']}"
    assert WHEEL
    person.types(f"pipx install ./{WHEEL[0]}", person.home)
    assert "SVI is now in WanGP 12.60" in person.types("svi-install Wan2GP", person.home)
    person.films_with("svi-install", tree)


def two_wangps(person: Contact, fresh_tree: Tree) -> None:
    """Without a path it is refused; what the refusals propose is typed next."""
    new, old = (
        person.wangp(fresh_tree(each), name)
        for each, name in (("12.60", "Downloads/Wan2GP"), ("9.91", "Downloads/Wan2GP-old"))
    )
    folder = person.unpacks()
    said = person.types("./install.sh", folder, 3)
    assert f"1  {new}" in said
    assert f"2  {old}" in said
    assert "Next: Name the one you mean: ./install.sh PATH" in said
    person.types(f"./install.sh {quoted(new)}", folder)
    assert "--wangp PATH" in person.run(f"{quoted(folder / 'install.sh')} {FILM}", person.films, 3)
    person.films_with(quoted(folder / "install.sh"), new, "--wangp", "../Downloads/Wan2GP")


def migrated(person: Contact, fresh_tree: Tree) -> None:
    theirs = os.environ.get("WAN2GP_SVI_GIT")
    if not theirs:
        pytest.skip("the patch set wan2gp-svi is not here (WAN2GP_SVI_GIT)")
    tree = fresh_tree("9.91")
    before = {path: (tree / path).read_bytes() for path in ("wgp.py", "models/wan/any2video.py")}
    for name in ("wgp", "any2video", "model"):
        patch = subprocess.run(["git", "-C", theirs, "show", f"HEAD:{name}.patch"], check=True, capture_output=True)
        subprocess.run(["git", "apply", "-"], cwd=tree, input=patch.stdout, check=True)
    tree = person.wangp(tree, "Wan2GP")
    folder = person.unpacks()
    assert "SVI is now in WanGP 9.91" in person.types("./install.sh ../../Wan2GP --yes", folder)
    person.films_with(quoted(folder / "install.sh"), tree)
    person.run("./install.sh --revert ../../Wan2GP --yes", folder)
    assert {path: (tree / path).read_bytes() for path in before} == before


def pinokio(person: Contact, fresh_tree: Tree) -> None:
    """Its buttons are pressed by typing what stands behind them."""
    api = person.home / "pinokio/api"
    tree = person.wangp(fresh_tree("12.60"), "pinokio/api/wan.git/app")
    launcher = shutil.copytree(test_pinokio.LAUNCHER, api / "svi-install.git")
    project = person.unpacks()
    for words in ("init -q -b main", "add .", "-c user.name=x -c user.email=x@x commit -qm one"):
        person.run(f"git {words}", project)
    (person.home / ".gitconfig").write_text(f'[url "{project}"]\ninsteadOf = {test_pinokio.ADDRESS}\n')
    # "Download from URL", "Add or repair SVI", "Make a film"; whose lines nobody types.
    person.steps = 2
    said = ""
    for step in test_pinokio.steps("install.json"):
        line = step["message"].replace(test_pinokio.START, "./install.sh")
        said += person.run(line, launcher / step.get("path", "."))
    assert "SVI is now in WanGP 12.60" in said
    person.films_with(quoted(launcher / "app/install.sh"), tree)


def docker(person: Contact, fresh_tree: Tree) -> None:
    """The lines of the page, each by itself: an image is not built, because there is no daemon."""
    tree = person.wangp(fresh_tree("12.60"), "image/workspace/Wan2GP")
    root = person.home / "image"
    (root / "tmp").mkdir()
    subprocess.run([*PIP, "wheel", "--no-deps", "-w", root / "tmp", ROOT], check=True)
    page = (ROOT / "docs/install.md").read_text("utf-8")
    found = re.search(r"^RUN (.*?)\n```", page, re.DOTALL | re.MULTILINE)
    assert found
    line = found[1].replace("\\\n", "")
    for place in ("/opt/", "/workspace/", "/tmp/"):
        line = re.sub(rf"(?<![\w.]){place}", f".{place}", line)
    # One block in the Dockerfile, one build.
    person.steps += 1
    assert "SVI is now in WanGP 12.60" in person.types(line, root)
    person.films_with(quoted(root / "opt/svi-install/bin/svi-install"), tree, "--wangp", quoted(tree))


# What it is called in the table, and its steps.
WAYS = {
    install_sh: ("`./install.sh`", 3),
    pipx: ("pipx, the wheel", 3),
    pinokio: ("Pinokio", 3),
    docker: ("Docker", 3),
    migrated: ("from `wan2gp-svi`", 3),
    two_wangps: ("two WanGPs", 4),
    zip_without_git: ("ZIPs, no git", 3),
}


@pytest.mark.parametrize("way", [pytest.param(way, marks=pytest.mark.long) for way in WAYS])
def test_from_nothing_to_a_film(
    way: Callable[[Contact, Tree], None], contact: Contact, fresh_tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    way(contact, fresh_tree)
    name, steps = WAYS[way]
    print(f"{name}: {contact.steps} steps")
    assert contact.steps == steps


def test_the_table_has_every_way() -> None:
    rows = re.findall(r"^\| (.*?)(?: @)? \| (\d+) \|", (ROOT / "docs/install.md").read_text("utf-8"), re.MULTILINE)
    assert len(rows) == 10
    told = {name: int(steps) for name, steps in rows}
    assert {name: told.get(name) for name, _ in WAYS.values()} == dict(WAYS.values())
