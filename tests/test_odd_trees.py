"""Checkouts in which something else lies where a file or folder of ours belongs: clear refusals, no hang."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from svi_install.commands.interrupted import recover
from svi_install.commands.status import status
from svi_install.errors import SviError
from svi_install.patching import patchset, state
from svi_install.writing import files, lock, receipt, transaction
from svi_install.writing.files import FOLDER
from svi_install.writing.journal import Entry, Journal
from tests import miniature
from tests.crash.layer import Fault, in_child, tree
from tests.older import RUNTIME, install, revert
from tests.trees import posix

pytestmark = posix

PATCHES = patchset.load()
FOLDERS = ("svi_wangp", "profiles", "profiles/new", "loras", "loras/wan_i2v")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return miniature.write(tmp_path / "WanGP")


def instead(path: Path, make: Callable[[Path], object]) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    make(path)


class TestFileWhereAFolderBelongs:
    @pytest.mark.parametrize("name", FOLDERS)
    @pytest.mark.parametrize("kind", ["file", "pipe", "link"])
    def test_install_is_refused_in_planning(self, root: Path, name: str, kind: str) -> None:
        makers = {"file": Path.touch, "pipe": os.mkfifo, "link": lambda path: path.symlink_to("nowhere")}
        instead(root / name, makers[kind])
        before = tree(root)
        with pytest.raises(SviError) as caught:
            install(root, PATCHES)
        assert caught.value.code == "not-a-folder"
        assert f"{root / name} is not a folder" in caught.value.message
        assert f"Move {root / name} away" in caught.value.hint
        assert tree(root) == before
        assert recover(root) == ()
        (root / name).unlink()
        install(root, PATCHES)
        assert state.read(root, PATCHES, RUNTIME).name == "installed"

    @pytest.mark.parametrize("name", FOLDERS)
    def test_a_journal_of_an_earlier_svi_install_is_cleared(self, root: Path, name: str) -> None:
        instead(root / name, Path.touch)
        entry = Entry(f"{name}/x.json", None, files.digest(b"{}"), "", ".svi-00000000.0n", "")
        (root / ".svi-install").mkdir()
        stored = Journal("install", time.time(), (entry,), (f"{name}/new",), ()).to_bytes()
        (root / ".svi-install" / "journal").write_bytes(stored)
        assert recover(root) == ("An interrupted install was undone first.",)
        assert not (root / ".svi-install").exists()
        assert (root / name).is_file()

    @pytest.mark.parametrize("name", FOLDERS)
    def test_a_file_put_there_after_the_install_does_not_stop_revert(self, root: Path, name: str) -> None:
        before = {path: (root / path).read_bytes() for path in PATCHES.paths}
        install(root, PATCHES)
        instead(root / name, Path.touch)
        revert(root, PATCHES)
        assert {path: (root / path).read_bytes() for path in PATCHES.paths} == before
        assert (root / name).is_file()
        assert not (root / ".svi-install").exists()


OURS = (
    *(".svi-install/lock", ".svi-install/journal", ".svi-install/journal.done", ".svi-install/journal.new"),
    *(".svi-install/receipt.tight", receipt.PATH, "wgp_config.json", *RUNTIME, "loras/wan_i2v/SVI.json"),
    *PATCHES.paths,
)
COMMANDS: dict[str, Callable[[Path], object]] = {
    "status": lambda root: (recover(root), state.read(root, PATCHES, RUNTIME)),
    "install": lambda root: (recover(root), install(root, PATCHES)),
    "revert": lambda root: (recover(root), revert(root, PATCHES)),
    "a command": status,
}


class TestPipes:
    @pytest.mark.parametrize("path", OURS)
    @pytest.mark.parametrize("start", ["absent", "installed"])
    def test_no_command_waits_for_one(self, root: Path, path: str, start: str) -> None:
        if start == "installed":
            install(root, PATCHES)
        instead(root / path, os.mkfifo)
        for name, command in COMMANDS.items():

            def action(command: Callable[[Path], object] = command) -> None:
                signal.alarm(60)
                command(root)

            assert in_child(action, Fault(1 << 30, "fail")) in (0, 1), name

    def test_one_as_lock_is_named(self, root: Path) -> None:
        (root / ".svi-install").mkdir()
        os.mkfifo(root / ".svi-install" / "lock")
        with pytest.raises(SviError, match=r"lock is not a regular file; nothing was changed") as caught:
            transaction.recover(root)
        assert caught.value.hint == f"Move {root / FOLDER / lock.NAME} away, then run the same command again."

    @pytest.mark.parametrize("name", ["journal", "journal.done"])
    def test_one_as_journal_is_cleared(self, root: Path, name: str) -> None:
        before = tree(root)
        (root / ".svi-install").mkdir()
        os.mkfifo(root / ".svi-install" / name)
        assert transaction.recover(root) == transaction.Recovery("", "cleared")
        assert tree(root) == before

    def test_a_folder_as_journal_is_named(self, root: Path) -> None:
        (root / ".svi-install" / "journal").mkdir(parents=True)
        with pytest.raises(SviError, match="journal is not a regular file"):
            transaction.recover(root)


@pytest.mark.parametrize(
    "text",
    [
        b'{"pid": 1e999, "started": "x", "host": "h", "command": "c", "time": 1}',
        b'{"pid": 1, "started": "x", "host": "h", "command": "c", "time": 1e999}',
        b'{"pid": 1, "started": "x", "host": "h", "command": "c", "time": NaN}',
        b'{"pid": 1, "started": "x", "host": "h", "command": "c", "time": 1e300}',
        b'{"pid": -1, "started": "x", "host": "h", "command": "c", "time": 1}',
        b'{"pid": ' + b"9" * 4000 + b', "started": "x", "host": "h", "command": "c", "time": 1}',
        b"[" * 4000,
    ],
)
def test_a_lock_that_says_nonsense_names_nobody(root: Path, text: bytes) -> None:
    assert lock.Owner.parse(text) is None
    (root / ".svi-install").mkdir()
    (root / ".svi-install" / "lock").write_bytes(text)
    install(root, PATCHES)
    assert not (root / ".svi-install" / "lock").exists()


def test_a_lock_of_another_computer_from_the_future_is_left_behind(root: Path) -> None:
    far = lock.Owner(1, "x", "another", "install", time.time() + 1e6)
    assert not far.alive(time.time())
    assert far._replace(time=time.time() - 60).alive(time.time())
