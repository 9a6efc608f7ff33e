from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from svi_install.loras import ledger
from svi_install.loras.part_state import open_locked


def test_a_file_is_known_until_it_is_written(tmp_path: Path) -> None:
    book, lora = tmp_path / "state" / "loras.json", tmp_path / "a.safetensors"
    assert ledger.lookup(book, lora) is None
    lora.write_bytes(b"one")
    ledger.record(book, lora, "https://x/a", "0" * 64, "pinned")
    found = ledger.lookup(book, lora)
    assert found is not None
    assert (found.url, found.sha256, found.size, found.proof) == ("https://x/a", "0" * 64, 3, "pinned")
    lora.write_bytes(b"four")
    assert ledger.lookup(book, lora) is None
    assert ledger.first_seen(book, lora) == found
    lora.unlink()
    assert ledger.lookup(book, lora) is None


def test_other_files_stay_in_the_book(tmp_path: Path) -> None:
    book = tmp_path / "loras.json"
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
        ledger.record(book, tmp_path / name, f"https://x/{name}", name * 64, "published")
    assert len(ledger.read(book)) == 2
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("loras")) == [
        "loras.json",
        "loras.json.lock",
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": 3}', '{"files": {"a": {}}}', '{"files": []}'])
def test_a_damaged_book_is_an_empty_one(tmp_path: Path, text: str) -> None:
    book = tmp_path / "loras.json"
    book.write_text(text)
    assert ledger.read(book) == {}


def test_a_book_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    lora = tmp_path / "a"
    lora.write_bytes(b"a")
    ledger.record(tmp_path / "file" / "loras.json", lora, "https://x/a", "0" * 64, "pinned")
    assert ledger.lookup(tmp_path / "file" / "loras.json", lora) is None


WRITER = """
import sys
from pathlib import Path
from svi_install.loras import ledger
book, folder, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
for number in range(20):
    ledger.record(book, folder / f"{name}{number}", "https://x/a", "0" * 64, "pinned")
"""


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    book = tmp_path / "state" / "loras.json"
    for name in ("a", "b"):
        for number in range(20):
            (tmp_path / f"{name}{number}").write_bytes(b"x")
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, book, tmp_path, name]) for name in ("a", "b")]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len(ledger.read(book)) == 40
    assert sorted(path.name for path in book.parent.iterdir()) == ["loras.json", "loras.json.lock"]


def test_threads_lose_nothing_either(tmp_path: Path) -> None:
    book = tmp_path / "loras.json"
    paths = [tmp_path / str(number) for number in range(24)]
    for path in paths:
        path.write_bytes(b"x")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda path: ledger.record(book, path, "https://x/a", "0" * 64, "pinned"), paths))
    assert len(ledger.read(book)) == len(paths)


def test_a_damaged_entry_takes_no_other_with_it(tmp_path: Path) -> None:
    book, lora = tmp_path / "loras.json", tmp_path / "a"
    lora.write_bytes(b"a")
    ledger.record(book, lora, "https://x/a", "0" * 64, "published", host="hub.example")
    data = json.loads(book.read_text())
    whole = dict(next(iter(data["files"].values())))
    for number, damage in enumerate([None, 5, [], {}, whole | {"size": "5"}, whole | {"mtime_ns": True}, {"url": 1}]):
        data["files"][f"damaged {number}"] = damage
    data["files"]["of a later svi-install"] = whole | {"later": 1}
    del whole["host"]
    data["files"]["of an earlier one"] = whole
    book.write_text(json.dumps(data))
    assert sorted(ledger.read(book)) == sorted([str(lora), "of a later svi-install", "of an earlier one"])
    assert ledger.read(book)[str(lora)].host == "hub.example"
    assert ledger.read(book)["of an earlier one"].host == ""


def test_a_book_too_deep_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "loras.json").write_text("[" * 100_000)
    assert ledger.read(tmp_path / "loras.json") == {}


def test_a_writer_that_is_stuck_is_not_waited_for_forever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lora = tmp_path / "a"
    lora.write_bytes(b"a")
    monkeypatch.setattr(ledger, "_PATIENCE", 0.0)
    held, _ = open_locked(tmp_path / "loras.json.lock")
    ledger.record(tmp_path / "loras.json", lora, "https://x/a", "0" * 64, "pinned")
    assert ledger.read(tmp_path / "loras.json") == {}
    os.close(held)


def test_a_lock_that_is_a_link_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"of a person")
    (tmp_path / "loras.json.lock").symlink_to("mine")
    ledger.record(tmp_path / "loras.json", tmp_path / "mine", "https://x/a", "0" * 64, "pinned")
    assert ledger.read(tmp_path / "loras.json") == {}
    assert (tmp_path / "mine").read_bytes() == b"of a person"


def test_the_place_of_the_book(tmp_path: Path) -> None:
    env = {"XDG_STATE_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    assert ledger.default_path(env).parts[-2:] == ("svi-install", "loras.json")
