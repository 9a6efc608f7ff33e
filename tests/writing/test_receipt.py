from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from types import MappingProxyType

import pytest

from svi_install.errors import SviError
from svi_install.writing import files, receipt
from svi_install.writing.journal import pack
from svi_install.writing.receipt import Patched, Receipt
from tests.trees import posix

ENTRY = Patched(
    "wgp.py",
    files.digest(b"old"),
    files.digest(b"new"),
    pack(b"old"),
    "git",
    5,
    ("line  # svi-install",),
    ("old  # svi-install",),
)
RECEIPT = Receipt(
    "0.1.0", "abc", "12.60", "2026-01-01T00:00:00Z", (ENTRY,), MappingProxyType({"a.json": "0" * 64}), ("svi_wangp",)
)


@pytest.mark.parametrize("mtime", [None, 1_700_000_000_123_456_789])
def test_round_trip(mtime: int | None) -> None:
    stored = RECEIPT._replace(patched=(ENTRY._replace(mtime_ns=mtime),))
    assert receipt.parse(stored.to_bytes()) == stored


def test_loaded_from_a_checkout(tmp_path: Path) -> None:
    assert receipt.load(tmp_path) is None
    (tmp_path / ".svi-install").mkdir()
    (tmp_path / receipt.PATH).write_bytes(RECEIPT.to_bytes())
    assert receipt.load(tmp_path) == RECEIPT


def test_what_it_knows_of_a_file() -> None:
    assert RECEIPT.of("wgp.py") == ENTRY
    assert RECEIPT.of("other.py") is None
    assert ENTRY.pristine_bytes() == b"old"


@pytest.mark.parametrize("pristine", ["", "!", pack(b"other"), pack(b"old")[:-4]])
def test_other_bytes_than_it_says_are_not_given_out(pristine: str) -> None:
    assert ENTRY._replace(pristine=pristine).pristine_bytes() is None


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"3", b"null", b"{}", b'{"schema": 2}', b'{"schema": 1}', b"\xff", b"[" * 100_000]
)
def test_anything_else_counts_as_no_receipt(data: bytes) -> None:
    assert receipt.parse(data) is None


def test_the_receipts_of_the_first_release_have_no_sum() -> None:
    raw = json.loads(RECEIPT.to_bytes())
    del raw["sum"], raw["found"], raw["patched"][0]["found"]
    entry = ENTRY._replace(found=())
    assert receipt.parse(json.dumps(raw).encode()) == RECEIPT._replace(patched=(entry,), found={})


@pytest.mark.parametrize(
    ("changed", "whole"),
    [
        ({"folders": None}, {"folders": ()}),
        ({"folders": ["svi_wangp", 3, "", "a\0b"]}, {}),
        ({"added": None}, {"added": {}}),
        ({"added": {"a.json": "0" * 64, "b.json": "0" * 63, "": "0" * 64}}, {}),
        ({"version": 3}, {"version": "unknown"}),
        ({"wangp": "\ud800"}, {"wangp": "unknown"}),
        ({"found": []}, {"found": {}}),
        ({"patched": [None, {}, {"path": 3}]}, {"patched": ()}),
        ({"sum": "0" * 64}, {}),
        ({"time": "another"}, {"time": "another"}),
    ],
)
def test_of_a_damaged_one_every_whole_entry_is_taken(changed: dict[str, object], whole: dict[str, object]) -> None:
    raw = {**json.loads(RECEIPT.to_bytes()), **changed}
    assert receipt.parse(json.dumps(raw).encode()) == RECEIPT._replace(damaged=True)._replace(**whole)


@pytest.mark.parametrize(
    ("changed", "whole"),
    [
        ({"before": 3}, {"before": ""}),
        ({"after": "x" * 64}, {"after": ""}),
        ({"mtime_ns": float("inf")}, {"mtime_ns": None}),
        ({"mtime_ns": 1 << 70}, {"mtime_ns": None}),
        ({"mtime_ns": -1}, {"mtime_ns": None}),
        ({"mtime_ns": True}, {"mtime_ns": None}),
        ({"pristine": None}, {"pristine": "unknown"}),
        ({"lines": ["import os", "line  # svi-install", 3]}, {}),
        ({"found": None}, {"found": ()}),
    ],
)
def test_what_is_damaged_of_one_file_is_left_out(changed: dict[str, object], whole: dict[str, object]) -> None:
    raw = json.loads(RECEIPT.to_bytes())
    raw["patched"][0].update(changed)
    entry = ENTRY._replace(**whole)  # type: ignore[arg-type]
    assert receipt.parse(json.dumps(raw).encode()) == RECEIPT._replace(patched=(entry,), damaged=True)


def test_what_is_left_on_a_drive_is_remembered() -> None:
    whole = RECEIPT._replace(added={"/drive/a/SVI.json": "1" * 64, **RECEIPT.added}, folders=("/drive/a", "svi_wangp"))
    left = whole.left_over({"/drive/a/SVI.json": "1" * 64})
    assert [left.is_left_over(), whole.is_left_over()] == [True, False]
    assert (left.patched, dict(left.added), left.folders) == ((), {"/drive/a/SVI.json": "1" * 64}, ("/drive/a",))
    assert receipt.parse(left.to_bytes()) == left


@posix
def test_a_pipe_under_its_name_is_no_receipt(tmp_path: Path) -> None:
    (tmp_path / ".svi-install").mkdir()
    os.mkfifo(tmp_path / receipt.PATH)
    assert receipt.load(tmp_path) is None


def test_a_receipt_too_deep_to_be_summed_up_has_no_sum() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert receipt._sum({"a": deep}) == ""
    while deep:  # freeing it at once would be too deep for Python as well
        deep = deep.pop()  # type: ignore[assignment]


def test_a_disk_that_refuses_it_is_no_missing_receipt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(Path, "stat", fail)
    with pytest.raises(SviError, match="Could not read"):
        receipt.load(tmp_path)
