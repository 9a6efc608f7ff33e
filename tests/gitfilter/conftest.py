"""Repositories with a miniature WanGP, and the git that people have, without settings of this computer."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from svi_install.package_data import PATCHED
from tests import miniature

if shutil.which("git") is None:
    pytest.skip("the filter was not tried: there is no git here", allow_module_level=True)


def git(root: Path, *words: str, stdin: bytes = b"", code: int = 0) -> str:
    """Run git as a person does and return what it said."""
    done = subprocess.run(["git", *words], cwd=root, input=stdin, capture_output=True, check=False)
    assert done.returncode == code, (words, done.stdout, done.stderr)
    return (done.stdout + done.stderr).decode()


def changed(root: Path) -> str:
    """What git calls changed or not its own."""
    return git(root, "status", "--porcelain")


def pristine(flavour: str = "base") -> dict[str, bytes]:
    return miniature.files(flavour)


def patched(root: Path) -> dict[str, bytes]:
    return {path: (root / path).read_bytes() for path in PATCHED}


def release(upstream: Path, flavour: str, **more: bytes) -> None:
    """Commit another release."""
    for path, data in {**miniature.files(flavour), **more}.items():
        (upstream / path).parent.mkdir(parents=True, exist_ok=True)
        (upstream / path).write_bytes(data)
    git(upstream, "add", "-f", ".")
    git(upstream, "commit", "-qm", flavour)


@pytest.fixture(autouse=True)
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person without settings but a name, and with an umlaut and an apostrophe in the way."""
    home = tmp_path / "Zoë's Rechner"
    home.mkdir()
    settings = home / ".gitconfig"
    settings.write_text(
        '[user]\n\tname = a\n\temail = a@b\n[init]\n\tdefaultBranch = main\n[protocol "file"]\n\tallow = always\n'
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Does not wait for the disk; other tests do, and here it would cost minutes."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    folder = miniature.write(tmp_path / "Zoë's Rechner" / "upstream", "old")
    git(folder, "init", "-q")
    git(folder, "add", "-f", ".")
    git(folder, "commit", "-qm", "9.91")
    return folder


@pytest.fixture
def root(upstream: Path) -> Path:
    git(upstream.parent, "clone", "-q", "upstream", "Wan 2 GP")
    return upstream.parent / "Wan 2 GP"
