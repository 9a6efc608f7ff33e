from __future__ import annotations

import json
from pathlib import Path

import pytest

from svi_install.package_data import data_folder
from svi_install.patching import hooks, others
from tests import miniature, theirs
from tests.miniature import WGP

TEXT = miniature.files()[WGP].decode()
TABLE = theirs.table(TEXT)


@pytest.mark.parametrize("older", [True, False])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_each_version_comes_out_byte_for_byte(older: bool, newline: str) -> None:
    patched = theirs.patched(TEXT, older=older).replace("\n", newline).encode()
    assert hooks.foreign(patched, WGP)
    assert others.take_out(WGP, patched, TABLE) == TEXT.replace("\n", newline).encode()


def test_what_the_person_changed_elsewhere_stays() -> None:
    mine = TEXT.replace('WanGP_version = "12.60"', 'WanGP_version = "12.60 mine"')
    assert mine != TEXT
    assert others.take_out(WGP, theirs.patched(mine).encode(), TABLE) == mine.encode()


@pytest.mark.parametrize(
    ("old", "new"),
    [("# endless", "# endless!"), ("svi_ref_pad_num = 0", "svi_ref_pad_num = 1"), ("# endless\n", "# endless\n\n")],
)
def test_a_line_that_is_not_word_for_word_theirs_keeps_all_of_it(old: str, new: str) -> None:
    changed = theirs.patched(TEXT).replace(old, new)
    assert changed != theirs.patched(TEXT)
    assert others.take_out(WGP, changed.encode(), TABLE) is None


def test_twice_is_not_what_was_published() -> None:
    assert others.take_out(WGP, theirs.patched(theirs.patched(TEXT)).encode(), TABLE) is None


def test_nothing_of_theirs_is_nothing_to_take_out() -> None:
    assert others.take_out(WGP, TEXT.encode(), TABLE) is None
    assert others.take_out("other.py", TEXT.encode(), TABLE) is None
    assert others.take_out(WGP, TEXT.encode()) is None


def test_what_is_stored_holds_no_line_of_it() -> None:
    stored = json.loads((data_folder("patches") / others.NAME).read_bytes())
    assert [len(entry["versions"]) for entry in stored["files"].values()] == [5, 1, 1]
    pieces = [piece for entry in stored["files"].values() for unit in entry["units"] for piece in unit["out"]]
    texts = [piece[3].strip() for piece in pieces if len(piece) > 1 and piece[3].strip()]
    # What WanGP itself says there, where their line is another one.
    assert len(texts) <= 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2, "files": {}}', '{"schema": 1}'])
def test_a_damaged_list_knows_nothing(tmp_path: Path, text: str) -> None:
    file = tmp_path / others.NAME
    file.write_text(text)
    assert others._read(file) == {}
