from __future__ import annotations

import json

import numpy as np
import pytest

from svi_install.drift.clips import USUAL, divide, find, from_metadata, settings_of, told_by

from . import videos


@pytest.mark.parametrize(
    ("svi", "frames", "starts"),
    [
        ({"segments": 3, "motion_frames": 1}, 241, (0, 81, 161)),
        ({"seeds": [1, 2, 3], "motion_frames": 5}, 233, (0, 81, 157)),
        ({"seeds": [1, 2], "motion_frames": 1}, 161, (0, 81)),
    ],
)
def test_what_svi_left_in_a_video(svi: dict, frames: int, starts: tuple[int, ...]) -> None:
    assert from_metadata({"svi": svi}, frames) == starts
    assert from_metadata({"custom_settings": {"svi": svi}}, frames) == starts


def test_what_wangp_left_in_a_video() -> None:
    window = {"sliding_window_size": 81, "sliding_window_overlap": 5, "sliding_window_discard_last_frames": 4}
    assert from_metadata(window, 221) == (0, 77, 149, 221 - 0)[:3]
    assert from_metadata({**window, "sliding_window_overlap": 90}, 221) is None
    assert from_metadata(window, 60) is None


@pytest.mark.parametrize(
    "settings",
    [{}, {"svi": None}, {"svi": {"segments": 0}}, {"svi": {"segments": "3"}}, {"svi": {"seeds": [1]}},
     {"svi": {"segments": 10**9}}, {"custom_settings": ["svi"]}, {"sliding_window_size": "81"},
     {"svi": {"clip_starts": [0, "x"]}}],
)  # fmt: skip
def test_settings_that_do_not_say(settings: dict) -> None:
    assert from_metadata(settings, 241) is None


def test_comments_that_are_no_settings() -> None:
    assert settings_of("") == settings_of("hello") == settings_of("[1]") == settings_of("{") == {}
    assert settings_of(json.dumps({"a": 1})) == {"a": 1}


def test_clips_are_found_by_their_seams() -> None:
    frames = videos.worse(videos.clean(), videos.darker, 2, 0.02)
    found = find(videos.scanned(frames))
    assert found is not None
    assert found[1:3] == (videos.CLIP, 2 * videos.CLIP)


def test_where_no_length_stands_out_they_are_counted() -> None:
    scan = videos.scanned(videos.clean(170))
    clips = divide(scan, None, None)
    assert (clips.how, clips.starts) == ("counted", (0, USUAL))
    asked = divide(scan, (0, 81), 50)
    assert (asked.how, asked.starts) == ("asked", (0, 50, 100, 150))
    told = divide(scan, (0, 70, 140), None)
    assert (told.how, told.starts) == ("metadata", (0, 70, 140))
    assert divide(videos.scanned(videos.clean(3)), None, 50).starts == (0,)


def test_a_scrap_belongs_to_the_clip_before() -> None:
    assert divide(videos.scanned(videos.clean(52)), None, 25).starts == (0, 25)
    assert np.diff(divide(videos.scanned(videos.clean(60)), None, 25).starts).tolist() == [25, 25]


def test_a_film_to_publish_says_where_its_clips_are_by_its_chapters() -> None:
    # Three clips of 33 frames and a cut to two more, 16 a second; published at 30.
    starts = (0, 33, 65, 97, 130)
    frames, svi = 162, {"segments": 5, "motion_frames": 1, "story": {}}
    edges = [0.0, 97 / 16]
    assert told_by({"svi": svi}, frames, 16.0, edges) == (0, 33, 65, 97, 130)
    published = told_by({"svi": svi}, round(frames * 30 / 16), 30.0, edges)
    assert published is not None
    assert np.abs(np.array(published) - np.array(starts) * 30 / 16).max() <= 1.5
    listed = {**svi, "clip_starts": [0, 28, 61, 89, 130]}
    assert told_by({"svi": listed}, frames, 16.0, edges) == (0, 28, 61, 89, 130)
    assert told_by({"svi": listed}, 2 * frames, 32.0, edges) == (0, 56, 122, 178, 260)
    # Without chapters, and with such as do not fit, they are even.
    even = from_metadata({"svi": svi}, frames)
    assert told_by({"svi": svi}, frames, 16.0, []) == told_by({"svi": svi}, frames, 16.0, [0.0, 0.1]) == even
    assert told_by({}, frames, 16.0, edges) is None


def test_a_film_that_goes_on_from_a_video_has_that_before_its_clips() -> None:
    svi = {"segments": 2, "motion_frames": 1, "story": {"video": "mine.mp4"}}
    assert told_by({"svi": svi}, 100 + 64, 16.0, [0.0, 100 / 16]) == (0, 100, 132)
    listed = {**svi, "clip_starts": [0, 33]}
    assert told_by({"svi": listed}, 150 + 98, 24.0, [0.0, 150 / 24]) == (0, 150, 200)
    # Where no chapter tells how long that is, clips are searched for.
    assert told_by({"svi": svi}, 164, 16.0, []) is None
