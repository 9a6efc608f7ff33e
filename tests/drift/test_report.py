from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from svi_install.drift.report import Report, look
from svi_install.drift.summary import clip_values, in_words
from svi_install.errors import SviError

from . import videos

CHANGES = {
    "warm": (videos.warm, {"a", "b"}),
    "darker": (videos.darker, {"L"}),
    "pale": (videos.pale, {"chroma"}),
    "harsh": (videos.harsh, {"contrast", "chroma"}),
    "grainy": (lambda picture, amount: videos.grainy(picture, amount / 3), {"noise"}),
    "soft": (lambda picture, amount: videos.soft(picture, 3 * amount), {"detail"}),
    "sharp": (lambda picture, amount: videos.soft(picture, -6 * amount), {"detail"}),
}
WORDS = {
    "warm": "colour runs ",
    "darker": "the picture gets darker",
    "pale": "the colours fade",
    "harsh": "the contrast grows",
    "grainy": "grain builds up",
    "soft": "% of fine detail per clip",
    "sharp": "the picture gets over-sharp",
}


DETAIL = ("soft", "sharp")


def measured(path: Path, frames: list[videos.Picture], **options) -> Report:
    return look(videos.write(path, frames), clip_frames=videos.CLIP, **options)


@pytest.mark.parametrize("make", [videos.clean, videos.pan])
def test_a_clean_video_is_steady(tmp_path: Path, make) -> None:
    report = measured(tmp_path / "a.mp4", make())
    assert (report.verdict, report.onset, report.findings) == ("steady", None, ())
    assert report.margin < 1


@pytest.mark.parametrize("name", CHANGES)
def test_drift_is_found_named_and_dated(tmp_path: Path, name: str) -> None:
    change, quantities = CHANGES[name]
    frames = videos.clean()
    clean = measured(tmp_path / "clean.mp4", frames)
    # Zooms and pans make detail finer and coarser by themselves, so less of that is told.
    strong = 0.08 if name in DETAIL else 0.04
    mild = measured(tmp_path / "mild.mp4", videos.worse(frames, change, 3, strong / 2))
    report = measured(tmp_path / "a.mp4", videos.worse(frames, change, 3, strong))
    assert clean.score < mild.score < report.score
    assert report.verdict == "drifting"
    assert report.onset is not None
    assert abs(report.onset - 3) <= 1
    named = {finding.quantity for finding in report.findings}
    assert named & quantities
    assert all(finding.remedy and finding.text for finding in report.findings)
    assert WORDS[name] in " ".join(finding.text for finding in report.findings)


def test_a_frozen_video_fails(tmp_path: Path) -> None:
    frames = videos.clean(60)
    report = measured(tmp_path / "a.mp4", [*frames, *[frames[-1]] * 80])
    assert report.verdict == "broken"
    assert report.findings[0].quantity == "frozen"
    still = measured(tmp_path / "b.mp4", [frames[0]] * 40)
    assert (still.verdict, "one still picture" in still.findings[0].text) == ("broken", True)


def test_a_still_picture_that_gets_warmer_now_and_then_is_worse_than_a_still_one(tmp_path: Path) -> None:
    picture = videos.clean(1)[0].astype(float)
    still = measured(tmp_path / "still.mp4", [picture.astype(np.uint8)] * 160)
    # It stands still for a second and more at first, then no longer for so long.
    times = [number // 20 if number < 80 else number // 10 - 4 for number in range(160)]
    warm = np.array([1.003, 1.0, 0.997])
    warmer = [np.clip(picture * warm**time, 0, 255).astype(np.uint8) for time in times]
    assert measured(tmp_path / "warmer.mp4", warmer).score > still.score


def test_a_black_video_is_broken(tmp_path: Path) -> None:
    report = measured(tmp_path / "a.mp4", [np.zeros_like(videos.clean(1)[0])] * 50)
    assert (report.verdict, report.findings[0].quantity) == ("broken", "blank")


@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_short_videos_have_a_verdict(tmp_path: Path, count: int) -> None:
    report = look(videos.write(tmp_path / "a.mp4", videos.clean(count)))
    assert report.verdict == "steady"
    assert len(clip_values(report)) == 1
    assert "steady" in in_words(report)


def test_twelve_pictures_a_second_are_a_note(tmp_path: Path) -> None:
    frames = [frame for frame in videos.clean(50) for _ in range(2)]
    report = measured(tmp_path / "a.mp4", frames)
    assert report.verdict == "steady"
    assert [finding.quantity for finding in report.findings] == ["repeats"]


def test_clips_come_from_the_metadata(tmp_path: Path) -> None:
    comment = json.dumps({"svi": {"segments": 3, "motion_frames": 1, "seeds": [1, 2, 3]}, "prompt": "x"})
    report = look(videos.write(tmp_path / "a.mp4", videos.clean(73), comment=comment))
    assert (report.clips.how, report.clips.starts) == ("metadata", (0, 25, 49))
    assert report.settings["prompt"] == "x"
    assert sorted(report.thumbnails) == [0, 24, 25, 48, 49, 72]


def test_pictures_are_there_when_clips_are_counted(tmp_path: Path) -> None:
    report = look(videos.write(tmp_path / "a.mp4", videos.clean(100)))
    assert sorted(report.thumbnails) == [0, 99]
    assert report.thumbnails[0].startswith(b"\xff\xd8")


def test_a_reference_of_another_size(tmp_path: Path) -> None:
    path = videos.write(tmp_path / "a.mp4", videos.clean(30))
    own = look(path)
    other = look(path, reference=np.random.default_rng(0).integers(0, 255, (70, 300, 3)).astype(np.uint8))
    assert np.mean([like for _, like in own.scan.reference]) > 0.7
    assert np.mean([like for _, like in other.scan.reference]) < 0.3


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    look(videos.write(tmp_path / "a.mp4", videos.clean(20)), progress=lambda *words: told.append(words))
    assert told[0] == ("Measuring a.mp4", 1, 20)
    assert told[-1] == ("Measuring a.mp4", 20, 20)


def test_what_cannot_be_measured(tmp_path: Path) -> None:
    with pytest.raises(SviError):
        look(tmp_path / "none.mp4")
