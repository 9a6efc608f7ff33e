from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from svi_install.errors import EXIT_UNSUPPORTED, SviError
from svi_install.patching import hooks, patchset, plan
from svi_install.writing import files, receipt
from tests import miniature
from tests.crash.layer import tree
from tests.older import (
    PROFILES,
    RUNTIME,
    install,
    install_other,
    other,
    revert,
    revert_other,
)
from tests.trees import posix

PATCHES = patchset.load()
WGP = "wgp.py"
ANY = "models/wan/any2video.py"
MODEL = "models/wan/modules/model.py"


@pytest.fixture(params=["\n", "\r\n"], ids=["lf", "crlf"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return miniature.write(tmp_path / "WanGP", newline=request.param)


@pytest.fixture
def lf(tmp_path: Path) -> Path:
    return miniature.write(tmp_path / "WanGP")


def edit(root: Path, path: str, old: bytes, new: bytes) -> None:
    data = (root / path).read_bytes()
    assert old in data
    (root / path).write_bytes(data.replace(old, new, 1))


def refused(action: Callable[[Path, patchset.PatchSet], object], root: Path) -> SviError:
    before = tree(root)
    with pytest.raises(SviError) as caught:
        action(root, PATCHES)
    assert tree(root) == before
    return caught.value


class TestInstall:
    def test_there_and_back(self, root: Path) -> None:
        before = tree(root)
        first = install(root, PATCHES)
        order = [change.path for change in first.changes]
        assert order == [receipt.PATH, *RUNTIME, *PROFILES, MODEL, ANY, WGP]
        hooks_of = {path: [hunk.hook for hunk in items[0].hunks] for path, items in PATCHES.variants.items()}
        assert {path: [place.hook for place in places] for path, places in first.places.items()} == hooks_of
        revert(root, PATCHES)
        assert tree(root) == before

    def test_twice_changes_nothing(self, root: Path) -> None:
        install(root, PATCHES)
        again = plan.plan_install(root, PATCHES, RUNTIME, PROFILES)
        assert again.changes == ()
        assert len(again.places[WGP]) == len(PATCHES.variants[WGP][0].hunks)

    def test_the_receipt_says_what_was_done(self, root: Path) -> None:
        before = (root / WGP).read_bytes()
        install(root, PATCHES)
        stored = receipt.load(root)
        assert stored is not None
        entry = stored.of(WGP)
        assert entry is not None
        assert entry.pristine_bytes() == before
        assert entry.after == files.digest((root / WGP).read_bytes())
        assert entry.proof == "hooks"
        assert set(stored.added) == {*RUNTIME, *PROFILES}
        assert stored.folders == ("svi_wangp", "profiles/new")
        assert (stored.wangp, stored.patch_set) == ("12.60", PATCHES.version)
        assert str(root) not in stored.to_bytes().decode()

    def test_the_time_of_a_file_comes_back(self, lf: Path) -> None:
        os.utime(lf / WGP, ns=(1, 1_600_000_000_000_000_000))
        install(lf, PATCHES)
        assert (lf / WGP).stat().st_mtime_ns != 1_600_000_000_000_000_000
        install_other(lf, PATCHES)
        revert(lf, PATCHES)
        assert (lf / WGP).stat().st_mtime_ns == 1_600_000_000_000_000_000

    def test_a_profile_of_a_persons_own_is_kept(self, root: Path) -> None:
        mine = root / "loras" / "wan_i2v" / "SVI.json"
        mine.write_bytes(b"mine")
        made = install(root, PATCHES)
        assert "was kept" in made.notes[0]
        assert mine.read_bytes() == b"mine"
        revert(root, PATCHES)
        assert mine.read_bytes() == b"mine"

    def test_the_same_profile_that_was_there_before_stays(self, root: Path) -> None:
        before_path = root / "loras" / "wan_i2v" / "SVI.json"
        before_path.write_bytes(PROFILES["loras/wan_i2v/SVI.json"])
        before = tree(root)
        assert install(root, PATCHES).notes == ()
        revert(root, PATCHES)
        assert tree(root) == before

    def test_changes_elsewhere_are_no_reason_for_a_new_receipt(self, root: Path) -> None:
        install(root, PATCHES)
        edit(root, WGP, b"import", b"# mine\nimport")
        assert plan.plan_install(root, PATCHES, RUNTIME, PROFILES).changes == ()

    def test_a_missing_file_is_refused(self, lf: Path) -> None:
        (lf / ANY).unlink()
        error = refused(install, lf)
        assert (error.code, error.exit_code) == ("incomplete", EXIT_UNSUPPORTED)

    def test_one_file_that_cannot_be_patched_stops_all(self, lf: Path) -> None:
        edit(lf, MODEL, b"first = next(iter(sd), None)", b"first = None")
        assert refused(install, lf).exit_code == EXIT_UNSUPPORTED

    def test_an_unfinished_merge_is_refused(self, tmp_path: Path) -> None:
        assert refused(install, miniature.write(tmp_path / "x", "conflict")).exit_code == EXIT_UNSUPPORTED

    def test_another_patch_set_is_refused(self, lf: Path) -> None:
        edit(lf, WGP, b"import", b"svi_ref_pad_num = 0\nimport")
        assert "wan2gp-svi" in refused(install, lf).message

    def test_an_edited_runtime_file_is_refused(self, lf: Path) -> None:
        install(lf, PATCHES)
        (lf / "svi_wangp" / "clip.py").write_bytes(b"CLIP = 2\n")
        error = refused(install, lf)
        assert error.code == "edited-runtime"
        assert "svi_wangp/clip.py" in error.message

    def test_profiles_may_go_to_a_folder_elsewhere(self, lf: Path, tmp_path: Path) -> None:
        drive = tmp_path / "drive"
        drive.mkdir()
        (lf / "wgp_config.json").write_text(f'{{"loras_root": "{drive.as_posix()}"}}')
        profiles = {f"{drive.as_posix()}/wan_i2v/SVI.json": b"{}"}
        from svi_install.writing import transaction

        before = tree(lf, drive)
        transaction.run(plan.plan_install(lf, PATCHES, RUNTIME, profiles))
        assert (drive / "wan_i2v" / "SVI.json").exists()
        transaction.run(plan.plan_revert(lf, PATCHES, RUNTIME, profiles))
        assert tree(lf, drive) == before

    def test_a_hostile_patch_table_writes_nothing(self, lf: Path) -> None:
        hostile = PATCHES._replace(paths=("../victim.py",), variants={"../victim.py": PATCHES.variants[MODEL]})
        victim = lf.parent / "victim.py"
        victim.write_bytes((lf / MODEL).read_bytes())
        before = tree(lf.parent)
        with pytest.raises(SviError, match="Refused to write"):
            install(lf, hostile)
        assert tree(lf.parent) == before


class TestRepair:
    @pytest.mark.parametrize("paths", [(WGP, ANY, MODEL), (WGP,), (MODEL,)])
    def test_after_wangps_updater_reset_files(self, root: Path, tmp_path: Path, paths: tuple[str, ...]) -> None:
        before = tree(root)
        shutil.copytree(root, tmp_path / "reset")
        install(root, PATCHES)
        for path in paths:
            shutil.copy2(tmp_path / "reset" / path, root / path)
        install(root, PATCHES)
        assert all(hooks.find_hooks(PATCHES.variants[path], path, (root / path).read_bytes()) for path in PATCHES.paths)
        assert plan.plan_install(root, PATCHES, RUNTIME, PROFILES).changes == ()
        revert(root, PATCHES)
        assert tree(root) == before

    def test_revert_after_a_reset_removes_what_is_left(self, root: Path, tmp_path: Path) -> None:
        before = tree(root)
        shutil.copytree(root, tmp_path / "reset")
        install(root, PATCHES)
        for path in PATCHES.paths:
            shutil.copy2(tmp_path / "reset" / path, root / path)
        made = revert(root, PATCHES)
        assert not {change.path for change in made.changes} & set(PATCHES.paths)
        assert tree(root) == before

    def test_after_an_update_to_other_files(self, tmp_path: Path) -> None:
        root = miniature.write(tmp_path / "WanGP")
        install(root, PATCHES)
        miniature.write(root, "newer")
        newer = {path: (root / path).read_bytes() for path in PATCHES.paths}
        install(root, PATCHES)
        revert(root, PATCHES)
        assert {path: (root / path).read_bytes() for path in PATCHES.paths} == newer

    def test_missing_pieces_come_back(self, root: Path) -> None:
        install(root, PATCHES)
        whole = tree(root)
        (root / "svi_wangp" / "clip.py").unlink()
        edit(root, ANY, b'if "svi_wangp" in bbargs: clip_image_start', b"#")
        data = (root / ANY).read_bytes()
        line = next(line for line in data.splitlines(keepends=True) if line.strip().startswith(b"# = bbargs"))
        (root / ANY).write_bytes(data.replace(line, b""))
        install(root, PATCHES)
        assert {key: value for key, value in tree(root).items() if "receipt" not in key} == {
            key: value for key, value in whole.items() if "receipt" not in key
        }


class TestUpgrade:
    def test_over_another_version_in_one_step(self, root: Path) -> None:
        before = tree(root)
        install_other(root, PATCHES)
        made = install(root, PATCHES)
        assert not (root / "svi_wangp" / "long.py").exists()
        assert not (root / "loras" / "old" / "SVI Old.json").exists()
        assert made.notes == ()
        assert plan.plan_install(root, PATCHES, RUNTIME, PROFILES).changes == ()
        revert(root, PATCHES)
        assert tree(root) == before

    def test_and_down_again(self, root: Path) -> None:
        before = tree(root)
        install(root, PATCHES)
        install_other(root, PATCHES)
        revert_other(root, PATCHES)
        assert tree(root) == before

    def test_another_version_can_take_it_out(self, root: Path) -> None:
        before = tree(root)
        install_other(root, PATCHES)
        revert(root, PATCHES)
        assert tree(root) == before

    def test_with_changes_of_a_persons_own(self, root: Path) -> None:
        install_other(root, PATCHES)
        edit(root, WGP, b"import", b"# mine\nimport")
        edited = hooks.remove_hooks(other(PATCHES).variants[WGP], WGP, (root / WGP).read_bytes())
        install(root, PATCHES)
        revert(root, PATCHES)
        assert (root / WGP).read_bytes() == edited

    def test_a_changed_file_of_the_other_version_is_kept(self, root: Path) -> None:
        install_other(root, PATCHES)
        (root / "loras" / "old" / "SVI Old.json").write_bytes(b"tuned")
        made = install(root, PATCHES)
        assert any("was kept" in note for note in made.notes)
        assert (root / "loras" / "old" / "SVI Old.json").read_bytes() == b"tuned"

    def test_without_a_receipt_and_with_unknown_lines_it_is_refused(self, root: Path) -> None:
        install_other(root, PATCHES)
        shutil.rmtree(root / ".svi-install")
        assert refused(install, root).exit_code == EXIT_UNSUPPORTED
        assert refused(revert, root).exit_code == EXIT_UNSUPPORTED


class TestRevert:
    def test_nothing_there(self, root: Path) -> None:
        assert plan.plan_revert(root, PATCHES, RUNTIME, PROFILES).changes == ()
        assert plan.plan_revert(root, PATCHES, RUNTIME, PROFILES).sweep == ()

    def test_after_the_folder_moved(self, root: Path) -> None:
        before = tree(root)
        install(root, PATCHES)
        moved = root.rename(root.with_name("other place"))
        revert(moved, PATCHES)
        assert tree(moved) == before

    def test_keeps_changes_elsewhere_in_a_file(self, root: Path) -> None:
        edit(root, WGP, b"import", b"# mine\nimport")
        edited = (root / WGP).read_bytes()
        edit(root, WGP, b"# mine\n", b"")
        install(root, PATCHES)
        edit(root, WGP, b"import", b"# mine\nimport")
        made = revert(root, PATCHES)
        assert any("the changes stay" in note for note in made.notes)
        assert (root / WGP).read_bytes() == edited

    def test_keeps_flipped_line_ends(self, lf: Path) -> None:
        flipped = (lf / WGP).read_bytes().replace(b"\n", b"\r\n")
        install(lf, PATCHES)
        (lf / WGP).write_bytes((lf / WGP).read_bytes().replace(b"\n", b"\r\n"))
        revert(lf, PATCHES)
        assert (lf / WGP).read_bytes() == flipped

    def test_refuses_a_changed_line_of_ours(self, root: Path) -> None:
        install(root, PATCHES)
        edit(root, WGP, b"svi_wangp.attach(wan_model, ", b"svi_wangp.attach(None, ")
        assert refused(revert, root).exit_code == EXIT_UNSUPPORTED

    @pytest.mark.parametrize("damage", ["deleted", "junk", "newer", "bytes"])
    def test_without_a_usable_receipt(self, root: Path, damage: str) -> None:
        before = {key: value for key, value in tree(root).items() if "profiles/new" not in key}
        install(root, PATCHES)
        stored = root / receipt.PATH
        if damage == "deleted":
            shutil.rmtree(root / ".svi-install")
        elif damage == "junk":
            stored.write_bytes(b"{")
        elif damage == "newer":
            stored.write_bytes(stored.read_bytes().replace(b'"schema": 1', b'"schema": 2'))
        else:
            stored.write_bytes(stored.read_bytes().replace(b'"pristine": "', b'"pristine": "!'))
        revert(root, PATCHES)
        assert {key: value for key, value in tree(root).items() if "profiles/new" not in key} == before

    def test_without_a_receipt_an_unknown_runtime_file_is_kept(self, root: Path) -> None:
        install(root, PATCHES)
        shutil.rmtree(root / ".svi-install")
        (root / "svi_wangp" / "clip.py").write_bytes(b"CLIP = 2\n")
        made = revert(root, PATCHES)
        assert any("svi_wangp/clip.py" in note for note in made.notes)
        assert [path.name for path in (root / "svi_wangp").iterdir()] == ["clip.py"]

    def test_without_a_receipt_a_profile_with_other_content_is_not_ours(self, root: Path) -> None:
        install(root, PATCHES)
        shutil.rmtree(root / ".svi-install")
        mine = root / "loras" / "wan_i2v" / "SVI.json"
        mine.write_bytes(b"tuned")
        assert revert(root, PATCHES).notes == ()
        assert mine.read_bytes() == b"tuned"

    def test_a_new_install_without_a_receipt_owns_what_is_there(self, root: Path) -> None:
        install(root, PATCHES)
        shutil.rmtree(root / ".svi-install")
        install(root, PATCHES)
        stored = receipt.load(root)
        assert stored is not None
        assert set(stored.added) == {*RUNTIME, *PROFILES}

    def test_a_receipt_with_other_bytes_than_it_says_is_not_believed(self, root: Path) -> None:
        before = (root / WGP).read_bytes()
        install(root, PATCHES)
        stored = receipt.load(root)
        assert stored is not None
        swapped = tuple(entry._replace(pristine=stored.patched[0].pristine) for entry in stored.patched)
        (root / receipt.PATH).write_bytes(stored._replace(patched=swapped).to_bytes())
        revert(root, PATCHES)
        assert (root / WGP).read_bytes() == before

    def test_changed_files_of_ours_are_kept(self, root: Path) -> None:
        install(root, PATCHES)
        (root / "svi_wangp" / "clip.py").write_bytes(b"CLIP = 2\n")
        (root / "loras" / "wan_i2v" / "SVI.json").unlink()
        made = revert(root, PATCHES)
        assert made.notes == ("svi_wangp/clip.py was changed since the install and was kept.",)
        assert (root / "svi_wangp" / "clip.py").read_bytes() == b"CLIP = 2\n"

    def test_pythons_caches_go(self, root: Path) -> None:
        before = tree(root)
        install(root, PATCHES)
        cache = root / "svi_wangp" / "__pycache__"
        cache.mkdir()
        (cache / "clip.cpython-312.pyc").write_bytes(b"x")
        revert(root, PATCHES)
        assert tree(root) == before

    def test_a_missing_file_is_said(self, lf: Path) -> None:
        install(lf, PATCHES)
        (lf / ANY).unlink()
        made = revert(lf, PATCHES)
        assert f"{ANY} is missing; it was left so." in made.notes
        assert not (lf / "svi_wangp").exists()

    def test_only_the_hooks_were_left(self, root: Path) -> None:
        before = {key: value for key, value in tree(root).items() if "profiles/new" not in key}
        install(root, PATCHES)
        shutil.rmtree(root / ".svi-install")
        shutil.rmtree(root / "svi_wangp")
        revert(root, PATCHES)
        assert {key: value for key, value in tree(root).items() if "profiles/new" not in key} == before

    def test_what_a_receipt_names_elsewhere_is_left_alone(self, lf: Path, tmp_path: Path) -> None:
        victim = tmp_path / "victim.json"
        victim.write_bytes(b"mine")
        (tmp_path / "empty").mkdir()
        before = tree(lf)
        install(lf, PATCHES)
        stored = receipt.load(lf)
        assert stored is not None
        added = {**stored.added, "../victim.json": files.digest(b"mine"), str(victim): files.digest(b"mine")}
        hostile = stored._replace(added=added, folders=(*stored.folders, "../empty"))
        (lf / receipt.PATH).write_bytes(hostile.to_bytes())
        made = revert(lf, PATCHES)
        assert len(made.notes) == 2
        assert victim.read_bytes() == b"mine"
        assert (tmp_path / "empty").is_dir()
        assert tree(lf) == before

    @posix
    def test_a_profile_that_became_a_link_is_left_alone(self, lf: Path) -> None:
        install(lf, PATCHES)
        profile = lf / "loras" / "wan_i2v" / "SVI.json"
        profile.rename(lf / "moved.json")
        profile.symlink_to(lf / "moved.json")
        revert(lf, PATCHES)
        assert profile.is_symlink()
        assert profile.read_bytes() == PROFILES["loras/wan_i2v/SVI.json"]
