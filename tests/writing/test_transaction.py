from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from svi_install.errors import SviError
from svi_install.writing import files, lock, transaction
from svi_install.writing.change import Change, Plan
from tests.crash.layer import Fault, layer, tree
from tests.trees import back, make, posix, refused, small, standard


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return small(tmp_path)


class TestRun:
    def test_writes_everything_and_leaves_nothing_else(self, root: Path) -> None:
        transaction.run(standard(root))
        assert {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()} == {
            ".svi-install/receipt.json": b"{}",
            "svi_wangp/__init__.py": b"new\n",
            "loras/wan_i2v/a b.json": b"{}\n",
            "models/wan/any2video.py": b"new any\n",
            "wgp.py": b"new wgp\n",
        }

    def test_bytes_that_the_disk_refuses_are_told_with_their_file(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = tree(root)
        # The removal in between stages nothing: the fifth of the staged files is that of the sixth change.
        no_room = [{4: OSError(errno.ENOSPC, "no room")}]
        monkeypatch.setattr(files, "sync", lambda handles: no_room.pop() if len(handles) == 5 and no_room else {})
        error = refused(standard(root))
        assert error.code == "disk-full"
        assert str(root / "wgp.py") in error.message
        assert tree(root) == before

    def test_an_empty_plan_touches_nothing(self, root: Path) -> None:
        with layer() as seen:
            transaction.run(make(root))
        assert seen.calls == []

    def test_a_folder_of_ours_that_stays_empty_goes(self, root: Path) -> None:
        transaction.run(make(root, Change("wgp.py", b"old wgp\n", b"x")))
        assert not (root / ".svi-install").exists()

    def test_sweeps_folders_and_caches(self, root: Path) -> None:
        cache = root / "svi_wangp" / "__pycache__"
        cache.mkdir(parents=True)
        (cache / "a.cpython-311.pyc").write_bytes(b"x")
        (root / "kept").mkdir()
        (root / "kept" / "mine.txt").write_bytes(b"mine")
        transaction.run(make(root, sweep=("svi_wangp/__pycache__", "svi_wangp", "kept", "never")))
        assert not (root / "svi_wangp").exists()
        assert (root / "kept" / "mine.txt").read_bytes() == b"mine"
        assert not (root / ".svi-install").exists()

    def test_a_plain_file_in_a_cache_keeps_the_cache(self, root: Path) -> None:
        cache = root / "svi_wangp" / "__pycache__"
        cache.mkdir(parents=True)
        (cache / "mine.txt").write_bytes(b"mine")
        transaction.run(make(root, sweep=("svi_wangp/__pycache__", "svi_wangp")))
        assert (cache / "mine.txt").exists()

    @posix
    def test_keeps_mode_owner_and_given_time(self, root: Path) -> None:
        target = root / "wgp.py"
        target.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(target, 1234, 2345)
        before = target.stat()
        transaction.run(make(root, Change("wgp.py", b"old wgp\n", b"new", mtime_ns=1_700_000_000_123_456_000)))
        after = target.stat()
        assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
        assert after.st_mtime_ns == 1_700_000_000_123_456_000

    @posix
    def test_new_files_obey_the_umask(self, root: Path) -> None:
        mask = os.umask(0o027)
        try:
            transaction.run(make(root, Change("svi_wangp/a.py", None, b"x")))
        finally:
            os.umask(mask)
        assert stat.S_IMODE((root / "svi_wangp" / "a.py").stat().st_mode) == 0o640
        assert stat.S_IMODE((root / "svi_wangp").stat().st_mode) == 0o750

    @posix
    def test_a_link_stays_and_its_target_is_written(self, root: Path) -> None:
        (root / "wgp.py").rename(root / "real.py")
        (root / "wgp.py").symlink_to("real.py")
        transaction.run(make(root, Change("wgp.py", b"old wgp\n", b"new")))
        assert (root / "wgp.py").readlink() == Path("real.py")
        assert (root / "real.py").read_bytes() == b"new"

    def test_the_other_name_of_a_hard_link_keeps_its_bytes(self, root: Path, tmp_path: Path) -> None:
        os.link(root / "wgp.py", tmp_path / "backup.py")
        transaction.run(make(root, Change("wgp.py", b"old wgp\n", b"new")))
        assert (tmp_path / "backup.py").read_bytes() == b"old wgp\n"
        assert (root / "wgp.py").read_bytes() == b"new"

    def test_works_where_the_disk_knows_no_hard_links(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def never(*_: object) -> None:
            raise OSError(errno.EPERM, "no links here")

        monkeypatch.setattr("svi_install.writing.files.os.link", never)
        transaction.run(standard(root))
        assert (root / "wgp.py").read_bytes() == b"new wgp\n"
        assert not list(root.rglob(".svi-*.*"))

    @posix
    def test_folder_syncs_that_a_disk_does_not_know_are_no_fault(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.fsync

        def files_only(handle: int) -> None:
            if stat.S_ISDIR(os.fstat(handle).st_mode):
                raise OSError(errno.EINVAL, "not here")
            real(handle)

        monkeypatch.setattr("svi_install.writing.files.os.fsync", files_only)
        transaction.run(standard(root))
        assert (root / "wgp.py").read_bytes() == b"new wgp\n"


class TestFailures:
    @pytest.mark.parametrize(
        ("number", "words"),
        [
            (errno.ENOSPC, "the disk is full"),
            (errno.EACCES, "do not have permission"),
            (errno.EIO, "the disk reported an error"),
            (errno.EROFS, "the disk is read-only"),
            (errno.ENXIO, "no such device"),
        ],
    )
    def test_a_failing_rename_is_taken_back(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
    ) -> None:
        real = os.replace

        def fails(source: Path, target: Path) -> None:
            if Path(target).name == "wgp.py" and source.name.endswith("n"):
                raise OSError(number, os.strerror(number))
            real(source, target)

        monkeypatch.setattr("svi_install.writing.files.os.replace", fails)
        error = refused(standard(root))
        assert words in error.message
        assert "wgp.py" in error.message
        assert "as it was before" in error.message
        assert error.exit_code == 1

    def test_a_disk_that_stays_broken_is_said_and_settled_later(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = tree(root)
        with layer() as seen:
            transaction.run(standard(root))
        last = len(seen.calls) - 1 - seen.calls[::-1].index("replace")
        transaction.run(back(root))
        assert tree(root) == before
        with layer(Fault(last, "broken", errno.EIO)), pytest.raises(SviError) as caught:
            transaction.run(standard(root))
        assert caught.value.code == "not-taken-back"
        assert "Nothing is lost" in caught.value.message
        with layer(Fault(3, "broken", errno.EIO)), pytest.raises(SviError, match="reported an error"):
            transaction.recover(root)
        assert transaction.recover(root) == transaction.Recovery("install", "undone")
        assert tree(root) == before

    def test_ctrl_c_takes_back(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = os.replace

        def interrupted(source: Path, target: Path) -> None:
            if Path(target).name == "wgp.py" and source.name.endswith("n"):
                raise KeyboardInterrupt
            real(source, target)

        monkeypatch.setattr("svi_install.writing.files.os.replace", interrupted)
        before = tree(root)
        with pytest.raises(KeyboardInterrupt):
            transaction.run(standard(root))
        assert tree(root) == before

    def test_taking_back_gives_the_very_file_with_its_time_and_links(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        target = root / "models" / "wan" / "any2video.py"
        os.link(target, tmp_path / "second-name")
        os.utime(target, ns=(1, 1_600_000_000_000_000_000))
        seen = target.stat()

        def never(*_: object) -> None:
            raise OSError(errno.EIO, "no")

        monkeypatch.setattr("svi_install.writing.files.os.unlink", never)
        with pytest.raises(SviError):
            transaction.run(standard(root))
        monkeypatch.undo()
        transaction.recover(root)
        after = target.stat()
        assert (after.st_ino, after.st_nlink, after.st_mtime_ns) == (seen.st_ino, 2, seen.st_mtime_ns)


class TestPlanned:
    def test_a_file_that_the_plan_relied_on_changed(self, root: Path) -> None:
        plan = standard(root)._replace(relies={"other.py": None})
        (root / "other.py").write_bytes(b"new here")
        assert refused(plan).code == "changed-meanwhile"
        plan = plan._replace(relies={"other.py": files.digest(b"new here")})
        transaction.run(plan)
        assert (root / "wgp.py").read_bytes() == b"new wgp\n"

    def test_a_plan_is_made_once(self, root: Path) -> None:
        made = []
        assert transaction.planned(root, lambda: made.append(1) or standard(root)).root == root  # type: ignore[func-returns-value]
        assert made == [1]

    def test_a_refusal_is_asked_for_twice(self, root: Path) -> None:
        answers = iter([SviError("edited", "half of it seen"), standard(root)])

        def make() -> Plan:
            answer = next(answers)
            if isinstance(answer, SviError):
                raise answer
            return answer

        assert transaction.planned(root, make).root == root

    def test_a_refusal_while_another_one_writes(self, root: Path) -> None:
        def make() -> Plan:
            raise SviError("edited", "half of it seen")

        with lock.hold(root, "install"), pytest.raises(SviError) as caught:
            transaction.planned(root, make)
        assert caught.value.code == "busy"

    def test_a_refusal_beside_the_lock_of_a_dead_process(self, root: Path) -> None:
        (root / ".svi-install").mkdir()
        (root / ".svi-install" / "lock").write_bytes(b"")
        answers = iter([SviError("edited", "half of it seen"), standard(root)])

        def make() -> Plan:
            answer = next(answers)
            if isinstance(answer, SviError):
                raise answer
            return answer

        assert transaction.planned(root, make).root == root
