"""A clip that arrives at an image changes because it was asked to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from svi_install.cli.main import main
from svi_install.commands.drift import drift
from svi_install.drift import arrivals
from svi_install.drift.trend import trends

from . import videos

ARRIVES = 3


def arriving() -> list[videos.Picture]:
    """A clean film whose third clip goes over into another light, in which the rest of it stays."""
    out = []
    for number, frame in enumerate(videos.clean()):
        part = np.clip((number - (ARRIVES - 1) * videos.CLIP) / (videos.CLIP - 1), 0, 1)
        part = part * part * (3 - 2 * part)
        picture = frame * (1 - part * np.array([0.05, 0.15, 0.3]))
        out.append(picture.round().astype(np.uint8))
    return out


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    said = {"segments": videos.CLIPS, "motion_frames": 0, "end_images": [ARRIVES]}
    path = tmp_path_factory.mktemp("arrivals") / "film.mp4"
    return videos.write(path, arriving(), comment=json.dumps({"svi": said}))


@pytest.fixture(scope="module")
def goal(film: Path) -> Path:
    path = film.with_name("goal.png")
    Image.fromarray(arriving()[ARRIVES * videos.CLIP - 1]).resize((640, 360)).save(path)
    return path


def test_an_arrival_is_no_drift(film: Path, goal: Path) -> None:
    told = drift([film])
    data = told.extra
    assert (data["verdict"], data["onset_clip"], data["findings"]) == ("steady", None, [])
    assert data["arrivals"] == [{"clip": 3, "frame": 71, "image": None, "ssim": None, "delta_e": None}]
    assert data["clips"][ARRIVES - 1]["drift"] is None
    # The same film that does not say so.
    assert drift([film], clip_frames=videos.CLIP).extra["verdict"] == "drifting"
    # A person may say it instead.
    assert drift([film], clip_frames=videos.CLIP, goals={ARRIVES: goal}).extra["verdict"] == "steady"


def test_how_near_it_comes(film: Path, goal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = film.with_name("page.html")
    assert main(["drift", str(film), "--goal", f"3:{goal}", "--html", str(page)]) == 0
    assert "clip 3 arrives at goal.png: it is there (SSIM" in " ".join(capsys.readouterr().out.split())
    assert "Clip 3 arrives at goal.png" in page.read_text("utf-8")
    there = drift([film], goals={ARRIVES: goal}).extra["arrivals"][0]
    assert there["ssim"] > 0.9
    assert there["delta_e"] < 3
    other = film.with_name("start.png")
    Image.fromarray(videos.clean(1)[0]).save(other)
    missed = drift([film], goals={ARRIVES: other}).extra["arrivals"][0]
    assert missed["delta_e"] > there["delta_e"] + 5


@pytest.mark.parametrize("word", ["3", "x:goal.png", "0:goal.png", "3:", ":goal.png"])
def test_goals_that_say_nothing(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drift", "film.mp4", "--goal", word]) == 2
    assert "is not a clip and its image, such as 3:bridge.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "clips"),
    [
        ({}, ()),
        ({"svi": {"end_images": [4, 2, 2]}}, (2, 4)),
        ({"custom_settings": {"svi": {"end_images": [1]}}}, (1,)),
        ({"svi": {"end_images": "2"}}, ()),
        ({"svi": {"end_images": ["2", 0, True]}}, ()),
        ({"svi": "on"}, ()),
    ],
)
def test_which_clips_arrive(settings: dict, clips: tuple[int, ...]) -> None:
    assert arrivals.from_metadata(settings) == clips


@pytest.mark.parametrize("clips", [[1], [6], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6], [9]])
def test_any_clip_may_arrive(clips: list[int]) -> None:
    scan = videos.scanned(videos.clean())
    left = arrivals.left_out(scan, videos.STARTS, clips)
    assert len(left.marks) == len(left.drift)
    inside = {videos.CLIP * (clip - 1) + each for clip in clips for each in range(videos.CLIP)}
    assert not inside & set(left.marks)
    assert not any(trend.drifts for trend in trends(left, videos.STARTS))


def test_drift_goes_on_behind_an_arrival() -> None:
    scan = videos.scanned(videos.worse(videos.clean(), videos.warm, 2, 0.03))
    left = arrivals.left_out(scan, videos.STARTS, [4])
    found = max(trends(left, videos.STARTS, [4]), key=lambda trend: trend.margin)
    assert found.drifts
    assert abs(found.onset - 2) <= 1
