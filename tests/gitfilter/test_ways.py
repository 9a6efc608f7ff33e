"""Every way in which git writes WanGP's files leaves SVI in, and taking it out leaves no trace."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from svi_install.commands.install import install
from svi_install.commands.revert import revert
from svi_install.commands.status import status
from svi_install.gitfilter import drivers
from svi_install.gitfilter.plan import is_set
from svi_install.package_data import MARKER, PATCHED
from svi_install.writing.git_folder import find
from tests.gitfilter.conftest import changed, git, patched, pristine, release

WGP, ANY, MODEL = PATCHED


def of_git(root: Path) -> dict[str, bytes | None]:
    """Git's own files that an install adds lines to."""
    found = find(root)
    assert found is not None
    names = ("config", "info/attributes", "info/exclude")
    return {name: (found.common / name).read_bytes() if (found.common / name).exists() else None for name in names}


def with_svi(root: Path) -> bool:
    return status(root).state == "installed" and changed(root) == ""


def test_a_pull_brings_the_new_wangp_with_svi(root: Path, upstream: Path) -> None:
    before = of_git(root)
    done = install(root)
    assert done.state == "installed"
    assert "Update WanGP as you always do: git keeps SVI in it." in done.notes
    assert not any("as you always do" in note for note in install(root).notes)
    assert is_set(root)
    assert changed(root) == ""
    release(upstream, "newer")
    git(root, "pull")
    assert with_svi(root)
    shown = status(root)
    assert "kept through an update" in shown.headline
    assert not any("other changes" in note for note in shown.notes)
    done = revert(root)
    assert not any("changed since" in note for note in done.notes)
    assert patched(root) == pristine("newer")
    assert of_git(root) == before
    assert changed(root) == ""


def test_an_install_after_the_update_notes_the_new_wangp(root: Path, upstream: Path) -> None:
    install(root)
    release(upstream, "newer")
    git(root, "pull")
    install(root)
    assert "kept" not in status(root).headline
    (root / WGP).write_bytes(b"broken")
    git(root, "checkout", "--", WGP)
    revert(root)
    assert patched(root) == pristine("newer")


@pytest.mark.parametrize(
    "words",
    [
        (("fetch",), ("reset", "--hard", "origin/main")),
        (("fetch",), ("merge", "origin/main")),
        (("pull", "--rebase"),),
        (("fetch",), ("checkout", "--detach", "origin/main")),
        (("fetch",), ("checkout", "-f", "--detach", "origin/main")),
        (("stash",), ("pull",)),
        (("fetch",), ("read-tree", "-u", "--reset", "origin/main")),
        (("fetch",), ("restore", "--source=origin/main", "--staged", "--worktree", ".")),
    ],
    ids=lambda words: words[-1][0] if isinstance(words, tuple) else str(words),
)
def test_the_ways_of_git(root: Path, upstream: Path, words: tuple[tuple[str, ...], ...]) -> None:
    install(root)
    release(upstream, "newer")
    for each in words:
        git(root, *each)
    assert status(root).state == "installed"
    assert pristine("newer")[WGP] in git(root, "show", f":{WGP}").encode()
    revert(root)
    assert patched(root) == pristine("newer")


def test_a_commit_of_ones_own_does_not_hold_our_lines(root: Path, upstream: Path) -> None:
    install(root)
    (root / WGP).write_bytes((root / WGP).read_bytes() + b"OWN = 1\n")
    assert changed(root) == f" M {WGP}\n"
    assert MARKER not in git(root, "diff")
    git(root, "commit", "-qam", "mine")
    assert MARKER not in git(root, "show", f"HEAD:{WGP}")
    release(upstream, "newer")
    git(root, "pull", "--rebase")
    assert with_svi(root)
    assert b"OWN = 1\n" in (root / WGP).read_bytes()
    git(root, "checkout", "-q", "-b", "other", "HEAD~1")
    git(root, "cherry-pick", "main")
    assert with_svi(root)
    revert(root)
    assert (root / WGP).read_bytes() == pristine("newer")[WGP] + b"OWN = 1\n"
    assert changed(root) == ""


def test_an_edit_is_never_staged_and_survives(root: Path) -> None:
    (root / WGP).write_bytes((root / WGP).read_bytes() + b"OWN = 1\n")
    install(root)
    assert git(root, "diff", "--cached", "--name-only") == ""
    assert changed(root) == f" M {WGP}\n"
    git(root, "stash")
    assert with_svi(root)
    git(root, "stash", "pop")
    assert b"OWN = 1\n" in (root / WGP).read_bytes()
    assert status(root).state == "installed"
    revert(root)
    assert (root / WGP).read_bytes() == pristine("old")[WGP] + b"OWN = 1\n"


def test_a_conflict_leaves_that_file_without_svi_until_it_is_settled(root: Path, upstream: Path) -> None:
    install(root)
    data = (root / WGP).read_bytes()
    (root / WGP).write_bytes(data.replace(b'"9.91"', b'"9.91 mine"'))
    git(root, "commit", "-qam", "mine")
    release(upstream, "newer")
    said = git(root, "pull", "--no-rebase", code=1)
    assert f"svi-install: SVI is not in {WGP}" in said
    merged = (root / WGP).read_bytes()
    assert b"<<<<<<< " in merged
    assert MARKER.encode() not in merged
    (root / WGP).write_bytes(pristine("newer")[WGP])
    git(root, "commit", "-qam", "settled")
    shown = status(root)
    assert shown.state == "partial"
    assert install(root).state == "installed"
    assert with_svi(root)


def test_a_file_that_has_no_place_for_the_hooks(root: Path, upstream: Path) -> None:
    install(root)
    release(upstream, "newer", **{MODEL: b"class WanModel:\n    pass\n"})
    said = git(root, "pull")
    assert f"svi-install: SVI is not in {MODEL}: " in said
    assert (root / MODEL).read_bytes() == b"class WanModel:\n    pass\n"
    shown = status(root)
    assert shown.state == "partial"
    assert any(note.startswith(f"{MODEL} has no hooks: ") for note in shown.notes)


def test_without_svi_install_the_text_passes_and_the_way_out_is_said(
    root: Path, upstream: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(drivers, "SCRIPT", Path("/gone/smudge.py"))
        install(root)
    assert changed(root) == ""
    release(upstream, "newer")
    said = git(root, "pull")
    assert "svi-install is not there any more" in said
    out = next(line for line in said.splitlines() if "to end this" in line).partition("message: ")[2]
    # The third file is the same in both releases, so git has not touched it.
    assert [patched(root)[path] for path in (WGP, ANY)] == [pristine("newer")[path] for path in (WGP, ANY)]
    subprocess.run(["/bin/sh", "-c", out], cwd=root, check=True)
    assert "svi-install" not in git(root, "reset", "--hard", "HEAD~1")
    assert [patched(root)[path] for path in (WGP, ANY)] == [pristine("old")[path] for path in (WGP, ANY)]
    revert(root)
    assert changed(root) == ""


def test_a_broken_svi_install_lets_the_text_through(root: Path) -> None:
    install(root)
    receipt = root / ".svi-install" / "receipt.json"
    receipt.unlink()
    receipt.mkdir()
    (root / WGP).unlink()
    git(root, "checkout", "--", WGP)
    assert (root / WGP).read_bytes() == pristine("old")[WGP]


def test_another_svi_install_since_the_install_does_not_mix_its_hooks_in(root: Path) -> None:
    install(root)
    receipt = root / ".svi-install" / "receipt.json"
    receipt.write_bytes(receipt.read_bytes().replace(b'"patch_set": "', b'"patch_set": "0'))
    (root / WGP).unlink()
    assert "svi-install was changed since. Run: svi-install" in git(root, "checkout", "--", WGP)
    assert (root / WGP).read_bytes() == pristine("old")[WGP]
    install(root)
    assert with_svi(root)


@pytest.mark.parametrize("convert", ["true", "input"])
def test_line_ends_are_converted_around_the_filter(upstream: Path, convert: str) -> None:
    git(upstream.parent, "clone", "-q", "-c", f"core.autocrlf={convert}", "upstream", "WanGP")
    root = upstream.parent / "WanGP"
    end = b"\r\n" if convert == "true" else b"\n"
    install(root)
    assert changed(root) == ""
    release(upstream, "newer")
    git(root, "pull")
    assert with_svi(root)
    assert all(data.count(b"\n") == data.count(end) for data in patched(root).values())
    revert(root)
    assert patched(root) == {path: data.replace(b"\n", end) for path, data in pristine("newer").items()}
    assert changed(root) == ""


def test_two_work_trees_of_which_one_has_svi(root: Path, upstream: Path) -> None:
    other = root.parent / "other"
    git(root, "worktree", "add", "-q", "-b", "other", str(other))
    before = of_git(root)
    install(other)
    assert with_svi(other)
    assert changed(root) == ""
    assert patched(root) == pristine("old")
    release(upstream, "newer")
    git(root, "pull")
    assert patched(root) == pristine("newer")
    git(other, "merge", "-q", "main")
    assert with_svi(other)
    assert of_git(root) != before
    revert(other)
    assert patched(other) == pristine("newer")
    assert of_git(root) == before
    assert not list((root / ".git").rglob(".svi-*"))


def test_both_work_trees_have_svi_and_one_gives_it_back(root: Path) -> None:
    other = root.parent / "other"
    git(root, "worktree", "add", "-q", "-b", "other", str(other))
    install(root)
    install(other)
    revert(other)
    (root / WGP).unlink()
    git(root, "checkout", "--", WGP)
    assert with_svi(root)


def test_a_submodule(root: Path, upstream: Path) -> None:
    whole = root.parent / "whole"
    git(root.parent, "init", "-q", "whole")
    git(whole, "submodule", "--quiet", "add", str(upstream), "app")
    git(whole, "commit", "-qm", "with WanGP")
    inner = whole / "app"
    before = of_git(inner)
    install(inner)
    assert with_svi(inner)
    assert git(whole, "status", "--porcelain") == ""
    release(upstream, "newer")
    git(whole, "submodule", "update", "--remote")
    assert with_svi(inner)
    revert(inner)
    assert patched(inner) == pristine("newer")
    assert of_git(inner) == before


@pytest.mark.parametrize("how", [("--depth=1",), ("--filter=blob:none",), ("--separate-git-dir=../git of it",)])
def test_clones_of_other_kinds(upstream: Path, how: tuple[str, ...]) -> None:
    git(upstream, "config", "uploadpack.allowFilter", "true")
    folder = upstream.parent / "nest"
    folder.mkdir()
    git(folder, "clone", "-q", *how, upstream.as_uri(), "WanGP")
    root = folder / "WanGP"
    before = of_git(root)
    install(root)
    release(upstream, "newer")
    git(root, "pull")
    assert with_svi(root)
    revert(root)
    assert patched(root) == pristine("newer")
    assert of_git(root) == before


def test_a_sparse_checkout(root: Path, upstream: Path) -> None:
    git(root, "sparse-checkout", "set", "--cone", "--sparse-index", "models", "profiles", "loras")
    install(root)
    assert changed(root) == ""
    release(upstream, "newer")
    git(root, "pull")
    assert with_svi(root)


def test_cleaning_everything_away_and_coming_back(root: Path) -> None:
    install(root)
    git(root, "clean", "-fd")
    assert with_svi(root)
    git(root, "clean", "-fdx")
    assert not (root / "svi_wangp").exists()
    (root / WGP).unlink()
    git(root, "checkout", "--", WGP)
    assert (root / WGP).read_bytes() == pristine("old")[WGP]
    assert install(root).state == "installed"
    assert with_svi(root)


def test_an_archive_holds_what_the_work_tree_holds(root: Path) -> None:
    """As git says of every filter; the hooks step aside where the runtime is not."""
    install(root)
    assert MARKER in git(root, "archive", "HEAD", WGP)
    plain = git(root, "-c", "filter.svi-install.smudge=", "archive", "HEAD", WGP)
    assert MARKER not in plain


def test_a_file_of_our_name_that_wangp_ships_wins(root: Path, upstream: Path) -> None:
    install(root)
    ours = next((root / "profiles" / "wan_2_2").glob("SVI*.json")).relative_to(root).as_posix()
    release(upstream, "newer", **{ours: b'{"of": "WanGP"}\n'})
    git(root, "pull")
    assert (root / ours).read_bytes() == b'{"of": "WanGP"}\n'
    assert with_svi(root)
    assert any(ours in note for note in install(root).notes)
    revert(root)
    assert (root / ours).read_bytes() == b'{"of": "WanGP"}\n'
    assert changed(root) == ""


def test_file_modes_that_do_not_count(root: Path) -> None:
    git(root, "config", "core.fileMode", "false")
    (root / WGP).chmod(0o755)
    install(root)
    assert changed(root) == ""


def test_gitpython(root: Path, upstream: Path) -> None:
    from git import Repo

    install(root)
    release(upstream, "newer")
    with Repo(root) as repo:
        assert not repo.is_dirty()
        repo.remotes.origin.pull()
        assert not repo.is_dirty(untracked_files=True)
    assert with_svi(root)


def test_the_place_of_svi_install_may_have_any_name(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Percent signs and quotes mean something to git, to its settings and to the shell."""
    place = root.parent / '100%f "it\'s" $HOME `x` \\ n#;ö'
    package = place / "svi_install"
    shutil.copytree(drivers.SCRIPT.parents[1], package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("patches", "profiles"):
        shutil.copytree(drivers.SCRIPT.parents[2] / name, place / name)
    link = place / "python's"
    link.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    link.chmod(0o755)
    monkeypatch.setattr(drivers, "SCRIPT", package / "gitfilter" / "smudge.py")
    monkeypatch.setattr(sys, "executable", str(link))
    install(root)
    (root / WGP).unlink()
    assert "svi-install" not in git(root, "checkout", "--", WGP)
    assert with_svi(root)
    quoted = str(link).replace("'", "'\\''")
    assert quoted in git(root, "config", "filter.svi-install.smudge").replace("%%", "%")
