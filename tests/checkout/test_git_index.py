from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest

from svi_install.checkout.git_index import is_committed
from svi_install.patching.reader import Reader


def git(root: Path, *words: str) -> None:
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, env=env)


@pytest.fixture(params=[2, 3, 4])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    (folder / "models" / "wan").mkdir(parents=True)
    for name in ("a.py", "models/wan/any2video.py", "models/wan/z.py", "wgp.py", "new.py"):
        (folder / name).write_bytes(f"# {name}\n".encode() * 3)
    git(folder, "init", "-q")
    git(folder, "config", "index.version", str(request.param))
    git(folder, "add", "a.py", "models", "wgp.py")
    if request.param == 3:
        git(folder, "add", "--intent-to-add", "new.py")
    git(folder, "update-index", "--index-version", str(request.param))
    assert (folder / ".git" / "index").read_bytes()[7] in ((2, 3) if request.param == 3 else (request.param,))
    return folder


def test_what_git_has(root: Path) -> None:
    for path in ("models/wan/any2video.py", "wgp.py"):
        data = (root / path).read_bytes()
        assert is_committed(root, path, data)
        assert is_committed(root, path, data.replace(b"\n", b"\r\n"))
        assert not is_committed(root, path, data + b"#\n")


def test_what_git_does_not_have(root: Path) -> None:
    assert not is_committed(root, "other.py", b"")


def test_a_worktree(root: Path) -> None:
    git(root, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x", "--allow-empty")
    git(root, "worktree", "add", "-q", "../tree")
    tree = root.parent / "tree"
    assert Reader(tree).proof("wgp.py", (tree / "wgp.py").read_bytes()) == "git"
    assert Reader(tree).proof("wgp.py", b"") == "hooks"


@pytest.mark.parametrize("index", [b"", b"DIRC", b"JUNK" * 9, struct.pack(">4sLL", b"DIRC", 9, 1), None])
def test_an_index_of_another_kind(tmp_path: Path, index: bytes | None) -> None:
    (tmp_path / ".git").mkdir()
    if index is not None:
        (tmp_path / ".git" / "index").write_bytes(index)
    assert not is_committed(tmp_path, "wgp.py", b"")


def test_a_long_common_prefix_is_cut_back(tmp_path: Path) -> None:
    names = ["d/" + "x" * 200 + "/a.py", "e.py"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "update-index", "--index-version", "4")
    assert is_committed(tmp_path, "e.py", b"e.py")


def test_the_disk_answers(tmp_path: Path) -> None:
    disk = Reader(tmp_path)
    (tmp_path / "a").write_bytes(b"1")
    assert (disk.read("a"), disk.read("b"), disk.exists("a"), disk.exists("b")) == (b"1", None, True, False)
    assert disk.mtime_ns("a") == (tmp_path / "a").stat().st_mtime_ns
    assert disk.mtime_ns("b") is None
