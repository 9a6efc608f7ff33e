from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from svi_install.history.contents import compiling, entry
from svi_install.package_data import MARKER, data_folder
from svi_install.patching import known, patchset, placement, plan, syntax
from svi_install.patching.patchset import Variant
from svi_install.patching.reader import Reader
from tests import miniature

PATCHES = patchset.load()
WGP = "wgp.py"
TEXT = miniature.files()[WGP]


def stored(variants: tuple[Variant, ...] = PATCHES.variants[WGP], text: bytes = TEXT) -> dict[str, Any]:
    """Return a list that knows one content of wgp.py."""
    found = {known.blob_id(text): entry(variants, WGP, text)}
    return {"schema": known.SCHEMA, "hooks": {WGP: known.key(variants)}, "blocks": {}, "files": {WGP: found}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(known, "data_folder", lambda _: tmp_path)
    return tmp_path


def listed(folder: Path, data: Any) -> None:
    (folder / known.NAME).write_text(json.dumps(data), "utf-8")
    known._read.cache_clear()


def test_a_published_content(folder: Path) -> None:
    listed(folder, stored())
    for text in (TEXT, TEXT.replace(b"\n", b"\r\n")):
        assert known.is_published(WGP, text)
        assert Reader(folder).proof(WGP, text) == "published"
    assert not known.is_published(WGP, TEXT + b"\n")
    assert not known.is_published("other.py", TEXT)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("path", PATCHES.paths)
@pytest.mark.parametrize("flavour", ["base", "old", "newer"])
def test_what_is_known_is_what_placing_finds(folder: Path, flavour: str, path: str, newline: bytes) -> None:
    text, variants = miniature.files(flavour)[path], PATCHES.variants[path]
    found = entry(variants, path, text)
    assert found
    files = {path: {known.blob_id(text): found}}
    listed(folder, {**stored(), "hooks": {path: known.key(variants)}, "files": files})
    data = text.replace(b"\n", newline)
    assert known.place(variants, path, data) == placement.place(variants, path, data)


@pytest.mark.parametrize(
    "data",
    [
        TEXT + b"\n",
        TEXT.replace(b"\n", b"\r\n", 1),
        TEXT.replace(b"\n", b"\r\n").replace(b"\r\n", b"\n", 1),
        TEXT.replace(b"\n", b"\r"),
        b"",
    ],
    ids=["another", "one CRLF", "one LF", "CR", "empty"],
)
def test_any_other_content_is_to_be_placed(folder: Path, data: bytes) -> None:
    listed(folder, stored())
    assert known.place(PATCHES.variants[WGP], WGP, TEXT) is not None
    assert known.place(PATCHES.variants[WGP], WGP, data) is None
    assert known.place(PATCHES.variants[WGP], "other.py", TEXT) is None


def changed(number: int) -> tuple[Variant, ...]:
    """Return the hooks of wgp.py with one thing changed that placing goes by."""
    variants = PATCHES.variants[WGP]
    hunk = variants[0].hunks[0]
    changes: list[dict[str, Any]] = [
        {"added": (*hunk.added, hunk.added[-1])},
        {"functions": ("somewhere",)},
        {"before": ("something", *hunk.before)},
        {"after": (*hunk.after, "something")},
        {"anchor": "before" if hunk.anchor == "after" else "after"},
        {"line": hunk.line + 1},
        {"hook": "other"},
    ]
    other = hunk._replace(**changes[number])
    return (variants[0]._replace(hunks=(other, *variants[0].hunks[1:])), *variants[1:])


@pytest.mark.parametrize("number", range(7))
def test_hooks_that_were_changed_since_are_placed_anew(folder: Path, number: int) -> None:
    listed(folder, stored())
    assert known.place(changed(number), WGP, TEXT) is None
    retired = tuple(item._replace(retired=(*item.retired, "x")) for item in PATCHES.variants[WGP])
    assert known.place(retired, WGP, TEXT) is None
    assert known.place(PATCHES.variants[WGP][::-1], WGP, TEXT) is None


@pytest.mark.parametrize(
    "text",
    ["", "x", "0:1", "0:1 0:2 0:3", "9:1 0:2 0:3 4", "0:x 0:2 0:3 4", "0:1 0:2 0:3 0:4 0:5 4", "a b", " ", "²:1 4"],
)
def test_an_entry_that_is_damaged_is_not_believed(folder: Path, text: str) -> None:
    listed(folder, {**stored(), "files": {WGP: {known.blob_id(TEXT): text}}})
    assert known.place(PATCHES.variants[WGP], WGP, TEXT) is None
    assert known.is_published(WGP, TEXT)


def test_a_place_that_is_wrong_by_one_line_is_not_believed(folder: Path) -> None:
    good = stored()
    (blob,) = good["files"][WGP]
    for number, spot in enumerate(good["files"][WGP][blob].split()[:-1]):
        words = good["files"][WGP][blob].split()
        words[number] = f"{spot[:2]}{int(spot[2:]) + 1}"
        listed(folder, {**good, "files": {WGP: {blob: " ".join(words)}}})
        assert known.place(PATCHES.variants[WGP], WGP, TEXT) is None


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"[]", b"{}", b'{"files": 3}', b"\xff", b"3"),
        json.dumps({**stored(), "schema": 1}).encode(),
        json.dumps({**stored(), "hooks": {}}).encode(),
        json.dumps({**stored(), "hooks": {WGP: 3}}).encode(),
        json.dumps({**stored(), "blocks": {WGP: [3]}}).encode(),
        json.dumps({**stored(), "files": {WGP: [known.blob_id(TEXT)]}}).encode(),
        json.dumps({**stored(), "files": {WGP: {known.blob_id(TEXT): 3}}}).encode(),
    ],
)
def test_a_damaged_list_knows_nothing(folder: Path, data: bytes) -> None:
    for write in (lambda: (folder / known.NAME).write_bytes(data), (folder / known.NAME).unlink):
        write()
        known._read.cache_clear()
        assert not known.is_published(WGP, TEXT)
        assert known.place(PATCHES.variants[WGP], WGP, TEXT) is None


def test_an_install_takes_what_is_known_and_places_the_rest(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = placement.place

    def place(variants: tuple[Variant, ...], path: str, data: bytes, proven: frozenset[str]) -> placement.Placement:
        asked.append(path)
        return real(variants, path, data, proven)

    monkeypatch.setattr(placement, "place", place)
    root = miniature.write(tmp_path_factory.mktemp("root"))
    listed(folder, {})
    slow = plan.plan_install(root, PATCHES, {}, {})
    assert asked == list(PATCHES.paths)
    listed(folder, stored())
    asked.clear()
    fast = plan.plan_install(root, PATCHES, {}, {})
    assert asked == [path for path in PATCHES.paths if path != WGP]
    assert fast.places == slow.places
    assert [(change.path, change.after) for change in fast.changes[1:]] == [
        (change.path, change.after) for change in slow.changes[1:]
    ]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_of_a_new_release_only_what_is_new_is_compiled(
    folder: Path, newline: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The miniature has a line in a text that looks like a function; then all of it is compiled as one.
    old = TEXT.replace(b"\ndef not_a_function", b"\nnot_a_function")
    old += b"".join(b"\n\ndef old%d():\n    pass\n" % number for number in range(9))
    text = (old + b"\n\ndef new():\n    pass\n").replace(b"\n", newline)
    listed(folder, {**stored(), "blocks": {WGP: compiling(old)}})
    assert known.blocks("other.py") == frozenset()
    seen: list[bytes] = []
    real = syntax._judge.__wrapped__

    def judge(block: bytes) -> Any:
        seen.append(block)
        return real(block)

    monkeypatch.setattr(syntax, "_judge", judge)
    new = placement.place(PATCHES.variants[WGP], WGP, text, known.blocks(WGP))
    # The last one was the end of the text before.
    assert [block.split()[1] for block in seen if MARKER.encode() not in block] == [b"old8():", b"new():"]
    few = len(seen)
    assert placement.place(PATCHES.variants[WGP], WGP, text) == new
    assert len(seen) - few == len(list(syntax.blocks(new.after))) > few


def test_the_packages_own_list_is_complete_and_of_these_hooks() -> None:
    """Where this fails, a diff has changed: make the list anew (see `svi_install/history/contents.py`)."""
    own = json.loads((data_folder("patches") / known.NAME).read_bytes())
    assert own["schema"] == known.SCHEMA
    assert own["hooks"] == {path: known.key(variants) for path, variants in PATCHES.variants.items()}
    assert set(own["files"]) == set(PATCHES.paths)
    assert all(len(blob) == 40 for blobs in own["files"].values() for blob in blobs)
