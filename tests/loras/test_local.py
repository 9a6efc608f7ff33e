from __future__ import annotations

import os
from pathlib import Path

import pytest

from svi_install.loras.catalogue import LoraFile, Place
from svi_install.loras.local import blob_hash, candidates, take

from .conftest import sha256

DATA = b"some bytes" * 100
FILE = LoraFile("fp32", Place("owner/name", "v1/svi.safetensors"), size=len(DATA), sha256=sha256(DATA))


def cached(cache: Path, data: bytes = DATA, *, links: bool = True) -> Path:
    """Lay a file into a hub cache the way the hub's own client does."""
    folder = cache / "models--owner--name"
    snapshot = folder / "snapshots" / ("c" * 40) / "v1" / "svi.safetensors"
    snapshot.parent.mkdir(parents=True)
    if not links:
        snapshot.write_bytes(data)
        return snapshot
    blob = folder / "blobs" / sha256(data)
    blob.parent.mkdir()
    blob.write_bytes(data)
    snapshot.symlink_to(os.path.relpath(blob, snapshot.parent))
    return blob


def lora(root: Path, name: str, data: bytes = DATA) -> Path:
    path = root / "loras" / "wan_i2v" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_the_hubs_cache(root: Path, tmp_path: Path) -> None:
    blob = cached(tmp_path / "hub")
    assert candidates(root, FILE, root / "t", (tmp_path / "hub",)) == (blob,)
    assert blob_hash(blob) == sha256(DATA)


def test_a_cache_without_links(root: Path, tmp_path: Path) -> None:
    copy = cached(tmp_path / "hub", links=False)
    assert candidates(root, FILE, root / "t", (tmp_path / "hub",)) == (copy,)
    assert blob_hash(copy) == ""


def test_another_folder_of_this_wangp_whatever_its_name(root: Path) -> None:
    copy = lora(root, "renamed.safetensors")
    lora(root, "other.safetensors", b"short")
    assert candidates(root, FILE, root / "t", ()) == (copy,)


def test_the_target_is_no_candidate(root: Path) -> None:
    assert candidates(root, FILE, lora(root, "svi.safetensors"), ()) == ()


def test_without_a_size_only_the_same_name_is_worth_hashing(root: Path) -> None:
    copy = lora(root, "svi.safetensors")
    lora(root, "renamed.safetensors")
    unknown = LoraFile("fp32", FILE.place)
    assert candidates(root, unknown, root / "t", ()) == (copy,)


def test_the_size_of_the_tensors_narrows_it_down(root: Path) -> None:
    copy = lora(root, "renamed.safetensors")
    lora(root, "small.safetensors", DATA[:500])
    assert candidates(root, LoraFile("fp32", FILE.place, tensor_bytes=900), root / "t", ()) == (copy,)


def test_a_copy_on_the_same_disk_is_linked(root: Path) -> None:
    copy = lora(root, "renamed.safetensors")
    assert take(copy, root / "t", sha256(DATA), lambda _done: None) == "linked"
    assert (root / "t").samefile(copy)


def test_a_copy_on_another_disk_is_copied(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "another disk")

    monkeypatch.setattr(os, "link", refuse)
    copy = lora(root, "renamed.safetensors")
    assert take(copy, root / "t", sha256(DATA), lambda _done: None) == "copied"
    assert (root / "t").read_bytes() == DATA
    assert not (root / "t").samefile(copy)
    assert not (root / "t.part.copy").exists()


def test_a_wrong_copy_is_left_alone(root: Path) -> None:
    copy = lora(root, "renamed.safetensors", DATA[::-1])
    assert take(copy, root / "t", sha256(DATA), lambda _done: None) == ""
    assert not (root / "t").exists()
