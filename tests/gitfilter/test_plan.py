"""What keeps an install out of git's folder, and what it does to files of git's that look strange."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from svi_install.commands.install import install
from svi_install.commands.revert import revert
from svi_install.commands.status import status
from svi_install.errors import SviError
from svi_install.gitfilter import foreign, outlook, sections
from svi_install.gitfilter.plan import is_set
from svi_install.package_data import PATCHED
from svi_install.writing import git_folder, targets
from tests import miniature
from tests.gitfilter.conftest import changed, git, patched, pristine, release
from tests.trees import posix

WGP, ANY, MODEL = PATCHED


def stepped_aside(root: Path) -> str:
    """Install, and return why git was left alone."""
    before = (root / ".git" / "config").read_bytes()
    done = install(root)
    assert done.state == "installed"
    assert (root / ".git" / "config").read_bytes() == before
    assert not is_set(root)
    note = next(note for note in done.notes if "to update WanGP: svi-install update" in note)
    revert(root)
    assert patched(root) == pristine("old")
    return note


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everything")
def test_settings_that_may_not_be_written(root: Path) -> None:  # pragma: no cover (root does not run it)
    (root / ".git" / "config").chmod(0o444)
    assert "may not be written to" in stepped_aside(root)


def test_settings_marked_read_only(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: "config" not in str(path) and real(path, mode))
    assert "may not be written to" in stepped_aside(root)


def test_git_is_at_work(root: Path) -> None:
    (root / ".git" / "config.lock").write_bytes(b"")
    assert "git is at work" in stepped_aside(root)


def test_settings_cut_off_in_the_middle_of_a_line(root: Path) -> None:
    with (root / ".git" / "config").open("ab") as file:
        file.write(b"[a]\n\tb = c\\")
    assert "ends in the middle of a line" in stepped_aside(root)


@posix
def test_a_link_to_nothing_and_a_folder(root: Path) -> None:
    (root / ".git" / "info" / "attributes").symlink_to("nowhere")
    assert "is missing" in stepped_aside(root)
    (root / ".git" / "info" / "attributes").unlink()
    (root / ".git" / "info" / "attributes").mkdir()
    assert "is no file" in stepped_aside(root)


def test_no_python_that_is_known(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    assert "is not known" in stepped_aside(root)


@posix
def test_settings_behind_a_link_stay_behind_it(root: Path, upstream: Path) -> None:
    real = root.parent / "my settings"
    (root / ".git" / "config").rename(real)
    (root / ".git" / "config").symlink_to(real)
    before = real.read_bytes()
    install(root)
    assert (root / ".git" / "config").is_symlink()
    assert real.read_bytes() != before
    release(upstream, "newer")
    git(root, "pull")
    assert status(root).state == "installed"
    revert(root)
    assert real.read_bytes() == before
    assert (root / ".git" / "config").is_symlink()


def test_settings_with_other_ends_and_includes(root: Path) -> None:
    config = root / ".git" / "config"
    (root / ".git" / "more").write_bytes(b"[alias]\n\tst = status\n")
    before = config.read_bytes().replace(b"\n", b"\r\n") + b"[include]\r\n\tpath = more"
    config.write_bytes(before)
    git(root, "config", "extensions.worktreeConfig", "true")
    git(root, "config", "--worktree", "core.sparseCheckout", "false")
    before = config.read_bytes()
    install(root)
    assert changed(root) == ""
    assert git(root, "config", "alias.st") == "status\n"
    git(root, "config", "user.signingkey", "mine")
    revert(root)
    assert git(root, "config", "--get-regexp", "filter", code=1) == ""
    assert config.read_bytes().startswith(before)
    assert git(root, "config", "user.signingkey") == "mine\n"


def test_info_that_is_not_there_is_made_and_goes(root: Path) -> None:
    for file in (root / ".git" / "info").iterdir():
        file.unlink()
    (root / ".git" / "info").rmdir()
    install(root)
    assert is_set(root)
    revert(root)
    assert not (root / ".git" / "info").exists()


@pytest.mark.parametrize(
    ("where", "text", "theirs"),
    [
        (".gitattributes", "*.py filter=mine\n", PATCHED),
        (".gitattributes", "/wgp.py -filter\n", (WGP,)),
        (".gitattributes", "[attr]special filter=mine diff\nwgp.py special\n", (WGP,)),
        (".gitattributes", "*.safetensors filter=lfs diff=lfs\n*.py text eol=lf ident\n# *.py filter=x\n", ()),
        ("models/.gitattributes", "wan/*.py filter=mine\n", (ANY,)),
        ("models/.gitattributes", "**/model.py filter=mine\n", (MODEL,)),
        (".git/info/attributes", "wgp.py filter=mine\n", (WGP,)),
        ("../attributes", "wgp.py filter=mine\n", (WGP,)),
        ("../.config/git/attributes", "models/wan/** filter=mine\n", (ANY, MODEL)),
    ],
)
def test_a_filter_of_somebody_elses_stays(root: Path, where: str, text: str, theirs: tuple[str, ...]) -> None:
    git(root, "config", "--global", "core.attributesFile", str(root.parent / "attributes"))
    git(root, "config", "filter.mine.clean", "cat")
    file = root / where
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    if where.startswith("../.config"):
        git(root, "config", "--global", "--unset", "core.attributesFile")
    said = {path: git(root, "check-attr", "filter", path).strip() for path in PATCHED}
    found = git_folder.find(root)
    assert found is not None
    assert foreign.filtered(root, found, PATCHED) == theirs
    assert {path for path in PATCHED if "unspecified" not in said[path]} == set(theirs)
    done = install(root)
    assert any(", ".join(theirs) in note and "already has a git filter" in note for note in done.notes) is bool(theirs)
    for path in PATCHED:
        now = git(root, "check-attr", "filter", path).strip()
        assert now == (said[path] if path in theirs else f"{path}: filter: svi-install")
    assert is_set(root) is (not theirs)
    revert(root)
    assert file.read_text() == text


def test_a_zip_has_nothing_of_git(tmp_path: Path) -> None:
    root = miniature.write(tmp_path / "zip")
    assert not any("git does not know" in note or "update WanGP" in note for note in install(root).notes)
    assert not is_set(root)
    assert not (root / ".git").exists()
    for path, data in miniature.files().items():
        (root / path).write_bytes(data)
    assert status(root).state == "wiped"
    assert install(root).state == "installed"
    assert status(root).state == "installed"


def test_a_git_file_that_leads_nowhere(tmp_path: Path) -> None:
    root = miniature.write(tmp_path / "odd")
    (root / ".git").write_bytes(b"gitdir: ../nowhere\n")
    assert install(root).state == "installed"
    (root / ".git").write_bytes(b"\xff\xfe")
    assert git_folder.find(root) is None
    (root / ".git").write_bytes(b"gitdir: \0\n")
    assert git_folder.find(root) is None


def test_a_plan_may_name_nothing_else_of_gits(root: Path) -> None:
    assert targets.resolve(root, ".git/config") == (root / ".git" / "config").resolve()
    for path in (".git/hooks/config", ".git/index", ".git/HEAD", ".git/info/sparse-checkout", ".git/modules/x/config"):
        with pytest.raises(SviError):
            targets.resolve(root, path)


@posix
def test_a_profile_that_is_a_link_into_gits_folder_is_refused(root: Path) -> None:
    link = root / "profiles" / "config"
    link.symlink_to(root / ".git" / "config")
    with pytest.raises(SviError, match="git's own folder"):
        targets.resolve_file(root, "profiles/config")


def test_unreadable_attributes_count_as_not_set(root: Path) -> None:
    install(root)
    (root / ".git" / "info" / "attributes").unlink()
    (root / ".git" / "info" / "attributes").mkdir()
    assert not is_set(root)


def test_what_the_ways_to_update_do(root: Path, tmp_path: Path) -> None:
    shown = status(root).checkout
    assert shown is not None
    assert [way.stays for way in outlook.ways(shown)] == [False, False, True]
    install(root)
    assert all(way.stays for way in outlook.ways(shown))
    zipped = status(miniature.write(tmp_path / "zip")).checkout
    assert zipped is not None
    assert not any(way.stays for way in outlook.ways(zipped))
    assert sections.BEGIN in (root / ".git" / "config").read_bytes()
