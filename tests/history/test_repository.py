from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from svi_install.errors import EXIT_DOWNLOAD, EXIT_FAILED, EXIT_USAGE, SviError
from svi_install.history import gitcall, repository
from tests import story
from tests.story import Story
from tests.trees import posix


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return story.tell(tmp_path_factory.mktemp("story"))


def test_a_folder_in_a_repository_is_enough(told: Story) -> None:
    tree = told.git.parent
    assert repository.open_history(str(tree)) == told.git.resolve()
    assert repository.open_history(str(tree / "models" / "wan")) == told.git.resolve()
    assert repository.open_history(str(told.git)) == told.git.resolve()


def test_a_url_is_cloned_once_and_then_brought_up_to_date(tmp_path: Path) -> None:
    tree = tmp_path / "up"
    tree.mkdir()
    story.git(tree, "init", "-q", "-b", "main")
    story.git(tree, "commit", "-q", "--allow-empty", "-m", "one")
    first = repository.open_history(f"file://{tree}", tmp_path / "cache")
    assert [item.subject for item in repository.log(first, [repository.tip(first)])] == ["one"]
    story.git(tree, "commit", "-q", "--allow-empty", "-m", "two", when=1)
    assert repository.open_history(f"file://{tree}", tmp_path / "cache") == first
    assert [item.subject for item in repository.log(first, [repository.tip(first)])] == ["one", "two"]
    assert [entry.name for entry in (tmp_path / "cache").iterdir()] == [first.name]


@pytest.mark.parametrize(
    ("source", "code", "exit_code"),
    [("no/such/folder", "no-history", EXIT_USAGE), ("file:///no/such/repository", "download-failed", EXIT_DOWNLOAD)],
)
def test_what_cannot_be_opened_is_said(tmp_path: Path, source: str, code: str, exit_code: int) -> None:
    with pytest.raises(SviError) as caught:
        repository.open_history(source, tmp_path / "cache")
    assert (caught.value.code, caught.value.exit_code) == (code, exit_code)
    assert not (tmp_path / "cache").exists() or not list((tmp_path / "cache").glob("*.git"))


def test_a_folder_without_history_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(SviError, match="has no git history"):
        repository.open_history(str(tmp_path))


def test_without_git_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SviError, match="git is not installed") as caught:
        repository.open_history(None)
    assert caught.value.exit_code == EXIT_FAILED


@pytest.mark.parametrize(
    ("platform", "variables", "below"),
    [
        ("linux", {"XDG_CACHE_HOME": "CACHE"}, "CACHE"),
        ("linux", {}, "HOME/.cache"),
        ("darwin", {}, "HOME/Library/Caches"),
        ("win32", {"LOCALAPPDATA": "LOCAL"}, "LOCAL"),
        ("win32", {}, "HOME/AppData/Local"),
    ],
)
def test_clones_are_kept_in_the_platforms_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str, variables: dict[str, str], below: str
) -> None:
    asked: list[Path] = []
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "HOME")
    monkeypatch.setattr(repository.shutil, "which", lambda name: name)
    monkeypatch.setattr(repository, "_mirror", lambda url, cache, progress: asked.append(cache) or cache)
    assert repository.open_history("https://example.invalid/wangp.git") == tmp_path / below / "svi-install" / "history"
    assert len(asked) == 1


def test_a_transfer_tells_how_far_it_has_come(tmp_path: Path) -> None:
    tree = tmp_path / "up"
    tree.mkdir()
    story.git(tree, "init", "-q", "-b", "main")
    for number in range(120):
        (tree / f"{number}").write_text(f"{number}\n")
    story.git(tree, "add", ".")
    story.git(tree, "commit", "-q", "-m", "many")
    told: list[tuple[str, int, int]] = []
    repository.open_history(f"file://{tree}", tmp_path / "cache", lambda *call: told.append(call))
    assert ("Downloading the history", 122, 122) in told
    assert {what for what, _, _ in told} <= {"Downloading the history", "Unpacking the history"}


def test_a_mirror_without_a_configuration_is_read(told: Story, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    shutil.copytree(told.git, mirror)
    (mirror / "config").unlink()
    found = repository.open_history(str(mirror))
    assert found == mirror.resolve()
    assert repository.tip(found) == repository.tip(told.git)
    assert len(repository.log(found, [repository.tip(found)])) == len(told.commits)


@pytest.mark.filterwarnings("error")
def test_a_partial_clone_fetches_what_it_lacks(tmp_path: Path) -> None:
    """Git talks for every object that it fetches; more than a pipe holds, and nobody may wait for a reader."""
    tree, clone = tmp_path / "up", tmp_path / "clone"
    tree.mkdir()
    story.git(tree, "init", "-q", "-b", "main")
    story.git(tree, "config", "uploadpack.allowFilter", "true")
    story.git(tree, "config", "uploadpack.allowAnySHA1InWant", "true")
    (tree / "file").write_text("content\n")
    story.git(tree, "add", ".")
    story.git(tree, "commit", "-q", "-m", "one")
    story.git(tmp_path, "clone", "-q", "--bare", "--filter=blob:none", f"file://{tree}", str(clone))
    (blob,) = repository.blob_ids(clone, ["HEAD:file"])
    assert blob is not None
    assert list(repository.read_blobs(clone, [blob])) == [b"content\n"]


@posix
def test_a_git_that_talks_more_than_a_pipe_holds_does_not_block(
    told: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.which("git")
    program = tmp_path / "git"
    program.write_text(f'#!/bin/sh\nhead -c 400000 /dev/zero >&2\nexec {real} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    tip = repository.tip(told.git)
    (note,) = repository.blob_ids(told.git, [f"{tip}:NOTES"])
    assert note is not None
    assert len(list(repository.read_blobs(told.git, [note] * 3))) == 3
    assert repository.log(told.git, [tip])


@posix
@pytest.mark.parametrize("content", [b"\0", b"#!/no/such/program\n", b"#!/bin/sh\nexit 3\n"])
def test_a_git_that_does_not_start_is_said(told: Story, tmp_path: Path, content: bytes) -> None:
    program = tmp_path / "git"
    program.write_bytes(content)
    program.chmod(0o755)
    env = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "svi_install", "check", str(told.git)],
        check=False,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == EXIT_FAILED
    assert "git could not be started. Nothing was changed." in done.stderr


@posix
def test_a_git_that_breaks_later_is_said(told: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tip = repository.tip(told.git)
    (tmp_path / "git").write_bytes(b"\0")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    for call in (repository.blob_ids, repository.log):
        with pytest.raises(SviError, match="git could not be started"):
            call(told.git, [tip])


@posix
def test_what_git_says_may_be_in_any_encoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gitcall.answer(tmp_path, "version")  # GitPython asks the real one for its version once
    program = tmp_path / "git"
    program.write_bytes(b"#!/bin/sh\nprintf 'Receiving objects:  50%% (1/2)\\rfatal: caf\xe9\\n' >&2\nexit 128\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    told: list[tuple[str, int, int]] = []
    with pytest.raises(SviError, match="could not be read: caf\N{REPLACEMENT CHARACTER}"):
        repository.open_history("https://example.invalid/x", tmp_path / "cache", lambda *call: told.append(call))
    assert told == [("Downloading the history", 1, 2)]


@posix
def test_a_git_that_is_stopped_with_us_is_gone(told: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "git"
    program.write_text(f'#!/bin/sh\necho $$ > "{tmp_path}/pid"\nsleep 0.5\nkill -INT {os.getpid()}\nexec sleep 60\n')
    gitcall.git(told.git, "rev-parse", "HEAD")  # GitPython asks the real one for its version once
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(KeyboardInterrupt):
        gitcall.git(told.git, "merge", "somewhere")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_reading_that_ends_early_leaves_no_process(told: Story) -> None:
    (blob,) = repository.blob_ids(told.git, [f"{told.commits['12.61']}:wgp.py"])
    assert blob is not None
    reading = repository.read_blobs(told.git, [blob] * 1000)
    next(reading)
    reading.close()  # warnings are errors here: an open pipe or a living process would be one


def test_a_repository_that_git_cannot_read_is_not_an_empty_one(told: Story, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(told.git, damaged)
    (damaged / "HEAD").write_bytes(b"")
    for call in (
        lambda: repository.blob_ids(damaged, ["HEAD:wgp.py"]),
        lambda: list(repository.read_blobs(damaged, ["0" * 40])),
        lambda: repository.log(damaged, [told.commits["12.61"]]),
    ):
        with pytest.raises(SviError) as caught:
            call()
        assert str(damaged) in caught.value.message


def test_the_log_follows_the_main_line(told: Story) -> None:
    names = list(told.commits)
    every = repository.log(told.git, [repository.tip(told.git)])
    assert [item.subject for item in every] == [f"Story: {name}" for name in names]
    assert [item.id for item in every] == list(told.commits.values())
    assert every[1].time - every[0].time == 10 * 86400
    later = repository.log(told.git, [told.commits["12.71"]], [told.commits["12.61"]], ["wgp.py"])
    assert [item.subject for item in later] == ["Story: rework", "Story: broken", "Story: 12.71"]
    alone = repository.log(told.git, [told.commits["12.61"], told.commits["9.91"]], walk=False)
    assert [item.subject for item in alone] == ["Story: 12.61", "Story: 9.91"]


def test_revisions_are_resolved_or_refused(told: Story) -> None:
    assert repository.resolve(told.git, "main~1") == told.commits["broken"]
    for name in ("nothing", "--all", "main:wgp.py"):
        with pytest.raises(SviError, match="has no revision") as caught:
            repository.resolve(told.git, name)
        assert caught.value.exit_code == EXIT_USAGE


def test_an_empty_repository_has_no_tip(tmp_path: Path) -> None:
    story.git(tmp_path, "init", "-q", "-b", "main")
    with pytest.raises(SviError, match="holds no commits"):
        repository.tip(tmp_path / ".git")


def test_the_tip_is_that_of_main_not_of_another_branch(tmp_path: Path) -> None:
    tree = story.tell(tmp_path).git.parent
    story.git(tree, "checkout", "-q", "-b", "other", "HEAD~2")
    assert repository.tip(tree / ".git") == story.git(tree, "rev-parse", "main")


def test_objects_are_looked_up_and_read_in_order(told: Story) -> None:
    specs = [f"{told.commits['12.61']}:wgp.py", f"{told.commits['12.61']}:missing.py", f"{told.commits['9.91']}:NOTES"]
    first, missing, note = repository.blob_ids(told.git, specs)
    assert missing is None
    assert first is not None
    assert note is not None
    assert b'"12.61"' in next(repository.read_blobs(told.git, [first]))
    assert list(repository.read_blobs(told.git, [note, note])) == [b"9.91", b"9.91"]
    assert list(repository.read_blobs(told.git, [])) == []


def test_a_missing_object_is_damage(told: Story) -> None:
    with pytest.raises(SviError, match="could not read 0000"):
        list(repository.read_blobs(told.git, ["0" * 40]))


def test_changed_lines(told: Story) -> None:
    old, new = repository.blob_ids(told.git, [f"{told.commits[name]}:wgp.py" for name in ("12.60", "12.61")])
    assert old is not None
    assert new is not None
    data = next(repository.read_blobs(told.git, [new])).splitlines()
    added, version = data.index(b"import json") + 1, data.index(b'WanGP_version = "12.61"') + 1
    assert repository.changed_lines(told.git, old, new) == ((added - 1, 0, added, 1), (version - 1, 1, version, 1))
