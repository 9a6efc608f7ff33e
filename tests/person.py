"""Somebody's computer for the command lines of the documents: folders with strange names, a shell, a hub, git."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import NamedTuple

import pytest

from svi_install import bootstrap
from tests import story
from tests.commands.test_fetch import CATALOGUE
from tests.documented import ROOT
from tests.loras.conftest import lora_bytes
from tests.loras.hub import Hub
from tests.wangp.lab.checkout import git_directory

WANGP = "../Wan 2 GP (neu)"
NAMES = ("svi-shot", "svi-2.0")
STARTER = """
import os, sys
from pathlib import Path
from svi_install.loras import catalogue
catalogue.CATALOGUE = Path(os.environ["TEST_CATALOGUE"])
if __name__ == "__main__":
    from svi_install.__main__ import main
    sys.exit(main())
"""


class Person(NamedTuple):
    """Somebody's computer: home, the folder they are in, their WanGP and what is set for them."""

    home: Path
    folder: Path
    wangp: Path
    variables: dict[str, str]

    def types(self, line: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a line in a shell."""
        return subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=cwd or self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            stdin=subprocess.DEVNULL,
        )


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)
    return path


def upstream(home: Path, git: Path) -> None:
    """Let git find a repository of this computer where it looks for WanGP's."""
    address = "https://github.com/deepbeepmeep/Wan2GP"
    (home / ".gitconfig").write_text(f'[url "{git}"]\ninsteadOf = {address}\ninsteadOf = {address}.git\n')


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    yield server
    server.close()


@pytest.fixture
def person(tmp_path: Path, hub: Hub) -> Person:
    """A person without a WanGP yet."""
    home = tmp_path / "Zoë's Rechner"
    folder = home / "Meine Filme"
    folder.mkdir(parents=True)
    bin_folder = tmp_path / "bin"
    starter = tmp_path / "starter.py"
    starter.write_text(STARTER)
    executable(bin_folder / "svi-install", f'exec {quote(sys.executable)} {quote(str(starter))} "$@"')
    for name in ("python", "python3"):
        executable(bin_folder / name, f'exec {quote(sys.executable)} "$@"')
    loras = [
        json.loads(json.dumps(CATALOGUE["loras"][0]).replace("svi-shot", name)) for name in ("svi-shot", "svi-2.0")
    ]
    (tmp_path / "catalogue.json").write_text(json.dumps({**CATALOGUE, "loras": loras}))
    for lora in loras:
        for file in lora["files"]:
            hub.add(file["repository"], file["path"], lora_bytes(seed=len(file["path"])))
    upstream = git_directory() or story.tell(tmp_path).git
    git = (
        f'[url "{upstream}"]\n',
        *(f"insteadOf = https://github.com/deepbeepmeep/Wan2GP{end}\n" for end in ("", ".git")),
    )
    (home / ".gitconfig").write_text("".join(git))
    variables = {
        "HOME": str(home),
        "PATH": f"{bin_folder}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "HF_ENDPOINT": hub.url,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TEST_CATALOGUE": str(tmp_path / "catalogue.json"),
        "LAB_VENV": str(tmp_path / "no laboratory"),
    }
    return Person(home, folder, home / WANGP[3:], variables)


def run(person: Person, line: str, code: int = 0, cwd: Path | None = None) -> str:
    """Run a line of a document with its placeholders filled in, and return what it said."""
    for placeholder in ("/path/to/WanGP", r"C:\path\to\WanGP"):
        line = line.replace(placeholder, f'"{WANGP}"')
    done = person.types(line, cwd)
    assert done.returncode == code, f"{line}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


def repository(person: Person) -> Path:
    """This repository as a person unpacks it, beside their WanGP."""
    folder = person.home / "svi-install main"
    folder.mkdir()
    for name in ("install.sh", *bootstrap.INGREDIENTS):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, folder / name)
    return folder
