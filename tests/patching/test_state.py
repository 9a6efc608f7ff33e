from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from svi_install import errors
from svi_install.patching import patchset, state
from svi_install.writing import receipt
from tests import miniature
from tests.older import RUNTIME, install, install_other
from tests.trees import posix

PATCHES = patchset.load()
WGP, ANY, MODEL = "wgp.py", "models/wan/any2video.py", "models/wan/modules/model.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return miniature.write(tmp_path / "WanGP")


def edit(root: Path, path: str, old: bytes, new: bytes) -> None:
    package_data = (root / path).read_bytes()
    assert old in package_data
    (root / path).write_bytes(package_data.replace(old, new, 1))


def drop(root: Path, path: str, text: bytes) -> None:
    lines = (root / path).read_bytes().splitlines(keepends=True)
    assert any(text in line for line in lines)
    (root / path).write_bytes(b"".join(line for line in lines if text not in line))


def read(root: Path) -> state.State:
    return state.read(root, PATCHES, RUNTIME)


class TestStates:
    @pytest.mark.parametrize("flavour", ["base", "old", "newer", "newest", "renamed"])
    def test_absent(self, tmp_path: Path, flavour: str) -> None:
        found = read(miniature.write(tmp_path / "x", flavour))
        assert (found.name, found.details) == ("absent", ())
        assert found.next_command == f"svi-install {tmp_path / 'x'}"

    def test_installed(self, root: Path) -> None:
        install(root, PATCHES)
        found = read(root)
        assert (found.name, found.details) == ("installed", ())
        assert found.next_command == f"svi-install --revert {root}"
        assert {hook.state for hooks in found.found.values() for hook in hooks} == {"ours"}
        assert found.receipt == receipt.load(root)

    def test_installed_with_changes_elsewhere(self, root: Path) -> None:
        install(root, PATCHES)
        edit(root, WGP, b"import", b"# mine\nimport")
        found = read(root)
        assert found.name == "installed"
        assert "wgp.py has other changes" in found.details[0]

    def test_installed_without_a_receipt(self, root: Path) -> None:
        install(root, PATCHES)
        (root / receipt.PATH).unlink()
        assert read(root).name == "installed"
        assert "receipt is missing" in read(root).details[-1]

    def test_outdated_by_its_hooks(self, root: Path) -> None:
        install_other(root, PATCHES)
        assert read(root).name == "outdated"

    def test_outdated_names_the_version_that_is_there(self, root: Path) -> None:
        install_other(root, PATCHES)
        old = receipt.load(root)
        assert old is not None
        (root / receipt.PATH).write_bytes(old._replace(version="0.0.9").to_bytes())
        assert read(root).details[0].startswith("svi-install version 0.0.9 is installed here; this is ")

    def test_installed_with_a_damaged_receipt(self, root: Path) -> None:
        install(root, PATCHES)
        stored = (root / receipt.PATH).read_bytes()
        (root / receipt.PATH).write_bytes(stored.replace(b'"wangp": "', b'"wangp": "x'))
        assert read(root).name == "installed"
        assert "receipt is damaged" in read(root).details[-1]
        install(root, PATCHES)
        assert read(root).details == ()

    def test_outdated_by_its_hooks_with_changes_elsewhere(self, root: Path) -> None:
        install_other(root, PATCHES)
        edit(root, ANY, b"import", b"# mine\nimport")
        assert read(root).name == "outdated"

    def test_partial_when_a_hook_of_another_version_was_deleted(self, root: Path) -> None:
        install_other(root, PATCHES)
        drop(root, WGP, b"svi.attach(wan_model)")
        assert read(root).name == "partial"

    def test_outdated_by_its_runtime(self, root: Path) -> None:
        install(root, PATCHES)
        found = state.read(root, PATCHES, {**RUNTIME, "svi_wangp/__init__.py": b"new\n"})
        assert found.name == "outdated"

    def test_outdated_by_a_file_that_it_does_not_have(self, root: Path) -> None:
        install(root, PATCHES)
        assert state.read(root, PATCHES, {"svi_wangp/more.py": b"", **RUNTIME}).name == "outdated"

    def test_wiped(self, root: Path) -> None:
        install(root, PATCHES)
        miniature.write(root)
        assert read(root).name == "wiped"

    def test_wiped_and_the_receipt_gone(self, root: Path) -> None:
        install(root, PATCHES)
        miniature.write(root)
        shutil.rmtree(root / ".svi-install")
        assert read(root).name == "wiped"

    def test_partial_after_one_file_was_reset(self, root: Path, tmp_path: Path) -> None:
        install(root, PATCHES)
        shutil.copy(miniature.write(tmp_path / "fresh") / WGP, root / WGP)
        found = read(root)
        assert (found.name, found.details) == ("partial", ("wgp.py was reset: no hook is left.",))

    def test_partial_after_a_hook_was_deleted(self, root: Path) -> None:
        install(root, PATCHES)
        drop(root, ANY, b'bbargs["svi_wangp"].condition')
        found = read(root)
        assert (found.name, found.details) == ("partial", (f"{ANY}: hook condition is missing.",))

    def test_partial_after_a_runtime_file_was_deleted(self, root: Path) -> None:
        install(root, PATCHES)
        (root / "svi_wangp" / "clip.py").unlink()
        assert read(root).details == ("svi_wangp/clip.py is missing.",)
        assert read(root).name == "partial"

    def test_edited_line(self, root: Path) -> None:
        install(root, PATCHES)
        edit(root, WGP, b"svi_wangp.attach(wan_model, ", b"svi_wangp.attach(None, ")
        found = read(root)
        assert found.name == "edited"
        assert found.details[0].startswith("wgp.py, line ")

    @pytest.mark.parametrize("twice", [True, False])
    def test_partial_when_half_of_a_hook_is_there_or_two_of_it(self, root: Path, twice: bool) -> None:
        install(root, PATCHES)
        whole = (root / MODEL).read_bytes()
        if twice:
            line = next(line for line in whole.splitlines(keepends=True) if b"except ImportError: pass" in line)
            edit(root, MODEL, line, line + line)
        else:
            drop(root, MODEL, b"except ImportError: pass  # svi-install")
        found = read(root)
        assert (found.name, found.details) == ("partial", (f"{MODEL}: hook keys is there in part or twice.",))
        install(root, PATCHES)
        assert (root / MODEL).read_bytes() == whole

    def test_edited_runtime(self, root: Path) -> None:
        install(root, PATCHES)
        (root / "svi_wangp" / "clip.py").write_bytes(b"mine")
        found = read(root)
        assert (found.name, found.details) == (
            "edited",
            ("svi_wangp/clip.py is not the file that svi-install put there.",),
        )

    def test_foreign(self, root: Path) -> None:
        edit(root, WGP, b"import", b"svi_ref_pad_num = 0\nimport")
        found = read(root)
        assert (found.name, found.details) == ("foreign", ("wgp.py carries the patches of wan2gp-svi.",))

    def test_unsupported_by_a_missing_file(self, root: Path) -> None:
        (root / MODEL).unlink()
        found = read(root)
        assert (found.name, found.details) == ("unsupported", (f"{MODEL} is missing.",))

    def test_unsupported_by_a_merge(self, tmp_path: Path) -> None:
        found = read(miniature.write(tmp_path / "x", "conflict"))
        assert found.name == "unsupported"
        assert "a merge was left unfinished" in found.details[0]

    def test_unsupported_without_an_anchor(self, root: Path) -> None:
        drop(root, MODEL, b"first = next(iter(sd), None)")
        found = read(root)
        assert (found.name, found.details) == ("unsupported", (f"{MODEL}: there is no place for hook keys.",))

    def test_every_state_has_one_next_command(self) -> None:
        assert set(state._NEXT) == set(state.Name.__args__)  # type: ignore[attr-defined]


def test_a_path_with_a_space_is_quoted() -> None:
    assert errors.quoted(Path("/a b/c")) == '"/a b/c"'
    assert errors.quoted(Path("/a/ü.1-x")) == "/a/ü.1-x"


@posix
@pytest.mark.parametrize("name", ["a $HOME", "a`id`", 'a"b', "back\\slash $x", "it's $1", "hey!"])
def test_a_shell_takes_a_quoted_path_for_what_it_is(name: str) -> None:
    done = subprocess.run(["sh", "-c", f"printf %s {errors.quoted(Path(name))}"], capture_output=True, check=True)
    assert done.stdout.decode() == name


def test_the_packages_own_runtime_is_the_default(root: Path) -> None:
    from svi_install import package_data
    from svi_install.patching import plan
    from svi_install.writing import transaction

    transaction.run(plan.plan_install(root, PATCHES, package_data.runtime_files(), {}))
    assert state.read(root, PATCHES).name == "installed"
    newer = PATCHES._replace(version="f" * 12)
    assert state.read(root, newer).name == "installed"


def test_no_heavy_import() -> None:
    code = "import sys, svi_install.patching.state; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not [name for name in ("rich", "git", "huggingface_hub", "unidiff", "subprocess") if f"'{name}'" in loaded]
