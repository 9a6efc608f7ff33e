"""Full disks, read-only disks, other people's folders, long paths, two at once: clear errors, nothing lost."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from svi_install.errors import SviError
from svi_install.patching import patchset, plan, state
from svi_install.writing import transaction
from tests import miniature
from tests.crash.layer import Fault, in_child, layer, tree
from tests.older import OTHER_PROFILES, OTHER_RUNTIME, PROFILES, RUNTIME, install, other, revert
from tests.trees import posix

pytestmark = posix

PATCHES = patchset.load()
AS_ROOT = os.geteuid() == 0 if hasattr(os, "geteuid") else False


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return miniature.write(tmp_path / "WanGP")


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("a file system of its own cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def attempt(action: Callable[[], object]) -> SviError | None:
    try:
        action()
    except SviError as error:
        return error
    return None


def crash(root: Path) -> None:
    """End an install just before its commit, when every file is new."""
    shutil.copytree(root, root.with_name("probe"))
    with layer() as seen:
        install(root.with_name("probe"), PATCHES)
    shutil.rmtree(root.with_name("probe"))
    last = len(seen.calls) - 1 - seen.calls[::-1].index("replace")
    assert in_child(lambda: install(root, PATCHES), Fault(last, "before")) == 137
    assert (root / ".svi-install" / "journal").exists()


@pytest.mark.skipif(not AS_ROOT, reason="needs the right to mount")
class TestDisks:
    def test_a_disk_with_any_little_room(self, tmp_path: Path) -> None:
        """Page by page more room: below some size it is refused whole, above it goes through whole."""
        outcomes = []
        with mounted(tmp_path / "disk", "size=512k") as disk:
            root = miniature.write(disk / "WanGP")
            before = tree(root)
            ballast = disk / "ballast"
            for pages in range(0, 60, 2):
                free = os.statvfs(disk).f_bavail * 4096
                with ballast.open("wb") as file:
                    file.truncate(0)
                    file.write(b"x" * (free - pages * 4096))
                error = attempt(lambda: install(root, PATCHES))
                outcomes.append(error is None)
                if error is not None:
                    assert (error.code, error.exit_code) == ("disk-full", 1)
                    assert "disk is full" in error.message
                    assert tree(root) == before
                    ballast.unlink()
                    continue
                assert state.read(root, PATCHES, RUNTIME).name == "installed"
                assert transaction.recover(root) is None
                ballast.unlink()
                revert(root, PATCHES)
                assert tree(root) == before
        assert outcomes == sorted(outcomes)
        assert set(outcomes) == {False, True}

    def test_a_crash_on_a_full_disk_is_taken_back_without_any_room(self, tmp_path: Path) -> None:
        with mounted(tmp_path / "disk", "size=1m") as disk:
            root = miniature.write(disk / "WanGP")
            before = tree(root)
            crash(root)
            with (disk / "ballast").open("wb") as file:
                file.write(b"x" * (os.statvfs(disk).f_bavail * 4096))
            assert transaction.recover(root) == transaction.Recovery("install", "undone")
            (disk / "ballast").unlink()
            assert tree(root) == before

    def test_a_disk_that_can_only_be_read(self, tmp_path: Path) -> None:
        with mounted(tmp_path / "disk", "size=1m") as disk:
            root = miniature.write(disk / "WanGP")
            before = tree(root)
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
            error = attempt(lambda: install(root, PATCHES))
            assert error is not None
            assert error.code == "read-only"
            assert "the disk is read-only" in error.message
            assert state.read(root, PATCHES, RUNTIME).name == "absent"
            assert transaction.recover(root) is None
            assert tree(root) == before

    def test_a_crash_on_a_disk_that_can_only_be_read_since(self, tmp_path: Path) -> None:
        with mounted(tmp_path / "disk", "size=1m") as disk:
            root = miniature.write(disk / "WanGP")
            before = tree(root)
            crash(root)
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
            error = attempt(lambda: transaction.recover(root))
            assert error is not None
            assert error.code == "read-only"
            subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
            transaction.recover(root)
            assert tree(root) == before


@pytest.mark.skipif(not AS_ROOT, reason="needs the right to become another user")
class TestOwners:
    @staticmethod
    def as_another_user(action: Callable[[], object]) -> str:
        """Run something as nobody in a child and return the code of its error."""
        reader, writer = os.pipe()
        # Imported late, where another user may not read this Python's own library.
        for name in ("svi_install.patching.placement", "symtable", "difflib"):
            importlib.import_module(name)
        child = os.fork()
        if child == 0:
            os.setgid(65534)
            os.setuid(65534)
            error = attempt(action)
            os.write(writer, b"none" if error is None else f"{error.code}: {error.message}".encode())
            os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        with os.fdopen(reader) as answer:
            return answer.read()

    @pytest.fixture
    def shared(self, root: Path) -> Path:
        for folder in (*root.parents, root):
            if "pytest" in str(folder):
                folder.chmod(0o755)
        return root

    def test_a_folder_of_another_user(self, shared: Path) -> None:
        before = tree(shared)
        said = self.as_another_user(lambda: install(shared, PATCHES))
        assert said.startswith("no-permission: Could not write")
        assert str(shared) in said
        assert tree(shared) == before

    def test_files_of_another_user_in_a_folder_for_all(self, shared: Path) -> None:
        for path in shared.rglob("*"):
            path.chmod(0o777 if path.is_dir() else 0o666)
        shared.chmod(0o777)
        before = tree(shared)
        said = self.as_another_user(lambda: install(shared, PATCHES))
        assert said.startswith("no-permission: Could not write")
        assert ".py" in said
        assert tree(shared) == before

    def test_one_folder_of_another_user(self, shared: Path) -> None:
        for path in (shared, *shared.rglob("*")):
            os.chown(path, 65534, 65534)
        os.chown(shared / "models" / "wan", 0, 0)
        before = tree(shared)
        said = self.as_another_user(lambda: install(shared, PATCHES))
        assert said.startswith("no-permission: Could not write")
        assert "models/wan" in said
        assert tree(shared) == before

    def test_root_keeps_the_owner(self, shared: Path) -> None:
        for path in (shared, *shared.rglob("*")):
            os.chown(path, 65534, 65534)
        install(shared, PATCHES)
        assert (shared / "wgp.py").stat().st_uid == 65534
        revert(shared, PATCHES)
        assert (shared / "wgp.py").stat().st_uid == 65534


class TestPaths:
    @pytest.mark.parametrize("name", ["with a space", "Ümläut", "視頻", "a'b\"c", "-rf", "x" * 200])
    def test_any_name(self, tmp_path: Path, name: str) -> None:
        root = miniature.write(tmp_path / name)
        before = tree(root)
        install(root, PATCHES)
        assert state.read(root, PATCHES, RUNTIME).name == "installed"
        revert(root, PATCHES)
        assert tree(root) == before

    def test_a_long_path(self, tmp_path: Path) -> None:
        root = miniature.write(tmp_path / ("y" * 120) / ("z" * 120) / "WanGP")
        assert len(str(root / "models" / "wan" / "modules" / "model.py")) > 260
        before = tree(root)
        install(root, PATCHES)
        revert(root, PATCHES)
        assert tree(root) == before

    def test_a_name_that_is_too_long_for_the_system(self, root: Path) -> None:
        before = tree(root)
        error = attempt(lambda: transaction.run(plan.plan_install(root, PATCHES, RUNTIME, {"q" * 256 + ".json": b""})))
        assert error is not None
        assert error.code == "path-too-long"
        assert tree(root) == before

    def test_a_relative_path(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        before = tree(root)
        monkeypatch.chdir(root / "models")
        install(Path(".."), PATCHES)
        revert(Path(".."), PATCHES)
        assert tree(root) == before


class TestAtOnce:
    @staticmethod
    def one(root: Path, number: int) -> None:
        patches, runtime, profiles = PATCHES, RUNTIME, PROFILES
        if number % 2:
            patches, runtime, profiles = other(PATCHES), OTHER_RUNTIME, OTHER_PROFILES
        transaction.recover(root)
        make = transaction.planned(root, lambda: plan.plan_install(root, patches, runtime, profiles))
        transaction.run(make)

    def test_many_installs(self, root: Path) -> None:
        before = tree(root)
        for _ in range(5):
            children = []
            ready, go = os.pipe()
            for number in range(6):
                child = os.fork()
                if child == 0:
                    os.close(go)
                    os.read(ready, 1)
                    error = attempt(lambda number=number: self.one(root, number))
                    os._exit(0 if error is None else 1 if error.code in ("busy", "changed-meanwhile") else 2)
                children.append(child)
            os.close(ready)
            os.close(go)
            codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
            assert 0 in codes
            assert set(codes) <= {0, 1}
            assert transaction.recover(root) is None
            assert state.read(root, PATCHES, RUNTIME).name in ("installed", "outdated")
            revert(root, PATCHES)
            assert tree(root) == before

    def test_while_wangp_runs(self, root: Path) -> None:
        """A program that has the old files open goes on reading the old bytes."""
        old = (root / "wgp.py").read_bytes()
        with (root / "wgp.py").open("rb") as running:
            first = running.read(100)
            install(root, PATCHES)
            assert first + running.read() == old
        assert (root / "wgp.py").read_bytes() != old


def test_no_hostile_patch_set_writes_outside(root: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim.py"
    shutil.copy(root / "wgp.py", victim)
    (root / "link.py").symlink_to(victim)
    (root / "folder").symlink_to(tmp_path)
    before = tree(tmp_path)
    for path in ("../victim.py", str(victim), "link.py", "folder/victim.py", "models/../../victim.py"):
        hostile = PATCHES._replace(paths=(path,), variants={path: PATCHES.variants["wgp.py"]})
        error = attempt(lambda hostile=hostile: install(root, hostile))
        assert error is not None
        assert error.code == "unsafe-path", path
        assert tree(tmp_path) == before
    for name in ("../x.json", "/etc/x.json", "folder/x.json", "C:\\x.json", ".git/x.json"):
        error = attempt(lambda name=name: transaction.run(plan.plan_install(root, PATCHES, RUNTIME, {name: b"{}"})))
        assert error is not None
        assert error.code == "unsafe-path", name
        assert tree(tmp_path) == before
