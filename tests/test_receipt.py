from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import pytest

from svi_install import files, receipt
from svi_install.journal import pack
from svi_install.receipt import Patched, Receipt

ENTRY = Patched("wgp.py", files.digest(b"old"), files.digest(b"new"), pack(b"old"), "git", 5, ("line",))
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
    "data",
    [b"", b"{", b"[]", b"3", b"null", b"{}", b'{"schema": 2}', b'{"schema": 1}', b"\xff"]
    + [
        RECEIPT.to_bytes().replace(old, b"null")
        for old in (b'[\n  "svi_wangp"\n ]', b'{\n  "a.json": "' + b"0" * 64 + b'"\n }')
    ],
)
def test_anything_else_counts_as_no_receipt(data: bytes) -> None:
    assert receipt.parse(data) is None
