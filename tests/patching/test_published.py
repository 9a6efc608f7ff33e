from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from svi_install.patching import patchset, published
from svi_install.patching.reader import Reader
from tests import miniature

PATCHES = patchset.load()
WGP = "wgp.py"


def git(root: Path, *words: str) -> str:
    names = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", *names, *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(published, "data_folder", lambda _: tmp_path)
    (tmp_path / published.NAME).write_text(json.dumps({"files": {WGP: [published.blob_id(b"a\nb\n")]}}))
    return tmp_path


def test_a_published_content(listed: Path) -> None:
    assert published.is_published(WGP, b"a\nb\n")
    assert published.is_published(WGP, b"a\r\nb\r\n")
    assert Reader(listed).proof(WGP, b"a\nb\n") == "published"


def test_anything_else(listed: Path) -> None:
    assert not published.is_published(WGP, b"a\n")
    assert not published.is_published("other.py", b"a\nb\n")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"files": 3}', b"\xff"])
def test_a_damaged_list_knows_nothing(listed: Path, data: bytes) -> None:
    (listed / published.NAME).write_bytes(data)
    assert not published.is_published(WGP, b"a\nb\n")
    (listed / published.NAME).unlink()
    assert not published.is_published(WGP, b"a\nb\n")


def test_the_packages_own_list_is_complete() -> None:
    stored = json.loads((published.data_folder("patches") / published.NAME).read_bytes())
    assert set(stored["files"]) == set(PATCHES.paths)
    assert all(len(blob) == 40 for blobs in stored["files"].values() for blob in blobs)


def test_the_list_is_made_from_the_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q")
    git(root, "commit", "-q", "--allow-empty", "-m", "before all")
    first = ""
    for flavour in ("old", "base"):
        miniature.write(root, flavour)
        git(root, "add", "-f", ".")
        git(root, "commit", "-qm", flavour)
        first = first or git(root, "rev-parse", "HEAD")
    (tmp_path / "patches").mkdir()
    monkeypatch.setattr(published, "data_folder", lambda _: tmp_path / "patches")
    monkeypatch.setattr(patchset, "load", lambda: patchset.PatchSet("x", PATCHES.paths, {}, {"9.0": first}, {}))
    monkeypatch.setattr(published.sys, "argv", ["known", str(root)])
    published.main()
    for flavour in ("old", "base"):
        assert all(published.is_published(path, data) for path, data in miniature.files(flavour).items())
    assert not published.is_published(WGP, miniature.files("newer")[WGP])
