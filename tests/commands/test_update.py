from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from svi_install.commands.install import install
from svi_install.commands.update import update
from svi_install.errors import EXIT_UNSUPPORTED, SviError
from svi_install.history import gitcall
from svi_install.patching import hooks, patchset, state
from svi_install.report.result import Result
from tests import miniature
from tests.crash.layer import tree
from tests.trees import posix

PATCHES = patchset.load()
WGP, ANY, MODEL = "wgp.py", "models/wan/any2video.py", "models/wan/modules/model.py"


def git(root: Path, *words: str) -> None:
    names = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *names, *words], cwd=root, check=True, capture_output=True)


@pytest.fixture(autouse=True)
def no_settings_of_this_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    folder = miniature.write(tmp_path / "upstream")
    git(folder, "init", "-q")
    git(folder, "add", "-f", ".")
    git(folder, "commit", "-qm", "12.60")
    return folder


@pytest.fixture
def root(upstream: Path, tmp_path: Path) -> Path:
    git(tmp_path, "clone", "-q", str(upstream), "WanGP")
    return tmp_path / "WanGP"


def release(upstream: Path, flavour: str = "newer", **files: bytes) -> dict[str, bytes]:
    """Commit another release and return its three files."""
    for path, data in {**miniature.files(flavour), **files}.items():
        (upstream / path).parent.mkdir(parents=True, exist_ok=True)
        (upstream / path).write_bytes(data)
    git(upstream, "add", "-f", ".")
    git(upstream, "commit", "-qm", flavour)
    return miniature.files(flavour)


def content(root: Path) -> dict[str, object]:
    """Return everything but git's own files, with the times of the files that carry hooks."""
    found = {key: value for key, value in tree(root).items() if not key.startswith("0:.git/")}
    return {**found, **{path: (root / path).stat().st_mtime_ns for path in PATCHES.paths}}


def clean(root: Path) -> dict[str, bytes]:
    return {
        path: hooks.remove_hooks(PATCHES.variants[path], path, (root / path).read_bytes()) for path in PATCHES.paths
    }


def refused(root: Path) -> SviError:
    before = content(root)
    with pytest.raises(SviError) as caught:
        update(root)
    assert content(root) == before
    return caught.value


class TestUpdate:
    @pytest.mark.parametrize("first", ["installed", "wiped", "partial", "outdated"])
    def test_pulls_and_keeps_svi_in(self, upstream: Path, root: Path, first: str) -> None:
        install(root)
        if first == "wiped":
            git(root, "-c", "filter.svi-install.smudge=", "checkout", "--", ".")
        elif first == "partial":
            git(root, "-c", "filter.svi-install.smudge=", "checkout", "--", WGP)
        elif first == "outdated":
            from tests.older import install_other

            install_other(root, PATCHES)
        new = release(upstream)
        said: list[str] = []
        result = update(root, said.append)
        assert result.headline == "WanGP 12.60 was updated to 13.141; SVI is in it."
        assert (result.command, result.status, result.state) == ("update", "done", "installed")
        assert result.extra["commit_before"] != result.extra["commit_after"]
        assert said == ["Asking for the newest WanGP ..."]
        assert clean(root) == new
        assert state.read(root, PATCHES).name == "installed"

    def test_a_wangp_without_svi_stays_without(self, upstream: Path, root: Path) -> None:
        new = release(upstream)
        result = update(root)
        assert result.headline.endswith("SVI is not in it.")
        assert {path: (root / path).read_bytes() for path in PATCHES.paths} == new
        assert not (root / "svi_wangp").exists()

    def test_nothing_new(self, root: Path) -> None:
        assert update(root).headline == "WanGP 12.60 is up to date; SVI is not in it."
        install(root)
        before = content(root)
        result = update(root)
        assert (result.status, result.headline) == ("unchanged", "WanGP 12.60 is up to date; SVI is in it.")
        assert content(root) == before

    def test_nothing_new_but_wiped(self, root: Path) -> None:
        install(root)
        git(root, "-c", "filter.svi-install.smudge=", "checkout", "--", ".")
        assert update(root).headline == "WanGP 12.60 is up to date; SVI is in it again."
        assert state.read(root, PATCHES).name == "installed"

    def test_commits_of_ones_own_on_top(self, root: Path) -> None:
        (root / "mine.py").write_bytes(b"mine")
        git(root, "add", "mine.py")
        git(root, "commit", "-qm", "mine")
        assert update(root).status == "unchanged"

    def test_changes_that_the_update_does_not_touch_stay(self, upstream: Path, root: Path) -> None:
        install(root)
        (root / "requirements.txt").write_bytes(b"torch==2\n")
        release(upstream)
        update(root)
        assert (root / "requirements.txt").read_bytes() == b"torch==2\n"


class TestAsBefore:
    def test_a_new_wangp_that_cannot_be_patched(self, upstream: Path, root: Path) -> None:
        install(root)
        text = miniature.files()[MODEL].replace(b"first = next(iter(sd), None)", b"first = None")
        release(upstream, "base", **{MODEL: text})
        error = refused(root)
        assert (error.code, error.exit_code) == ("new-wangp-unsupported", EXIT_UNSUPPORTED)

    def test_a_network_that_is_away(self, upstream: Path, root: Path) -> None:
        install(root)
        shutil.rmtree(upstream)
        error = refused(root)
        assert error.code == "git-failed"
        assert "as it was" in error.message

    def test_changes_of_a_persons_own_in_the_same_file(self, upstream: Path, root: Path) -> None:
        install(root)
        data = (root / WGP).read_bytes()
        (root / WGP).write_bytes(data.replace(b"import", b"# mine\nimport", 1))
        release(upstream)
        error = refused(root)
        assert error.code == "own-changes"
        assert "wgp.py" in error.message

    def test_files_of_a_persons_own_that_the_update_brings(self, upstream: Path, root: Path) -> None:
        install(root)
        names = [f"shared/new{number}.py" for number in range(7)]
        for name in names:
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(b"mine")
        release(upstream, "newer", **dict.fromkeys(names, b"theirs"))
        error = refused(root)
        assert error.code == "own-changes"
        assert "and 2 more" in error.message

    def test_a_merge_that_ends_half_way(self, upstream: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        install(root)
        release(upstream, "newer", **{"shared/new.py": b"theirs", "requirements.txt": b"more\n"})
        from svi_install.commands import update as module

        def half(folder: Path, *words: str, **options: Any) -> bytes:
            if words[0] != "merge":
                return gitcall.git(folder, *words, **options)
            (folder / "shared").mkdir()
            (folder / "shared" / "new.py").write_bytes(b"theirs")
            (folder / "requirements.txt").write_bytes(b"mor")
            raise SviError("git-failed", "git merge failed: no space left on device")

        before = content(root)
        monkeypatch.setattr(module, "git", half)
        with pytest.raises(SviError, match="The checkout is as it was"):
            update(root)
        assert content(root) == before

    def test_ctrl_c_while_it_merges(self, upstream: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        install(root)
        release(upstream)
        from svi_install.commands import update as module

        def stopped(folder: Path, *words: str, **options: Any) -> bytes:
            if words[0] == "merge":
                raise KeyboardInterrupt
            return gitcall.git(folder, *words, **options)

        before = content(root)
        monkeypatch.setattr(module, "git", stopped)
        with pytest.raises(KeyboardInterrupt):
            update(root)
        assert content(root) == before

    def test_a_changed_line_of_ours(self, upstream: Path, root: Path) -> None:
        install(root)
        data = (root / WGP).read_bytes()
        (root / WGP).write_bytes(data.replace(b"svi_wangp.attach(wan_model", b"svi_wangp.attach(None"))
        release(upstream)
        assert refused(root).exit_code == EXIT_UNSUPPORTED

    def test_histories_that_parted(self, upstream: Path, root: Path) -> None:
        install(root)
        git(root, "commit", "-q", "--allow-empty", "-m", "mine")
        release(upstream)
        assert refused(root).code == "diverged"

    def test_no_branch(self, root: Path) -> None:
        git(root, "checkout", "-q", "--detach")
        error = refused(root)
        assert error.code == "no-branch"
        assert "checkout main" in error.hint

    def test_a_zip(self, tmp_path: Path) -> None:
        assert refused(miniature.write(tmp_path / "zip")).code == "no-history"

    def test_no_git(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(root))
        assert refused(root).code == "no-git"

    @posix
    def test_ended_half_way_it_is_repaired_by_the_next_install(self, upstream: Path, root: Path) -> None:
        install(root)
        new = release(upstream)
        from tests.crash.layer import Fault, in_child, layer

        with layer() as seen:
            probe = root.with_name("probe")
            shutil.copytree(root, probe, symlinks=True)
            update(probe)
        unhooked = next(number for number, name in enumerate(seen.calls) if name == "rmdir")
        assert in_child(lambda: update(root), Fault(unhooked, "after")) == 137
        assert state.read(root, PATCHES).name == "wiped"
        assert install(root).state == "installed"
        assert update(root).headline.endswith("SVI is in it.")
        assert clean(root) == new

    @pytest.mark.parametrize("stop", [False, True])
    def test_what_fails_after_the_pull_is_not_told_as_if_nothing_had_happened(
        self, upstream: Path, root: Path, monkeypatch: pytest.MonkeyPatch, stop: bool
    ) -> None:
        install(root)
        release(upstream)

        def fail(_: Path) -> Result:
            raise KeyboardInterrupt if stop else SviError("disk-full", "No room. Nothing was changed.", "Make room.")

        monkeypatch.setattr("svi_install.commands.update.install", fail)
        with pytest.raises(SviError) as caught:
            update(root)
        assert caught.value.exit_code == (130 if stop else 1)
        assert "WanGP 12.60 was updated, but SVI" in caught.value.message
        assert "Nothing was changed" not in caught.value.message
        assert caught.value.hint
        monkeypatch.undo()
        assert install(root).state == "installed"
