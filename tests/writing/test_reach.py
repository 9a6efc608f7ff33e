"""What lies outside a checkout: recovery touches it only where this computer's own notes agree."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from svi_install.commands.interrupted import recover
from svi_install.errors import SviError
from svi_install.patching import patchset as patches
from svi_install.patching import plan, state
from svi_install.writing import files, outside, receipt, transaction
from svi_install.writing.journal import Entry, Journal, pack
from tests import miniature
from tests.crash.layer import FAULTS, KILLED, Fault, in_child, layer, tree
from tests.older import RUNTIME
from tests.trees import posix

pytestmark = posix

PATCHES = patches.load()
EVIL = b"evil\n"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture(autouse=True)
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "svi-install" / "outside"


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    folder = tmp_path / "drive" / "wan_i2v"
    folder.mkdir(parents=True)
    (folder / "SVI mine.json").write_bytes(b"mine\n")
    return folder.parent


@pytest.fixture(params=["configured", "linked"])
def root(request: pytest.FixtureRequest, tmp_path: Path, drive: Path) -> Path:
    """A checkout whose LoRA folder lies elsewhere."""
    root = miniature.write(tmp_path / "WanGP")
    if request.param == "configured":
        (root / "wgp_config.json").write_text(json.dumps({"loras_root": str(drive)}))
    else:
        shutil.rmtree(root / "loras")
        (root / "loras").symlink_to(drive)
    return root


def profiles(root: Path, drive: Path) -> dict[str, bytes]:
    base = "loras" if (root / "loras").is_symlink() else str(drive)
    return {f"{base}/wan_i2v/SVI a.json": b"{}\n", f"{base}/new/SVI b.json": b"{}\n"}


def install(root: Path, drive: Path) -> plan.Plan:
    made = plan.plan_install(root, PATCHES, RUNTIME, profiles(root, drive))
    transaction.run(made)
    return made


def revert(root: Path, drive: Path) -> plan.Plan:
    made = plan.plan_revert(root, PATCHES, RUNTIME, profiles(root, drive))
    transaction.run(made)
    return made


def forge(root: Path, name: str, *entries: Entry, folders: tuple[str, ...] = (), sweep: tuple[str, ...] = ()) -> None:
    (root / ".svi-install").mkdir(exist_ok=True)
    (root / ".svi-install" / name).write_bytes(Journal("install", time.time(), entries, folders, sweep).to_bytes())


class TestForged:
    """Whoever may write into a checkout may put a journal there; it must not reach any further."""

    def path(self, root: Path, drive: Path, name: str) -> str:
        return f"{'loras' if (root / 'loras').is_symlink() else drive}/wan_i2v/{name}"

    def unharmed(self, root: Path, drive: Path, *said: str) -> None:
        before = tree(drive)
        told = recover(root)
        assert tree(drive) == before
        assert not (root / ".svi-install").exists()
        assert list(said) == [note for note in told if "outside this WanGP" in note]

    def said(self, path: str) -> str:
        return f"{path} is outside this WanGP and not in this computer's records, so it was left alone."

    def test_writes_nothing(self, root: Path, drive: Path) -> None:
        path = self.path(root, drive, "SVI mine.json")
        forge(root, "journal", Entry(path, files.digest(EVIL), files.digest(b"mine\n"), pack(EVIL), "", ""))
        self.unharmed(root, drive, self.said(path))

    def test_uses_no_file_that_lies_there(self, root: Path, drive: Path) -> None:
        (drive / "wan_i2v" / ".svi-00000000.0o").write_bytes(EVIL)
        path = self.path(root, drive, "SVI mine.json")
        entry = Entry(path, files.digest(EVIL), files.digest(b"mine\n"), "", "", ".svi-00000000.0o")
        forge(root, "journal", entry)
        self.unharmed(root, drive, self.said(path))

    @pytest.mark.parametrize("name", ["journal", "journal.done"])
    def test_removes_nothing(self, root: Path, drive: Path, name: str) -> None:
        (drive / "wan_i2v" / ".svi-00000000.0n").write_bytes(b"somebody else's")
        (drive / "empty").mkdir()
        (drive / "__pycache__").mkdir()
        (drive / "__pycache__" / "a.pyc").write_bytes(b"")
        path = self.path(root, drive, "SVI mine.json")
        entry = Entry(path, None, files.digest(b"mine\n"), "", ".svi-00000000.0n", "")
        base = str(Path(path).parents[1])
        forge(root, name, entry, folders=(f"{base}/empty",), sweep=(f"{base}/empty", f"{base}/__pycache__"))
        self.unharmed(root, drive, *([self.said(path)] if name == "journal" else []))

    def test_a_damaged_one_clears_nothing_there(self, root: Path, drive: Path) -> None:
        (drive / "wan_i2v" / ".svi-00000000.0n").write_bytes(b"somebody else's")
        (drive / "empty").mkdir()
        (root / ".svi-install").mkdir()
        (root / ".svi-install" / "journal").write_bytes(b'{"folders": ["loras/empty", "../drive/empty"]')
        self.unharmed(root, drive)

    def test_the_notes_of_another_journal_do_not_count(self, root: Path, drive: Path, notes: Path) -> None:
        path = self.path(root, drive, "SVI mine.json")
        real = drive.resolve() / "wan_i2v" / "SVI mine.json"
        notes.mkdir(parents=True)
        for number, text in enumerate(["{", "[]", json.dumps({"root": 3}), "[" * 5000]):
            (notes / f"{number}.json").write_text(text)
        outside.note(root, "0" * 8, b"another journal", [real], [])
        forge(root, "journal", Entry(path, files.digest(EVIL), files.digest(b"mine\n"), pack(EVIL), "", ""))
        self.unharmed(root, drive, self.said(path))


class TestGenuine:
    def test_in_and_out(self, root: Path, drive: Path, notes: Path) -> None:
        before = tree(root, drive)
        install(root, drive)
        assert (drive / "wan_i2v" / "SVI a.json").read_bytes() == b"{}\n"
        assert not list(notes.iterdir())
        revert(root, drive)
        assert tree(root, drive) == before
        assert not list(notes.iterdir())

    @pytest.mark.parametrize("command", ["install", "revert"])
    def test_every_call(self, root: Path, drive: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
        tmp_path = root.parent
        whole = plan.plan_install(root, PATCHES, RUNTIME, profiles(root, drive))
        if command == "revert":
            transaction.run(whole)
            whole = plan.plan_revert(root, PATCHES, RUNTIME, profiles(root, drive))
        old = tree(root, drive)
        kept = tmp_path / "kept"
        shutil.copytree(tmp_path, kept, symlinks=True)

        def again() -> None:
            for folder in (root, drive, tmp_path / "state"):
                shutil.rmtree(folder, ignore_errors=True)
                if (kept / folder.name).exists():
                    shutil.copytree(kept / folder.name, folder, symlinks=True)

        with layer() as seen:
            transaction.run(whole)
        new = tree(root, drive)
        cases = [Fault(at, "before") for at in range(0, len(seen.calls), 2)]
        cases += [Fault(at, "fail", FAULTS[at % 3]) for at in range(1, len(seen.calls), 4)]
        for fault in cases:
            again()
            code = in_child(lambda: transaction.run(whole), fault)
            assert code in ((KILLED,) if fault.how == "before" else (0, 1)), fault
            transaction.recover(root)
            assert tree(root, drive) in (old, new), fault
        with capsys.disabled():
            print(f"\n{command} with files outside: {len(cases)} faults", end="")

    @pytest.mark.parametrize("damage", [b"", b"junk"])
    def test_a_damaged_journal_leaves_nothing_staged(self, root: Path, drive: Path, damage: bytes) -> None:
        before = tree(drive)
        install(root, drive)
        revert(root, drive)
        with layer() as seen:
            install(root, drive)
        revert(root, drive)
        first = [at for at, call in enumerate(seen.calls) if call == "replace"][1]
        assert in_child(lambda: install(root, drive), Fault(first, "before")) == KILLED
        (root / ".svi-install" / "journal").write_bytes(damage)
        assert list(drive.rglob(".svi-*"))
        transaction.recover(root)
        assert [*drive.rglob(".svi-*"), *root.rglob(".svi-*.*")] == []
        revert(root, drive)
        assert tree(drive) == before

    def test_without_a_place_for_the_note_nothing_is_changed(self, root: Path, drive: Path, notes: Path) -> None:
        notes.parent.parent.mkdir(parents=True)
        notes.parent.write_text("a file")
        before = tree(root, drive)
        with pytest.raises(SviError, match="Nothing was changed") as caught:
            install(root, drive)
        assert "XDG_STATE_HOME" in caught.value.hint
        assert tree(root, drive) == before

    @pytest.mark.skipif(sys.platform != "linux", reason="the folder is another one elsewhere")
    def test_without_a_home_nothing_is_changed(self, root: Path, drive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_home() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.delenv("XDG_STATE_HOME")
        monkeypatch.setattr(Path, "home", no_home)
        before = tree(root, drive)
        with pytest.raises(SviError, match="Your home folder could not be found"):
            install(root, drive)
        assert tree(root, drive) == before

    @pytest.mark.parametrize("damaged", [False, True])
    def test_notes_that_cannot_be_read_hinder_nothing_inside(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: bool
    ) -> None:
        root = miniature.write(tmp_path / "plain")
        before = tree(root)
        entry = Entry("svi_wangp/x.py", None, files.digest(b"x"), "", ".svi-00000000.0n", "")
        forge(root, "journal", entry)
        if damaged:
            (root / ".svi-install" / "journal").write_bytes(b"junk")

        def refuse() -> None:
            raise SviError("no-permission", "Could not read the notes.")

        monkeypatch.setattr(outside, "_all", refuse)
        assert recover(root)
        assert tree(root) == before

    def test_notes_that_cannot_be_read_keep_the_journal(
        self, root: Path, drive: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = next(iter(profiles(root, drive)))
        forge(root, "journal", Entry(path, None, files.digest(b"x"), "", ".svi-00000000.0n", ""))

        def refuse() -> None:
            raise SviError("no-permission", "Could not read the notes.")

        monkeypatch.setattr(outside, "_all", refuse)
        with pytest.raises(SviError, match="Could not read the notes"):
            recover(root)
        assert (root / ".svi-install" / "journal").exists()

    def test_inside_the_checkout_no_note_is_needed(self, tmp_path: Path, notes: Path) -> None:
        root = miniature.write(tmp_path / "plain")
        transaction.run(plan.plan_install(root, PATCHES, RUNTIME, {}))
        assert not notes.exists()


class TestNotes:
    def note(self, root: Path, token: str) -> None:
        outside.note(root, token, token.encode(), [root.parent / "drive" / "SVI.json"], [])

    def test_there_is_one_for_each_checkout(self, tmp_path: Path, notes: Path) -> None:
        self.note(tmp_path / "a", "0" * 8)
        self.note(tmp_path / "b", "1" * 8)
        self.note(tmp_path / "a", "2" * 8)
        assert sorted(path.stem for path in notes.iterdir()) == ["1" * 8, "2" * 8]
        assert outside.of_journal(b"0" * 8) is None
        found = outside.of_journal(b"2" * 8)
        assert found is not None
        assert found == outside.of_checkout(tmp_path / "a")
        outside.forget(found)
        assert outside.of_checkout(tmp_path / "a") is None

    def test_what_is_no_note_is_passed_over(self, tmp_path: Path, notes: Path) -> None:
        self.note(tmp_path / "a", "0" * 8)
        os.mkfifo(notes / "pipe.json")
        (notes / "text.txt").write_text("x")
        assert outside.of_journal(b"0" * 8) is not None

    def test_notes_that_cannot_be_read_are_no_missing_notes(
        self, tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.note(tmp_path / "a", "0" * 8)
        for target, name in ((Path, "iterdir"), (Path, "stat")):

            def refuse(*_: object) -> None:
                raise OSError(errno.EACCES, "no")

            with monkeypatch.context() as patch:
                patch.setattr(target, name, refuse)
                with pytest.raises(SviError, match="Could not read"):
                    outside.of_journal(b"0" * 8)

    def test_a_note_that_cannot_be_removed_stays(
        self, tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.note(tmp_path / "a", "0" * 8)
        found = outside.of_journal(b"0" * 8)
        assert found is not None

        def refuse(*_: object) -> None:
            raise OSError(errno.EACCES, "no")

        monkeypatch.setattr(files, "remove", refuse)
        outside.forget(found)
        assert found.file.exists()


class TestDriveThatIsAway:
    def away(self, drive: Path) -> Path:
        return drive.rename(drive.with_name("unplugged"))

    def back(self, drive: Path) -> None:
        drive.with_name("unplugged").rename(drive)

    def test_what_could_not_be_removed_is_remembered_and_goes_later(self, root: Path, drive: Path) -> None:
        before, lent = tree(root), tree(drive)
        install(root, drive)
        self.away(drive)
        made = revert(root, drive)
        assert len(made.away) == 2
        assert "2 profiles stayed there" in made.notes[-1]
        assert "run svi-install --revert again when it is back" in made.notes[-1]
        left = tree(root)
        assert {path for path in left if path not in before} == {"0:.svi-install", f"0:{receipt.PATH}"}
        found = state.read(root, PATCHES, RUNTIME)
        assert found.name == "absent"
        assert "SVI left 2 profiles on a drive" in found.details[0]
        again = plan.plan_revert(root, PATCHES, RUNTIME, profiles(root, drive))
        assert (again.changes, again.sweep, len(again.away)) == ((), (), 2)
        self.back(drive)
        assert revert(root, drive).away == ()
        assert tree(root) == before
        assert tree(drive) == lent

    def test_an_upgrade_in_between_remembers_them_too(self, root: Path, drive: Path) -> None:
        before, lent = tree(root), tree(drive)
        install(root, drive)
        self.away(drive)
        transaction.run(plan.plan_install(root, PATCHES, {**RUNTIME, "svi_wangp/clip.py": b"NEW\n"}, {}))
        self.back(drive)
        revert(root, drive)
        assert tree(root) == before
        assert tree(drive) == lent

    def test_an_install_after_it_knows_them_as_ours(self, root: Path, drive: Path) -> None:
        before, lent = tree(root), tree(drive)
        install(root, drive)
        self.away(drive)
        revert(root, drive)
        self.back(drive)
        install(root, drive)
        assert state.read(root, PATCHES, RUNTIME).name == "installed"
        revert(root, drive)
        assert tree(root) == before
        assert tree(drive) == lent

    def test_a_folder_that_somebody_deleted_is_no_drive(self, root: Path, drive: Path) -> None:
        before = tree(root)
        install(root, drive)
        shutil.rmtree(drive / "new")
        assert revert(root, drive).away == ()
        assert tree(root) == before
