from __future__ import annotations

from pathlib import Path

import pytest

from svi_install.loras import ledger


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


def test_the_place_of_the_book(tmp_path: Path) -> None:
    env = {"XDG_STATE_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    assert ledger.default_path(env).parts[-2:] == ("svi-install", "loras.json")
