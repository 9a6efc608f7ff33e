"""The closed loop with a generator that drifts on purpose: what is bad is made again, the best is in the film."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

import pytest

from svi_install.checkout import mp4
from svi_install.cli import main
from svi_install.runtime import png
from svi_install.storyboard.film import film, watch
from tests.every import ALL

from . import drifting, standin

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in's Python as POSIX has it")
Render = drifting.Render
CLIPS = 4
# The fixture.
render = drifting.rendering(CLIPS)


def distances(name: str) -> list[float]:
    return drifting.distances(Path(f"{name}.yaml"), Path(f"{name}-film.mp4"))


def test_a_generator_that_drifts_drifts_less_when_it_is_watched(tmp_path: Path, render: Render) -> None:
    root = drifting.make(tmp_path / "WanGP", 0.02)
    plain, watched, asked = [], [], [0, 0]
    for seed in (7, 8, 9) if ALL else (7, 8):
        before = len(standin.asked(root))
        made = render(f"watched{seed}", root, "--watch", "--takes", 4, seed=seed)
        asked[0] += len(standin.asked(root)) - before
        watched += distances(f"watched{seed}")
        assert len(made["watched"]) == CLIPS
    seed = 7
    while asked[1] < asked[0]:
        # As many clips without watching: films of first takes, those of the same seeds first.
        render(f"plain{seed}", root, seed=seed)
        asked[1] += CLIPS
        plain += distances(f"plain{seed}")
        seed += 1
    less = 1 - statistics.mean(watched) / statistics.mean(plain)
    print(
        f"drift per clip {statistics.mean(plain):.2f} without, {statistics.mean(watched):.2f} watched: {less:.0%} less;"
    )
    print(f"{asked[1]} and {asked[0]} clips were generated")
    assert asked[0] > 3 * CLIPS
    assert less >= 0.3


def test_a_clean_generator_is_left_alone(tmp_path: Path, render: Render) -> None:
    root = drifting.make(tmp_path / "WanGP", 0.0)
    made = render("clean", root, "--watch")
    assert len(standin.asked(root)) == CLIPS
    assert [segment["take"] for segment in made["segments"]] == [1] * CLIPS
    render("plain", root)
    assert distances("clean") == pytest.approx(distances("plain"), abs=0.2)


def test_everything_is_in_the_journal_and_on_the_contact_sheet(tmp_path: Path, render: Render) -> None:
    root = drifting.make(tmp_path / "WanGP", 0.04, "process")
    made = render("film", root, "--watch", "--takes", 2)
    store = Path(made["store"])
    events = [json.loads(line) for line in (store / "journal.jsonl").read_text().splitlines()]
    seen = [(event["segment"], event["take"]) for event in events if event["event"] == "watched"]
    assert len(seen) == len(standin.asked(root)) == len(set(seen))
    assert max(take for _, take in seen) == 2
    page = (store / "film.html").read_text()
    assert page.count("in this clip)") == len(seen)
    picked = {segment["number"]: segment["take"] for segment in made["segments"]}
    assert {each["segment"]: each["take"] for each in made["watched"]} == picked
    # Nothing is left to do, and nothing is measured or made again.
    render("film", root, "--watch", "--takes", 2)
    assert len(standin.asked(root)) == len(seen)


def test_a_take_that_the_story_chooses_stays(tmp_path: Path, render: Render) -> None:
    root = drifting.make(tmp_path / "WanGP", 0.08)
    Path("fixed.yaml").write_text(
        "image: start.png\ndefaults: {resolution: 160x96, steps: 1, clip_frames: 25, settings: {activated_loras: [], "
        "loras_multipliers: ''}}\nshots: [{prompt: a, take: 1}, {prompt: b, take: 1}]\n"
    )
    code = main.main(["render", "fixed.yaml", "--watch", "--wangp", str(root), "--json"])
    assert code == 0
    assert len(standin.asked(root)) == 2


def test_a_clip_that_arrives_is_not_thrown_away(
    tmp_path: Path, render: Render, capsys: pytest.CaptureFixture[str]
) -> None:
    root = drifting.make(tmp_path / "WanGP", 0.15)
    png.write(Path("goal.png"), png.Picture(96, 64, bytes([200, 90, 40]) * 96 * 64))
    Path("ends.yaml").write_text(
        "image: start.png\ndefaults: {variant: wan22, resolution: 160x96, steps: 1, clip_frames: 25, settings: "
        "{activated_loras: [], loras_multipliers: ''}}\nshots: [a, {prompt: b, end_image: goal.png}]\n"
    )
    words = ["render", "ends.yaml", "--watch", "--anchor-colour", "--takes", "2", "--wangp", str(root), "--json"]
    assert main.main(words) == 0
    made = json.loads(capsys.readouterr().out)["film"]
    # What the second clip does to the colour would be drift anywhere else.
    assert len(standin.asked(root)) == 2
    one, two = made["watched"]
    assert (two["wrong"], made["anchored"]) == ([], [])
    assert two["distance"] < one["distance"] + 0.3
    assert two["goal"][1] > 5
    assert " dE off the image that it ends on" in Path(made["sheet"]).read_text("utf-8")
    # The film says which clip arrives, and its folder knows where.
    assert json.loads(mp4.comment(Path(made["path"])) or "")["svi"]["end_images"] == [2]
    assert main.main(["drift", made["path"], "--json"]) == 0
    arrival = json.loads(capsys.readouterr().out)["arrivals"][0]
    assert (arrival["clip"], arrival["frame"], arrival["image"]) == (2, 48, "goal.png")
    assert arrival["delta_e"] > 5


def test_what_cannot_be_combined() -> None:
    assert main.main(["render", "tests/__init__.py", "x", "--watch", "--preview"]) == 2


@pytest.mark.parametrize(
    "text", ["", "[]", '{"key": "k"}', '{"key": "k", "off": {"L": "x"}, "distance": 1, "growth": 1, "seam": 1}']
)
def test_a_damaged_record_counts_as_none(tmp_path: Path, text: str) -> None:
    store = film.Store(tmp_path)
    store.folder("k").mkdir(parents=True)
    (store.folder("k") / watch.LOOK).write_text(text)
    assert watch.read(store, "k") is None
    assert watch.said(None) == ""
