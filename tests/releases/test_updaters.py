"""The updaters that people have, as they are: Pinokio's commands, and WanGP's own setup.py in its real text."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from svi_install.commands.install import install
from svi_install.commands.revert import revert
from svi_install.commands.status import status
from svi_install.commands.update import update
from svi_install.patching import patchset
from tests.releases.upstream import Upstream
from tests.trees import posix

pytestmark = [pytest.mark.releases, pytest.mark.no_cover, posix, pytest.mark.usefixtures("hurried")]

COMMITS = patchset.load().commits
OLDER, NEWER = "11.90", "12.60"


def run(cwd: Path, *words: str, **env: str) -> str:
    done = subprocess.run(
        words, cwd=cwd, env={**os.environ, **env}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout + done.stderr


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)


@pytest.fixture
def upstream(tmp_path: Path, git: Path) -> Upstream:
    made = Upstream(tmp_path / "wangp.git", git)
    made.commit(OLDER, COMMITS[OLDER])
    return made


def publish(upstream: Upstream, root: Path) -> bytes:
    """Publish the newer release, and return its wgp.py."""
    new = upstream.commit(NEWER, COMMITS[NEWER], run(root, "git", "rev-parse", "HEAD").strip())
    return subprocess.run(["git", "show", f"{new}:wgp.py"], cwd=upstream.folder, capture_output=True, check=True).stdout


def check(root: Path, wgp: bytes) -> None:
    shown = status(root)
    assert shown.state == "installed"
    assert f"WanGP {NEWER}" in shown.headline
    revert(root)
    assert (root / "wgp.py").read_bytes() == wgp


def test_pinokios_update(tmp_path: Path, upstream: Upstream) -> None:
    """Its script runs ``git pull`` in its own folder and in ``app``, then brings the packages."""
    launcher = tmp_path / "launcher"
    run(tmp_path, "git", "init", "-q", "-b", "main", str(launcher))
    (launcher / "pinokio.js").write_text("module.exports = {}\n")
    (launcher / ".gitignore").write_text("app\n")
    person = ("-c", "user.name=a", "-c", "user.email=a@b")
    run(launcher, "git", "add", ".")
    run(launcher, "git", *person, "commit", "-qm", "launcher")
    home = tmp_path / "pinokio" / "api"
    home.mkdir(parents=True)
    run(home, "git", "clone", "-q", str(launcher), "wan.git")
    run(home / "wan.git", "git", "clone", "-q", str(upstream.folder), "app")
    root = home / "wan.git" / "app"
    install(root)
    wgp = publish(upstream, root)
    run(home / "wan.git", "git", "pull")
    run(root, "git", "pull")
    check(root, wgp)


@pytest.mark.parametrize("edited", [False, True], ids=["as it is", "somebody edited wgp.py"])
def test_wangps_own_updater(tmp_path: Path, upstream: Upstream, edited: bool) -> None:
    """It pulls; when that fails, it fetches and resets everything to the newest, edits too."""
    root = tmp_path / "WanGP"
    run(tmp_path, "git", "clone", "-q", str(upstream.folder), str(root))
    install(root)
    (root / "envs.json").write_text(json.dumps({"active": "here", "envs": {"here": {"type": "none", "path": ""}}}))
    if edited:
        (root / "wgp.py").write_bytes(b"# mine\n" + (root / "wgp.py").read_bytes())
    wgp = publish(upstream, root)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "pip").write_text("#!/bin/sh\nexit 0\n")
    (programs / "pip").chmod(0o755)
    said = run(root, sys.executable, "setup.py", "update", PATH=f"{programs}:{os.environ['PATH']}")
    assert ("'git pull' failed" in said) is edited
    assert "Updates found" in said
    check(root, wgp)


def test_our_own_update(tmp_path: Path, upstream: Upstream) -> None:
    root = tmp_path / "WanGP"
    run(tmp_path, "git", "clone", "-q", str(upstream.folder), str(root))
    install(root)
    wgp = publish(upstream, root)
    assert "SVI is in it" in update(root).headline
    assert run(root, "git", "status", "--porcelain") == ""
    check(root, wgp)


def test_a_new_zip_over_the_old_one(tmp_path: Path, upstream: Upstream) -> None:
    """Nothing of git: it is seen as wiped, and once more is all it takes."""
    root, newer = tmp_path / "WanGP", tmp_path / "newer"
    run(tmp_path, "git", "clone", "-q", str(upstream.folder), str(root))
    publish(upstream, root)
    run(tmp_path, "git", "clone", "-q", str(upstream.folder), str(newer))
    for folder in (root, newer):
        shutil.rmtree(folder / ".git")
    install(root)
    shutil.copytree(newer, root, dirs_exist_ok=True)
    assert status(root).state == "wiped"
    assert install(root).state == "installed"
    check(root, (newer / "wgp.py").read_bytes())


def test_wangps_updater_on_a_zip_makes_a_clone_and_once_more_is_all_it_takes(
    tmp_path: Path, upstream: Upstream
) -> None:
    root = tmp_path / "WanGP"
    run(tmp_path, "git", "clone", "-q", str(upstream.folder), str(root))
    shutil.rmtree(root / ".git")
    install(root)
    for words in (
        ("git", "init", "-q", "-b", "main"),
        ("git", "remote", "add", "origin", str(upstream.folder)),
        ("git", "fetch", "-q", "origin"),
        ("git", "reset", "-q", "--hard", "origin/main"),
    ):
        run(root, *words)
    assert status(root).state == "wiped"
    assert install(root).state == "installed"
    assert run(root, "git", "status", "--porcelain") == ""
