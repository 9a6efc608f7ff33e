from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest

from svi_install.errors import SviError
from svi_install.writing import files, targets, transaction
from svi_install.writing.change import Change
from svi_install.writing.journal import Entry, Journal
from tests.crash.layer import Fault, in_child, layer, tree
from tests.trees import make, posix, small, standard

pytestmark = posix


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return small(tmp_path)


class TestRecover:
    @staticmethod
    def crash(root: Path, how: str = "before", name: str = "replace", nth: int = -1) -> None:
        probe = root.with_name("probe")
        subprocess.run(["cp", "-a", root, probe], check=True)
        with layer() as seen:
            transaction.run(standard(probe))
        at = [number for number, call in enumerate(seen.calls) if call == name][nth]
        assert in_child(lambda: transaction.run(standard(root)), Fault(at, how)) == 137

    def test_nothing_to_do_takes_no_lock(self, root: Path) -> None:
        with layer() as seen:
            assert transaction.recover(root) is None
        assert seen.calls == []

    def test_a_receipt_alone_is_nothing_to_do(self, root: Path) -> None:
        transaction.run(standard(root))
        with layer() as seen:
            assert transaction.recover(root) is None
        assert seen.calls == []

    def test_an_empty_folder_of_ours_goes(self, root: Path) -> None:
        (root / ".svi-install").mkdir()
        assert transaction.recover(root) is None
        assert not (root / ".svi-install").exists()

    def test_undoes_what_was_on_its_way(self, root: Path) -> None:
        before = tree(root)
        self.crash(root)
        assert (root / ".svi-install" / "journal").exists()
        assert transaction.recover(root) == transaction.Recovery("install", "undone")
        assert tree(root) == before

    def test_finishes_what_was_complete(self, root: Path) -> None:
        self.crash(root, "after")
        assert transaction.recover(root) == transaction.Recovery("install", "finished")
        assert (root / "wgp.py").read_bytes() == b"new wgp\n"
        assert not list(root.rglob(".svi-*.*"))

    def test_the_next_run_does_it_by_itself(self, root: Path) -> None:
        self.crash(root)
        transaction.run(standard(root))
        assert (root / "wgp.py").read_bytes() == b"new wgp\n"

    def test_after_the_folder_moved(self, root: Path) -> None:
        before = tree(root)
        self.crash(root)
        moved = root.rename(root.with_name("moved"))
        assert transaction.recover(moved) == transaction.Recovery("install", "undone")
        assert tree(moved) == before

    def test_keeps_what_somebody_changed_since(self, root: Path) -> None:
        self.crash(root)
        (root / "models" / "wan" / "any2video.py").write_bytes(b"an update\n")
        result = transaction.recover(root)
        assert result == transaction.Recovery("install", "undone", ("models/wan/any2video.py",))
        assert (root / "models" / "wan" / "any2video.py").read_bytes() == b"an update\n"
        assert not (root / "svi_wangp").exists()

    def test_keeps_a_folder_that_got_another_file(self, root: Path) -> None:
        self.crash(root)
        (root / "loras" / "mine.json").write_bytes(b"mine")
        transaction.recover(root)
        assert [path.name for path in (root / "loras").iterdir()] == ["mine.json"]

    @pytest.mark.parametrize("damage", ["lost", "other"])
    def test_writes_the_old_bytes_from_the_journal_when_the_kept_files_are_lost(self, root: Path, damage: str) -> None:
        before = tree(root)
        self.crash(root)
        for kept in root.rglob(".svi-*o"):
            kept.unlink()
            if damage == "other":
                kept.write_bytes(b"not the old bytes")
        transaction.recover(root)
        assert tree(root) == before

    @pytest.mark.parametrize("name", ["journal", "journal.done", "journal.new"])
    @pytest.mark.parametrize("data", [b"", b"junk", b"\xff\n{}", b"checked"])
    def test_a_damaged_journal_is_dropped(self, root: Path, name: str, data: bytes) -> None:
        if data == b"checked":
            data = files.digest(b'{"command": 1}').encode() + b"\n" + b'{"command": 1}'
        before = tree(root)
        (root / ".svi-install").mkdir()
        (root / ".svi-install" / name).write_bytes(data)
        transaction.recover(root)
        assert tree(root) == before

    def test_a_hostile_journal_writes_nowhere_else(self, root: Path, tmp_path: Path) -> None:
        self.crash(root)
        stored = root / ".svi-install" / "journal"
        real = Journal.from_bytes(stored.read_bytes())
        assert real is not None
        victim = tmp_path / "victim.json"
        victim.write_bytes(b"new wgp\n")
        text = stored.read_bytes().partition(b"\n")[2]
        for old, new in (
            (b'"wgp.py"', b'"../victim.json"'),
            (b'"folders": ["', b'"folders": ["../empty", "'),
        ):
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "empty").mkdir()
        stored.write_bytes(files.digest(text).encode() + b"\n" + text)
        assert transaction.recover(root) is not None
        assert victim.read_bytes() == b"new wgp\n"
        assert (tmp_path / "empty").is_dir()

    def test_a_journal_with_hostile_names_is_dropped(self, root: Path, tmp_path: Path) -> None:
        self.crash(root)
        stored = root / ".svi-install" / "journal"
        text = stored.read_bytes().partition(b"\n")[2].replace(b'"old": ".svi-', b'"old": "../../.svi-')
        stored.write_bytes(files.digest(text).encode() + b"\n" + text)
        assert transaction.recover(root) == transaction.Recovery("", "cleared")

    def test_a_sweep_that_fails_is_tried_again(self, root: Path) -> None:
        cache = root / "svi_wangp" / "__pycache__"
        cache.mkdir(parents=True)
        (cache / "a.pyc").mkdir()
        transaction.run(make(root, Change("wgp.py", b"old wgp\n", b"new"), sweep=("svi_wangp/__pycache__",)))
        assert (root / "wgp.py").read_bytes() == b"new"
        assert (root / ".svi-install" / "journal.done").exists()
        assert transaction.recover(root) is None
        (cache / "a.pyc").rmdir()
        assert transaction.recover(root) == transaction.Recovery("install", "finished")
        assert not cache.exists()
        assert not (root / ".svi-install").exists()

    def test_bytes_that_nobody_has_are_not_made_up(self, root: Path) -> None:
        entry = Entry("wgp.py", files.digest(b"lost"), files.digest(b"old wgp\n"), "", "", ".svi-00000000.0o")
        (root / ".svi-install").mkdir()
        (root / ".svi-install" / "journal").write_bytes(Journal("install", 1.0, (entry,), (), ()).to_bytes())
        assert transaction.recover(root) == transaction.Recovery("install", "undone", ("wgp.py",))
        assert (root / "wgp.py").read_bytes() == b"old wgp\n"

    @pytest.mark.parametrize("before", ["x", "0" * 63, "0" * 65])
    def test_a_journal_with_a_senseless_sum_is_dropped(self, root: Path, before: str) -> None:
        stored = Journal("install", 1.0, (Entry("wgp.py", before, None, "", "", ""),), (), ()).to_bytes()
        assert Journal.from_bytes(stored) is None

    def test_a_file_that_may_not_be_looked_at_keeps_the_journal(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = tree(root)
        self.crash(root)

        def refuse(*_: object) -> Path:
            raise SviError("no-permission", "Could not read it.")

        with monkeypatch.context() as patch:
            patch.setattr(targets, "resolve_file", refuse)
            with pytest.raises(SviError, match="Could not read it"):
                transaction.recover(root)
        assert (root / ".svi-install" / "journal").exists()
        transaction.recover(root)
        assert tree(root) == before

    def test_a_folder_of_ours_that_may_not_be_listed_is_named(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(errno.EACCES, "no")

        monkeypatch.setattr(Path, "iterdir", refuse)
        with pytest.raises(SviError, match=r"Could not read .*\.svi-install"):
            transaction.recover(root)

    def test_a_disk_that_fails_before_the_first_change_is_named(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = tree(root)

        def fail(*_: object) -> None:
            raise OSError(errno.EIO, "no", str(root / "wgp.py"))

        monkeypatch.setattr(transaction, "_check_before", fail)
        with pytest.raises(SviError, match=r"Could not read .*wgp\.py: the disk reported an error"):
            transaction.run(standard(root))
        assert tree(root) == before
