"""A film whose colour is held, with a generator that drifts on purpose: less drift, and nothing where there is none."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from svi_install.checkout import mp4
from svi_install.cli import main
from svi_install.runtime import png
from svi_install.storyboard.film import anchor, film, watch
from svi_install.storyboard.film.request import Request, story_of
from svi_install.storyboard.script.variants import variant_of

from . import drifting, standin

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in's Python as POSIX has it")
Render = drifting.Render
CLIPS = 5
# The fixture.
render = drifting.rendering(CLIPS)


def planned(name: str, *, anchored: bool = False) -> film.Film:
    story = story_of(Request(source=Path(f"{name}.yaml")))
    return film.plan(story, variant_of(story.variant), Path(f"{name}-film.mp4"), anchored=anchored)


def distances(name: str, *, anchored: bool = False) -> list[float]:
    """How far each clip of a film is from its beginning."""
    found = planned(name, anchored=anchored)
    return [watch.measure(found, found.clip(segment, 1)).distance for segment in found.segments]


def files(made: dict[str, Any], pattern: str) -> dict[str, bytes]:
    return {str(at): Path(each["path"]).with_name(pattern).read_bytes() for at, each in enumerate(made["segments"])}


def test_colour_drifts_less_when_it_is_held(
    tmp_path: Path, render: Render, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = drifting.make(tmp_path / "WanGP", 0.02)
    render("plain", root)
    made = render("held", root, "--anchor-colour")
    assert len(standin.asked(root)) == 2 * CLIPS
    plain, held = distances("plain"), distances("held", anchored=True)
    assert statistics.mean(held) <= 0.7 * statistics.mean(plain)
    # It is said everywhere, and each clip that was changed is one of those that drift.
    changed = [each["clip"] for each in made["anchored"]]
    assert changed
    assert min(changed) > 1
    told = json.loads(mp4.comment(Path(made["path"])) or "")["svi"]
    assert told["anchored"] == made["anchored"]
    store = Path(made["store"])
    events = [json.loads(line) for line in (store / "journal.jsonl").read_text().splitlines()]
    assert [event["segment"] for event in events if event["event"] == "anchored"] == changed
    assert (store / "film.html").read_text().count("colour brought back to clip 1 (") == len(changed)
    assert any(note.startswith("Colour was brought back to clip 1 in segment") for note in made["notes"])
    # The next clip goes on from the changed frames.
    tails = [Path(made["segments"][number - 1]["path"]).with_name("tail-001.png") for number in changed]
    for number, tail in zip(changed, tails, strict=True):
        course = anchor.read(film.Store(store), planned("held", anchored=True).keys[number])
        assert course is not None
        assert anchor.digest(tail) != course.tails[tail.name]

    # Killed behind the first clip that was changed, the film comes out the same.
    write = film.Store.write

    def killed(self: film.Store, event: str, **values: Any) -> None:
        if event == "anchored":
            raise KeyboardInterrupt
        write(self, event, **values)

    monkeypatch.setattr(film.Store, "write", killed)
    with pytest.raises(AssertionError):
        render("again", root, "--anchor-colour")
    monkeypatch.setattr(film.Store, "write", write)
    again = render("again", root, "--anchor-colour")
    for name in ("segment.mp4", "tail-001.png"):
        assert files(again, name) == files(made, name)
    assert again["anchored"] == made["anchored"]


def test_nothing_changes_where_nothing_drifts(tmp_path: Path, render: Render) -> None:
    root = drifting.make(tmp_path / "WanGP", 0.0, "process")
    plain = render("plain", root, clips=3)
    held = render("held", root, "--anchor-colour", clips=3)
    assert files(held, "segment.mp4") == files(plain, "segment.mp4")
    assert files(held, "tail-001.png") == files(plain, "tail-001.png")
    assert Path(held["path"]).read_bytes() == Path(plain["path"]).read_bytes()
    assert held["anchored"] == []
    assert "The colour does not drift, so --anchor-colour has changed nothing." in held["notes"]
    # What was made without is not taken for what was made with it, but for the first clip, which is the same.
    one, two = planned("plain").keys, planned("plain", anchored=True).keys
    assert [one[number] == two[number] for number in (1, 2, 3)] == [True, False, False]


def test_a_variant_that_hands_on_no_pictures_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = drifting.make(tmp_path / "WanGP", 0.0)
    monkeypatch.chdir(tmp_path)
    png.write(tmp_path / "start.png", png.Picture(96, 64, bytes(range(256)) * 72))
    words = ["render", "start.png", "walking", "--variant", "pro", "--anchor-colour", "--lint", "--wangp", str(root)]
    assert main.main(words) == 2
    assert "--anchor-colour changes the pictures that a clip hands on" in capsys.readouterr().err


def test_what_is_taken_out_grows_over_the_clip_and_stays_at_its_end() -> None:
    # 1 a* was there before this clip, which adds 2 over its first half.
    course = anchor.Course(by=(0.0, -3.0, 0.0), old=(0.0, -1.0, 0.0), rise=10, mean=(120.0, 120.0, 120.0))
    curve = anchor.gains(course, 20, 24)
    assert curve.shape == (24, 3)
    assert (np.diff(curve[:20, 0]) < 0).all()
    assert curve[19:].tolist() == [curve[-1].tolist()] * 5
    red, green, _ = curve[-1]
    assert red < 1 < green
    pixels = bytes([120, 120, 120, 0, 0, 0, 255, 255, 255])
    level = [round(120 * each) for each in curve[-1]]
    assert list(anchor.shifted(pixels, curve[-1]))[:6] == [*level, 0, 0, 0]
    assert anchor.shifted(pixels, (1.0, 1.0, 1.0)) == pixels


@pytest.mark.parametrize("text", ["", "[]", '{"key": "k"}', '{"key": "k", "marks": [1], "end": [], "tails": 3}'])
def test_a_damaged_record_counts_as_none(tmp_path: Path, text: str) -> None:
    store = film.Store(tmp_path)
    store.folder("k").mkdir(parents=True)
    (store.folder("k") / anchor.RECORD).write_text(text)
    assert anchor.read(store, "k") is None
    assert anchor.words(None) == ""
