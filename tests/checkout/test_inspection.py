from __future__ import annotations

from pathlib import Path

import pytest

from svi_install.checkout.inspection import (
    head,
    holds_comfyui,
    inspect,
    is_comfyui,
    kind_of,
    missing_marker,
    newline_of,
)
from svi_install.errors import EXIT_NO_CHECKOUT, EXIT_UNSUPPORTED, SviError
from svi_install.package_data import PATCHED

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40


def wangp(root: Path, version: str = "12.60", newline: str = "\n") -> Path:
    for marker in PATCHED:
        path = root / marker
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {marker}\nvalue = 1\n", "utf-8", newline=newline)
    (root / "wgp.py").write_text(f'import os\nWanGP_version = "{version}"\n', "utf-8", newline=newline)
    return root


def git(root: Path, head_text: str) -> Path:
    folder = root / ".git"
    folder.mkdir(parents=True)
    (folder / "HEAD").write_text(head_text, "utf-8")
    return folder


def test_a_zip_is_described(tmp_path: Path) -> None:
    checkout = inspect(wangp(tmp_path / "Wan2GP-main"))
    assert checkout.root == tmp_path / "Wan2GP-main"
    assert (checkout.kind, checkout.version, checkout.branch, checkout.commit) == ("zip", "12.60", None, None)
    assert checkout.newline == "lf"


@pytest.mark.parametrize("version", ["9.0", "9.4", "10.0", "11", "11.771<", "12.34567", "17.17", "100.1"])
def test_every_version_string_since_9_is_taken_as_it_is(tmp_path: Path, version: str) -> None:
    assert inspect(wangp(tmp_path, version)).version == version


@pytest.mark.parametrize("version", ["5.3", "7.7S", "8", "8.996"])
def test_older_than_9_is_said_so(tmp_path: Path, version: str) -> None:
    with pytest.raises(SviError, match=rf"WanGP {version}; SVI needs 9\.0") as caught:
        inspect(wangp(tmp_path, version))
    assert (caught.value.code, caught.value.exit_code) == ("too-old", EXIT_UNSUPPORTED)


@pytest.mark.parametrize("marker", PATCHED[1:])
def test_an_incomplete_folder_names_the_missing_file(tmp_path: Path, marker: str) -> None:
    (wangp(tmp_path) / marker).unlink()
    with pytest.raises(SviError, match=f"{marker} is missing") as caught:
        inspect(tmp_path)
    assert (caught.value.code, caught.value.exit_code) == ("incomplete", EXIT_UNSUPPORTED)


def test_a_folder_without_wangp_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SviError, match=r"is not a WanGP folder: no wgp\.py") as caught:
        inspect(tmp_path)
    assert caught.value.exit_code == EXIT_NO_CHECKOUT


def test_a_wangp_that_lost_its_version_line_still_counts(tmp_path: Path) -> None:
    (wangp(tmp_path) / "wgp.py").write_text("import os\n", "utf-8")
    assert inspect(tmp_path).version == "unknown"


def test_missing_markers_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "wgp.py").write_text("print()\n", "utf-8")
    assert missing_marker(tmp_path / "none") == "no such folder"
    assert missing_marker(tmp_path / "file") == "not a folder"
    assert missing_marker(tmp_path) == "no wgp.py"
    assert missing_marker(tmp_path / "other") == "its wgp.py has no WanGP_version"
    assert missing_marker(wangp(tmp_path / "good")) == ""


def test_a_folder_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = wangp(tmp_path)

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    def fail(self: Path) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert missing_marker(root) == "no permission to look inside"
    monkeypatch.setattr(Path, "read_bytes", fail)
    assert missing_marker(root) == "Input/output error"


def test_a_disk_that_fails_half_way_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = wangp(tmp_path)

    def fail(folder: Path) -> None:
        raise OSError(5, "Input/output error", str(folder / "wgp.py"))

    monkeypatch.setattr("svi_install.checkout.inspection.newline_of", fail)
    with pytest.raises(SviError, match=r"Could not read .*wgp\.py: the disk reported an error"):
        inspect(root)


@pytest.mark.parametrize("marker", ["comfyui_version.py", "custom_nodes/"])
def test_comfyui_is_recognised_by_what_lies_in_it(tmp_path: Path, marker: str) -> None:
    folder = tmp_path / "ComfyUI"
    folder.mkdir()
    assert not is_comfyui(folder)
    if marker.endswith("/"):
        (folder / marker).mkdir()
    else:
        (folder / marker).write_text("", "utf-8")
    assert is_comfyui(folder)
    assert holds_comfyui(tmp_path)
    assert not holds_comfyui(folder)


@pytest.mark.parametrize(
    ("folder", "extra", "kind"),
    [
        ("pinokio/api/wan.git/app", ".git", "pinokio"),
        ("anywhere/app", "../pinokio.js", "pinokio"),
        ("Wan2GP", ".git", "git"),
        ("app", "", "zip"),
    ],
)
def test_kind(tmp_path: Path, folder: str, extra: str, kind: str) -> None:
    root = tmp_path / folder
    root.mkdir(parents=True)
    if extra:
        (root / extra).mkdir()
    assert kind_of(root) == kind


@pytest.mark.parametrize(("newline", "name"), [("\n", "lf"), ("\r\n", "crlf")])
def test_newline_style(tmp_path: Path, newline: str, name: str) -> None:
    assert newline_of(wangp(tmp_path, newline=newline)) == name


def test_mixed_newlines_across_files(tmp_path: Path) -> None:
    (wangp(tmp_path) / PATCHED[1]).write_bytes(b"a\r\nb\r\n")
    assert newline_of(tmp_path) == "mixed"


def test_head_of_a_branch_with_a_loose_ref(tmp_path: Path) -> None:
    folder = git(tmp_path, "ref: refs/heads/feature/one\n")
    (folder / "refs/heads/feature").mkdir(parents=True)
    (folder / "refs/heads/feature/one").write_text(COMMIT + "\n", "utf-8")
    assert head(tmp_path) == ("feature/one", COMMIT)


def test_head_of_a_branch_with_a_packed_ref(tmp_path: Path) -> None:
    folder = git(tmp_path, "ref: refs/heads/main\n")
    lines = [
        "# pack-refs with: peeled sorted",
        f"{OTHER} refs/heads/mainline",
        f"{COMMIT} refs/heads/main",
        f"^{OTHER}",
    ]
    (folder / "packed-refs").write_text("\n".join(lines), "utf-8")
    assert head(tmp_path) == ("main", COMMIT)


def test_a_loose_ref_wins_over_a_packed_one(tmp_path: Path) -> None:
    folder = git(tmp_path, "ref: refs/heads/main\n")
    (folder / "refs/heads").mkdir(parents=True)
    (folder / "refs/heads/main").write_text(COMMIT, "utf-8")
    (folder / "packed-refs").write_text(f"{OTHER} refs/heads/main\n", "utf-8")
    assert head(tmp_path) == ("main", COMMIT)


def test_a_detached_head_has_no_branch(tmp_path: Path) -> None:
    git(tmp_path, COMMIT + "\n")
    assert head(tmp_path) == (None, COMMIT)


def test_a_worktree_finds_refs_in_the_common_folder(tmp_path: Path) -> None:
    main = git(tmp_path / "main", "ref: refs/heads/main\n")
    (main / "refs/heads").mkdir(parents=True)
    (main / "refs/heads/side").write_text(COMMIT, "utf-8")
    private = main / "worktrees/side"
    private.mkdir(parents=True)
    (private / "HEAD").write_text("ref: refs/heads/side\n", "utf-8")
    (private / "commondir").write_text("../..\n", "utf-8")
    (tmp_path / "side").mkdir()
    (tmp_path / "side/.git").write_text("gitdir: ../main/.git/worktrees/side\n", "utf-8")
    assert head(tmp_path / "side") == ("side", COMMIT)


@pytest.mark.parametrize("text", ["", "rubbish", "ref: refs/heads/.invalid\n"])
def test_an_unreadable_head_is_unknown(tmp_path: Path, text: str) -> None:
    git(tmp_path, text)
    assert head(tmp_path) == (None, None)


def test_a_branch_without_a_commit(tmp_path: Path) -> None:
    folder = git(tmp_path, "ref: refs/heads/main\n")
    assert head(tmp_path) == ("main", None)
    (folder / "packed-refs").write_text(f"{OTHER} refs/heads/other\nrubbish refs/heads/main\n", "utf-8")
    assert head(tmp_path) == ("main", None)
    (folder / "refs/heads").mkdir(parents=True)
    (folder / "refs/heads/main").write_text("rubbish", "utf-8")
    assert head(tmp_path) == ("main", None)


def test_no_git_at_all(tmp_path: Path) -> None:
    assert head(tmp_path) == (None, None)
