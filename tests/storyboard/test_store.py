from __future__ import annotations

import json
from pathlib import Path

import pytest

from svi_install.errors import SviError
from svi_install.runtime import png
from svi_install.storyboard.archive.store import FINISHED, JOURNAL, Store, tail_of, write_json

KEY = "0123456789abcdef" * 4


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "film.svi")


def made(store: Store, frames: int = 2) -> Path:
    folder = store.begin(KEY)
    (folder / "frames.rgb").write_bytes(bytes(4 * 3 * 3 * frames))
    (folder / "segment.json").write_text(json.dumps({"frames": frames, "width": 4, "height": 3}))
    return folder


def test_a_segment_from_begin_to_end(store: Store) -> None:
    assert not store.finished(KEY)
    assert store.made(KEY) is None
    folder = made(store)
    assert folder.name == "0123456789abcdef"
    assert store.made(KEY) == {"frames": 2, "width": 4, "height": 3}
    assert not store.finished(KEY)
    store.finish(KEY, {"seed": 7})
    assert store.finished(KEY)
    assert store.facts(KEY) == {"seed": 7}
    assert not (folder / "frames.rgb").exists()
    store.forget(KEY)
    assert not folder.exists()


def test_what_a_crash_leaves_is_not_made(store: Store) -> None:
    folder = made(store)
    (folder / "frames.rgb").write_bytes(b"half")
    assert store.made(KEY) is None
    (folder / "segment.json").write_text('{"frames": 2')
    assert store.made(KEY) is None
    assert list(store.begin(KEY).iterdir()) == []


def test_the_journal_survives_a_cut_line(store: Store) -> None:
    store.write("start", wangp="12.60")
    store.write("redo", segment=2)
    with (store.root / JOURNAL).open("ab") as file:
        file.write(b'{"event": "redo", "seg')
    store.write("redo", segment=2)
    store.write("redo", segment=3)
    assert [event["event"] for event in store.journal()] == ["start", "redo", "redo", "redo"]


def test_no_journal_yet(store: Store) -> None:
    assert store.journal() == ()
    assert store.takes(KEY) is None
    assert store.unused([]) == ()


def test_earlier_takes_are_known(store: Store) -> None:
    first = store.begin(KEY)
    other = store.begin(KEY[::-1])
    assert store.unused([KEY]) == (other,)
    assert store.unused([KEY[::-1]]) == (first,)


def test_one_render_at_a_time(store: Store) -> None:
    with store.locked(), pytest.raises(SviError) as caught, Store(store.root).locked():
        pass
    assert caught.value.code == "busy"
    with store.locked():
        assert store.root.is_dir()


def test_the_tail_in_the_order_of_time(tmp_path: Path) -> None:
    for back in (1, 2, 3):
        png.write(tmp_path / f"tail-{back:03d}.png", png.Picture(1, 1, bytes([back] * 3)))
    assert [png.read(path).pixels[0] for path in tail_of(tmp_path)] == [3, 2, 1]


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    write_json(tmp_path / FINISHED, {"a": 1})
    with pytest.raises(SviError, match="Could not write"):
        write_json(tmp_path / "missing" / FINISHED, {})
    (tmp_path / "folder").mkdir()
    with pytest.raises(SviError, match="Could not write"):
        write_json(tmp_path / "folder", {})
    assert not list(tmp_path.glob("*.new"))
    with pytest.raises(TypeError):
        write_json(tmp_path / FINISHED, {"a": object()})
    assert json.loads((tmp_path / FINISHED).read_text()) == {"a": 1}
