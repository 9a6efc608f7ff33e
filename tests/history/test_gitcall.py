"""Every git that svi-install starts works in the repository that it is started for, whatever the environment says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from svi_install.commands.update import update
from svi_install.errors import SviError
from svi_install.history import repository
from svi_install.history.git_environment import environment
from tests import miniature
from tests.commands.test_update import git, no_settings_of_this_computer, release, root, upstream  # noqa: F401 (fixtures)
from tests.crash.layer import tree
from tests.trees import posix

# What git itself calls local to a repository, and what else leads it elsewhere or changes what it says.
LOCAL = tuple(
    subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=True).stdout.split()
)
OTHERS = (
    *("GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS", "GIT_PAGER", "GIT_EDITOR", "GIT_TEMPLATE_DIR", "GIT_REPLACE_REF_BASE"),
    *("GIT_INDEX_VERSION", "GIT_ATTR_SOURCE", "GIT_REF_PARANOIA", "GIT_LITERAL_PATHSPECS", "GIT_DEFAULT_HASH"),
    *("GIT_QUARANTINE_PATH", "GIT_NAMESPACE", "GIT_FLUSH", "GIT_TRACE", "GIT_CLONE_PROTECTION_ACTIVE", "GIT_SOMETHING"),
)
REDIRECTING = (*LOCAL, *OTHERS)


@pytest.fixture
def decoy(tmp_path: Path) -> Path:
    """Another repository, with work of a person's own in it."""
    folder = miniature.write(tmp_path / "decoy", "old")
    git(folder, "init", "-q")
    git(folder, "add", "-f", ".")
    git(folder, "commit", "-qm", "precious")
    (folder / "wgp.py").write_text("not committed yet")
    return folder


def value_of(name: str, decoy: Path) -> str:
    folders = {"GIT_WORK_TREE": ".", "GIT_INDEX_FILE": ".git/index", "GIT_OBJECT_DIRECTORY": ".git/objects"}
    return "1" if name == "GIT_CONFIG_COUNT" else str(decoy / folders.get(name, ".git"))


def test_git_knows_more_variables_than_the_three_that_were_reported() -> None:
    assert {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_CONFIG_COUNT", "GIT_OBJECT_DIRECTORY"} <= set(LOCAL)


@pytest.mark.parametrize("name", REDIRECTING)
def test_none_that_leads_elsewhere_reaches_git(name: str) -> None:
    assert name not in environment({"PATH": "x", name: "/elsewhere"})
    assert environment({"PATH": "x"})["PATH"] == "x"


def test_what_reaches_a_server_and_says_whom_to_trust_stays() -> None:
    kept = {
        "GIT_SSH_COMMAND": "ssh -i key",
        "GIT_SSL_NO_VERIFY": "1",
        "GIT_CONFIG_GLOBAL": "file",
        "GIT_CEILING_DIRECTORIES": "/home",
    }
    settings = {"GIT_CONFIG_COUNT": "4"}
    for number, (key, value) in enumerate(
        [("core.worktree", "/else"), ("safe.directory", "*"), ("include.path", "/else"), ("http.proxy", "p")]
    ):
        settings |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    made = environment({**kept, **settings})
    assert {name: made[name] for name in kept} == kept
    assert {name: value for name, value in made.items() if name.startswith(("GIT_CONFIG_K", "GIT_CONFIG_V"))} == {
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "GIT_CONFIG_KEY_1": "http.proxy",
        "GIT_CONFIG_VALUE_1": "p",
    }
    assert made["GIT_CONFIG_COUNT"] == "2"


@pytest.mark.parametrize("count", ["", "x", "-1", "9" * 40, "²", "3"])
def test_a_senseless_number_of_settings_is_no_setting(count: str) -> None:
    assert "GIT_CONFIG_COUNT" not in environment({"GIT_CONFIG_COUNT": count, "GIT_CONFIG_KEY_0": "safe.x"})


def test_an_update_leaves_another_repository_alone(
    root: Path,  # noqa: F811
    upstream: Path,  # noqa: F811
    decoy: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    new = release(upstream)
    before = tree(decoy)
    for name in REDIRECTING:
        monkeypatch.setenv(name, value_of(name, decoy))
    assert update(root).status == "done"
    assert {path: (root / path).read_bytes() for path in new} == new
    assert tree(decoy) == before


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"])
def test_the_history_is_the_one_that_was_named(
    root: Path,  # noqa: F811
    decoy: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(name, value_of(name, decoy))
    found = repository.open_history(str(root))
    assert found == (root / ".git").resolve()
    (commit,) = repository.log(found, [repository.tip(found)])
    (blob,) = repository.blob_ids(found, [f"{commit.id}:wgp.py"])
    assert blob is not None
    assert list(repository.read_blobs(found, [blob])) == [miniature.files()["wgp.py"]]


@posix
def test_no_git_of_ours_is_started_with_them(
    root: Path,  # noqa: F811
    upstream: Path,  # noqa: F811
    decoy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A git in front of the real one writes down what it was started with, for every command of ours that uses git."""
    real = shutil.which("git")
    log = tmp_path / "log"
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "git"
    program.write_text(f'#!/bin/sh\n{{ echo "== $*"; env; }} >> "{log}"\nexec "{real}" "$@"\n')
    program.chmod(0o755)
    release(upstream)
    env = {**os.environ, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "SVI_INSTALL_NO_ASK": "1"}
    env |= {name: value_of(name, decoy) for name in REDIRECTING}
    for words in (
        ["update", str(root)],
        ["check", str(upstream), "--rev", "HEAD"],
        ["repair-patches", "HEAD", str(upstream)],
    ):
        subprocess.run(
            [sys.executable, "-m", "svi_install", *words], env=env, cwd=tmp_path, capture_output=True, check=False
        )
    entries = log.read_text().split("== ")[1:]
    asked = {word for entry in entries for word in entry.splitlines()[0].split()}
    assert {"merge", "rev-parse", "cat-file", "fetch"} <= asked
    for entry in entries:
        names = {line.partition("=")[0] for line in entry.splitlines()}
        assert not names & set(REDIRECTING), entry.splitlines()[0]


def test_a_checkout_whose_own_git_is_damaged_does_not_stand_for_the_folder_around_it(decoy: Path) -> None:
    inner = miniature.write(decoy / "inner")
    (inner / ".git").mkdir()
    before = tree(decoy)
    with pytest.raises(SviError) as caught:
        update(inner)
    assert "not a git repository" in caught.value.message
    assert tree(decoy) == before


def test_a_checkout_whose_git_works_on_another_folder_is_left_alone(
    root: Path,  # noqa: F811
    upstream: Path,  # noqa: F811
    decoy: Path,
) -> None:
    release(upstream)
    git(root, "config", "core.worktree", str(decoy))
    before = tree(decoy)
    with pytest.raises(SviError, match="works on another folder") as caught:
        update(root)
    assert caught.value.code == "no-history"
    assert tree(decoy) == before


@pytest.mark.parametrize(
    "run",
    [
        "m.main(['--no-lora', {root!r}])",
        "m.main(['status', {root!r}])",
        "m.main(['status', '--json', {root!r}])",
        "m.main(['--revert', {root!r}])",
        "m.main(['fetch', '--list', {root!r}])",
        "m.main(['launch', '--help'])",
        "from svi_install.commands import install, launch, revert, status, doctor",
    ],
)
def test_what_a_person_waits_for_never_loads_gitpython(tmp_path: Path, run: str) -> None:
    folder = str(miniature.write(tmp_path / "WanGP"))
    script = f"import sys, svi_install.cli.main as m; {run.format(root=folder)}; print('MODULES', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    modules = done.stdout.partition("MODULES")[2].split()
    assert "svi_install.patching.patchset" in modules or "--help" in run or "fetch" in run
    assert not {"git", "gitdb", "svi_install.history"} & set(modules)
    assert "difflib" not in modules
