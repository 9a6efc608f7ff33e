from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from svi_install.loras import local_files
from svi_install.loras.catalogue import LoraFile, Place
from svi_install.loras.local_files import blob_hash, candidates, take
from svi_install.loras.transfer.settings import ledger_path
from svi_install.writing.own_files import open_locked

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
    assert candidates(root, FILE, root / "t", tmp_path / "hub") == (blob,)
    assert blob_hash(blob) == sha256(DATA)


def test_a_cache_without_links(root: Path, tmp_path: Path) -> None:
    copy = cached(tmp_path / "hub", links=False)
    assert candidates(root, FILE, root / "t", tmp_path / "hub") == (copy,)
    assert blob_hash(copy) == ""


def test_another_folder_of_this_wangp_whatever_its_name(root: Path) -> None:
    copy = lora(root, "renamed.safetensors")
    lora(root, "other.safetensors", b"short")
    assert candidates(root, FILE, root / "t", None) == (copy,)


def test_the_target_is_no_candidate(root: Path) -> None:
    assert candidates(root, FILE, lora(root, "svi.safetensors"), None) == ()


def test_without_a_size_only_the_same_name_is_worth_hashing(root: Path) -> None:
    copy = lora(root, "svi.safetensors")
    lora(root, "renamed.safetensors")
    unknown = LoraFile("fp32", FILE.place)
    assert candidates(root, unknown, root / "t", None) == (copy,)


def test_the_size_of_the_tensors_narrows_it_down(root: Path) -> None:
    copy = lora(root, "renamed.safetensors")
    lora(root, "small.safetensors", DATA[:500])
    assert candidates(root, LoraFile("fp32", FILE.place, tensor_bytes=900), root / "t", None) == (copy,)


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


def test_a_file_is_known_until_it_is_written(tmp_path: Path) -> None:
    book, lora = tmp_path / "state" / "loras.json", tmp_path / "a.safetensors"
    assert local_files.lookup(book, lora) is None
    lora.write_bytes(b"one")
    local_files.record(book, lora, "https://x/a", "0" * 64, "pinned")
    found = local_files.lookup(book, lora)
    assert found is not None
    assert (found.url, found.sha256, found.size, found.proof) == ("https://x/a", "0" * 64, 3, "pinned")
    lora.write_bytes(b"four")
    assert local_files.lookup(book, lora) is None
    assert local_files.first_seen(book, lora) == found
    lora.unlink()
    assert local_files.lookup(book, lora) is None


def test_other_files_stay_in_the_book(tmp_path: Path) -> None:
    book = tmp_path / "loras.json"
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
        local_files.record(book, tmp_path / name, f"https://x/{name}", name * 64, "published")
    assert len(local_files.read(book)) == 2
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("loras")) == [
        "loras.json",
        "loras.json.lock",
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": 3}', '{"files": {"a": {}}}', '{"files": []}'])
def test_a_damaged_book_is_an_empty_one(tmp_path: Path, text: str) -> None:
    book = tmp_path / "loras.json"
    book.write_text(text)
    assert local_files.read(book) == {}


def test_a_book_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    lora = tmp_path / "a"
    lora.write_bytes(b"a")
    local_files.record(tmp_path / "file" / "loras.json", lora, "https://x/a", "0" * 64, "pinned")
    assert local_files.lookup(tmp_path / "file" / "loras.json", lora) is None


WRITER = """
import sys
from pathlib import Path
from svi_install.loras import local_files
book, folder, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
for number in range(20):
    local_files.record(book, folder / f"{name}{number}", "https://x/a", "0" * 64, "pinned")
"""


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    book = tmp_path / "state" / "loras.json"
    for name in ("a", "b"):
        for number in range(20):
            (tmp_path / f"{name}{number}").write_bytes(b"x")
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, book, tmp_path, name]) for name in ("a", "b")]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len(local_files.read(book)) == 40
    assert sorted(path.name for path in book.parent.iterdir()) == ["loras.json", "loras.json.lock"]


def test_threads_lose_nothing_either(tmp_path: Path) -> None:
    book = tmp_path / "loras.json"
    paths = [tmp_path / str(number) for number in range(24)]
    for path in paths:
        path.write_bytes(b"x")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda path: local_files.record(book, path, "https://x/a", "0" * 64, "pinned"), paths))
    assert len(local_files.read(book)) == len(paths)


def test_a_damaged_entry_takes_no_other_with_it(tmp_path: Path) -> None:
    book, lora = tmp_path / "loras.json", tmp_path / "a"
    lora.write_bytes(b"a")
    local_files.record(book, lora, "https://x/a", "0" * 64, "published", host="hub.example")
    data = json.loads(book.read_text())
    whole = dict(next(iter(data["files"].values())))
    for number, damage in enumerate([None, 5, [], {}, whole | {"size": "5"}, whole | {"mtime_ns": True}, {"url": 1}]):
        data["files"][f"damaged {number}"] = damage
    data["files"]["of a later svi-install"] = whole | {"later": 1}
    del whole["host"]
    data["files"]["of an earlier one"] = whole
    book.write_text(json.dumps(data))
    assert sorted(local_files.read(book)) == sorted([str(lora), "of a later svi-install", "of an earlier one"])
    assert local_files.read(book)[str(lora)].host == "hub.example"
    assert local_files.read(book)["of an earlier one"].host == ""


def test_a_book_too_deep_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "loras.json").write_text("[" * 100_000)
    assert local_files.read(tmp_path / "loras.json") == {}


def test_a_writer_that_is_stuck_is_not_waited_for_forever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lora = tmp_path / "a"
    lora.write_bytes(b"a")
    monkeypatch.setattr(local_files, "_PATIENCE", 0.0)
    held, _ = open_locked(tmp_path / "loras.json.lock")
    local_files.record(tmp_path / "loras.json", lora, "https://x/a", "0" * 64, "pinned")
    assert local_files.read(tmp_path / "loras.json") == {}
    os.close(held)


def test_a_lock_that_is_a_link_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"of a person")
    (tmp_path / "loras.json.lock").symlink_to("mine")
    local_files.record(tmp_path / "loras.json", tmp_path / "mine", "https://x/a", "0" * 64, "pinned")
    assert local_files.read(tmp_path / "loras.json") == {}
    assert (tmp_path / "mine").read_bytes() == b"of a person"


def test_the_place_of_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    assert ledger_path().parts[-2:] == ("svi-install", "loras.json")
