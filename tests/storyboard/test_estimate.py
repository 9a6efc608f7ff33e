from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import clip_times
from svi_install.storyboard.archive.decided import begun_with, decide, remember
from svi_install.storyboard.archive.store import Store
from svi_install.storyboard.film import budget, film
from svi_install.storyboard.headless import estimate
from svi_install.storyboard.headless.hardware import Card
from svi_install.storyboard.headless.pace import Pace
from svi_install.storyboard.script.story import Shot, Story, with_variant
from svi_install.storyboard.script.variants import NAMES, variant_of

from .conftest import ffmpeg_program

__all__ = ["ffmpeg_program"]

TASK = {"resolution": "832x480", "video_length": 81, "num_inference_steps": 4, "guidance_scale": 1}


def test_a_pass_of_the_transformer() -> None:
    """Counted once more, from the shapes of its matrices: 32760 tokens of 5120, 40 layers."""
    tokens, layers = 21 * 30 * 52, 40
    matrices = 6 * tokens * 5120 * 5120 + 2 * tokens * 5120 * 13824
    attention = 2 * tokens * tokens * 5120 + 2 * tokens * (512 + 257) * 5120
    assert estimate.work(832, 480, 81) == pytest.approx(2 * layers * (matrices + attention) / 1e12)


@pytest.mark.parametrize(
    ("settings", "passes"),
    [
        ({"num_inference_steps": 50, "guidance_scale": 5}, 100),
        ({"num_inference_steps": 4, "guidance_scale": 1}, 4),
        ({"num_inference_steps": 8, "guidance_phases": 2, "guidance_scale": 2, "guidance2_scale": 1}, 12),
        ({"num_inference_steps": 10, "guidance_phases": 2, "guidance_scale": 1}, 10),
    ],
)
def test_passes_for_a_clip(settings: dict[str, Any], passes: float) -> None:
    assert estimate.passes(settings) == passes


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("NVIDIA GeForce RTX 4060 Ti", "RTX 4060 Ti"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", "RTX 4090"),
        ("Tesla T4", "T4"),
        ("NVIDIA L4", "L4"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA A100-SXM4-40GB", "A100"),
        ("NVIDIA T400", None),
        ("Radeon", None),
    ],
)
def test_classes_of_cards(name: str, known: str | None) -> None:
    speed = estimate.speed_of(Card(name, 16, 8.0))
    assert (speed and speed.name) == known


def test_times_follow_the_work() -> None:
    t4, other = Card("Tesla T4", 15, 7.5), Card("NVIDIA H200", 140, 9.0)
    fast, slow = estimate.clip(TASK, other), estimate.clip(TASK, t4)
    assert fast is not None
    assert slow is not None
    assert slow.seconds / fast.seconds == pytest.approx(fast.speed.effective / slow.speed.effective)
    assert fast.span[0] < fast.seconds < fast.span[1]
    for broken in ({"resolution": "large"}, {"num_inference_steps": "4"}, {"video_length": None}):
        assert estimate.clip({**TASK, **broken}, t4) is None
    assert estimate.clip(TASK, None) is None


def test_every_figure_has_a_source() -> None:
    table = json.loads(estimate.TABLE.read_text("utf-8"))
    figures = [table["decode"], *table["shares"].values(), *table["cards"]]
    assert all(each["source"] for each in figures)
    assert {each["basis"] for each in (table["decode"], *table["shares"].values())} <= {
        "measured",
        "derived",
        "reported",
    }


def test_what_was_measured_lies_in_what_the_table_says() -> None:
    """At the size of the profiles it is the table's own; where nothing was taken from, within the span that is told."""
    points = estimate.table()["measured"]
    assert {point["size"] for point in points} == {"416x240", "832x480", "1280x720"}
    for point in points:
        cost = estimate.clip(clip_times.task_of(point), Card(f"NVIDIA {point['card']}", 140, 9.0))
        assert cost is not None
        assert cost.speed.share.basis == "measured"
        assert cost.span[0] < point["seconds"] < cost.span[1]
        if point["size"] == "832x480":
            assert cost.seconds == pytest.approx(point["seconds"], rel=0.005)
            assert estimate.work(832, 480, 81) / cost.speed.effective == pytest.approx(point["pass"], rel=0.005)


def test_a_pass_is_what_a_longer_clip_takes_more() -> None:
    """Three steps of two passes: 2 s for each pass and 4 s for all the rest."""
    clips = {"clips": [{"seconds": 16.0}], "short": [{"seconds": 8.0}]}
    stock = {"clips": [{"seconds": 99.0}], "short": []}
    setting = {"card": "NVIDIA H200", "size": "64x64", "frames": 17, "steps": 3, "guidance": 5.0, "torch": "2.11"}
    point = clip_times.point_of({"setting": setting, "sides": [stock, clips]})
    assert (point["pass"], point["seconds"], point["card"]) == (2.0, 16.0, "NVIDIA H200")


def test_the_table_stands_beside_what_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    clip_times.compare(estimate.table()["measured"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(estimate.table()["measured"])
    assert lines[1].split()[:2] == ["measured", "size"]
    assert lines[3].split()[:5] == ["H200", "832x480", "81", "4", "0.47"]
    with pytest.raises(SystemExit, match="does not know Radeon"):
        clip_times.compare([{**estimate.table()["measured"][0], "card": "Radeon"}])


def test_the_load_of_the_model_is_no_clip() -> None:
    """An hour of loading, then clips of four steps in 10 s each and 5 s for the pictures."""
    pace = Pace(None, 0.0)
    assert pace.seconds is None
    pace.step(0, 4, 3600.0)
    assert pace.seconds is None
    pace.step(1, 4, 3610.0)
    assert pace.seconds == 40.0
    for step in (2, 3, 4):
        pace.step(step, 4, 3600.0 + 10 * step)
    assert pace.finish(3645.0) == 45.0
    assert pace.seconds == 45.0
    pace.step(1, 4, 3660.0)
    assert pace.finish(3695.0) == 50.0


def test_a_clock_that_sees_little() -> None:
    late = Pace(None, 0.0)
    for step in (1, 2):
        late.step(step, 2, 100.0 + 10 * step)
    # The first step was done when it was seen.
    assert late.finish(125.0) == 25.0
    blind = Pace(7.0, 0.0)
    assert blind.seconds == 7.0
    assert blind.finish(30.0) == 30.0
    other = Pace(None, 0.0)
    for step, now in ((3, 5.0), (4, 6.0), (0, 100.0), (1, 110.0), (4, 140.0)):
        other.step(step, 4, now)
    assert other.finish(141.0) == 41.0


def story(*prompts: str, **values: Any) -> Story:
    return with_variant(Story(Path("a.png"), tuple(Shot(each) for each in prompts), **{"variant": "", **values}))


def test_the_usual_variant() -> None:
    assert story("one").variant == story("one", "one").variant == "shot"
    assert story("one", "two").variant == "2.0"
    assert (story("one", variant="fast").variant, story("one", "two", variant="fast").variant) == (
        "shot-fast",
        "2.0-fast",
    )
    assert story("one", "two", variant="tom") == replace(story("one", "two"), variant="tom", chosen=())
    for name in ("shot-fast", "2.0-fast", "wan22-fast"):
        assert name in NAMES
        assert variant_of(name).settings["num_inference_steps"] == 4
        assert variant_of(name).architecture == variant_of(name.removesuffix("-fast")).architecture


def test_a_film_that_has_been_begun_goes_on(tmp_path: Path) -> None:
    store = Store(tmp_path / "film.svi")
    assert begun_with(store) == {}
    store.begin("0" * 16)
    assert begun_with(store) == {"variant": "shot"}
    made, notes = decide(story("one", "two"), begun_with(store), "640x368")
    assert (made.variant, made.resolution) == ("shot", None)
    assert len(notes) == 1
    other = Store(tmp_path / "other.svi")
    other.root.mkdir()
    made, notes = decide(story("one", "two"), {}, "640x368")
    assert (made.variant, made.resolution, len(notes)) == ("2.0", "640x368", 2)
    remember(other, made, "640x368")
    remember(other, made, "640x368")
    assert begun_with(other) == {"variant": "2.0", "resolution": "640x368"}
    again, notes = decide(story("one", "two"), begun_with(other), None)
    assert (again.variant, again.resolution) == ("2.0", "640x368")
    named, _ = decide(story("one", resolution="64x64", variant="film"), begun_with(other), "640x368")
    assert (named.variant, named.resolution) == ("film", "64x64")
    fast, _ = decide(story("one", "two", variant="fast"), begun_with(other), None)
    assert fast.variant == "2.0-fast"


def test_the_disk(image: Path, ffmpeg_program: Path, tmp_path: Path) -> None:
    tale = Story(image, (Shot("one"), Shot("two")), "2.0", resolution="64x32")
    planned = film.plan(tale, variant_of("2.0"), tmp_path / "film.mp4")
    by_image, blind = budget.disk(planned, ffmpeg_program), budget.disk(planned)
    assert by_image is not None
    assert blind is not None
    assert by_image != blind
    part, picture = 81 * 64 * 32 * estimate.USUAL.video, 5 * 64 * 32 * estimate.USUAL.picture
    assert blind.finished == int(2 * (part + picture) + 2 * part)
    assert blind.most == int(2 * (part + picture) + 81 * 64 * 32 * 3)
    image.write_bytes(b"no picture")
    assert budget.disk(planned, ffmpeg_program) == blind
    assert budget.disk(planned, tmp_path / "nothing") == blind
    odd = film.plan(replace(tale, resolution="large"), variant_of("2.0"), tmp_path / "film.mp4")
    assert budget.disk(odd) is None
    # A segment that is finished says more than any estimate.
    folder = planned.store.begin(planned.keys[1])
    (folder / film.PART).write_bytes(bytes(8100))
    for back in range(1, 6):
        (folder / f"tail-{back:03d}.png").write_bytes(bytes(1000))
    planned.store.finish(planned.keys[1], {"frames": 81})
    known = budget.disk(planned)
    assert known is not None
    assert known.finished == pytest.approx(8100 + 5000 + 2 * 8100, abs=2)


def test_noise_moves_as_it_stands() -> None:
    assert estimate.rates_of(90, 250, 100) == estimate.Rates(0.9, 2.5)
    assert estimate.rates_of(9, 100, 100).video == pytest.approx(0.17 * math.sqrt(0.09))
