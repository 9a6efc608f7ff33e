from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svi_install.errors import SviError
from svi_install.runtime import length
from svi_install.storyboard.script.segments import clips_of, film_frames, part_frames, segments_of
from svi_install.storyboard.script.story import Lora, Shot, Story
from svi_install.storyboard.script.variants import NAMES, variant_of

IMAGE = Path("start.png")


def story(*shots: Shot, **values: object) -> Story:
    return Story(IMAGE, shots, **values)  # type: ignore[arg-type]


def test_one_clip_per_prompt() -> None:
    segments = segments_of(story(Shot("a"), Shot("b")), variant_of("2.0"))
    assert [(each.number, each.shot, each.prompt, each.frames) for each in segments] == [
        (1, 1, "a", 81),
        (2, 2, "b", 81),
    ]
    assert [(each.begins, each.ends) for each in segments] == [(True, False), (False, True)]
    assert film_frames(segments, 5) == 81 + 76


def test_seeds_as_in_one_long_video() -> None:
    segments = segments_of(story(Shot("a", frames=233), Shot("b"), seed=100), variant_of("2.0"))
    assert [each.seed for each in segments] == [100, 142, 184, 226]


def test_a_shot_with_a_seed_of_its_own() -> None:
    shots = (Shot("a"), Shot("b", frames=152, seed=5), Shot("c"))
    assert [each.seed for each in segments_of(story(*shots, seed=100), variant_of("2.0"))] == [100, 5, 47, 226]


def test_seeds_count_within_a_scene() -> None:
    shots = (Shot("a"), Shot("b"), Shot("c", new_shot=True), Shot("d"), Shot("e", new_shot=True, seed=5), Shot("f"))
    assert [each.seed for each in segments_of(story(*shots, seed=100), variant_of("2.0"))] == [
        100,
        142,
        100,
        142,
        5,
        47,
    ]


def test_a_scene_that_begins_like_another_looks_different() -> None:
    shots = (
        Shot("a"),
        Shot("b"),
        Shot("a", new_shot=True),
        Shot("b"),
        Shot("a", new_shot=True, image=Path("other.png")),
    )
    assert [each.seed for each in segments_of(story(*shots, seed=7), variant_of("2.0"))] == [7, 49, 210007, 210049, 7]


def test_takes_of_a_shot() -> None:
    shots = (Shot("a", frames=233, take=(2, 3)), Shot("b", takes=4))
    segments = segments_of(story(*shots, takes=2), variant_of("2.0"))
    assert [(each.takes, each.take) for each in segments] == [(2, 2), (2, 3), (2, 3), (4, None)]


def test_a_cut_begins_anew() -> None:
    segments = segments_of(
        story(Shot("a"), Shot("b"), Shot("c", new_shot=True, image=Path("c.png")), Shot("d")), variant_of("2.0")
    )
    assert [each.scene for each in segments] == [1, 1, 2, 2]
    assert [each.begins for each in segments] == [True, False, True, False]
    assert [each.ends for each in segments] == [False, True, False, True]
    assert [each.image.name for each in segments] == ["start.png", "start.png", "c.png", "c.png"]
    assert film_frames(segments, 5) == 2 * (81 + 76)


def test_shots_add_to_the_story() -> None:
    shot = Shot("a", steps=4, loras=(Lora("b"),), settings={"x": 2}, end_image=Path("end.png"), frames=157)
    segments = segments_of(story(shot, steps=8, loras=(Lora("a"),), settings={"x": 1, "y": 1}), variant_of("2.0"))
    assert [each.steps for each in segments] == [4, 4]
    assert segments[0].loras == (Lora("a"), Lora("b"))
    assert segments[0].settings == {"x": 2, "y": 1}
    assert [each.end_image for each in segments] == [None, Path("end.png")]


@given(frames=st.integers(1, 2000), clip=st.sampled_from([17, 33, 81]), name=st.sampled_from(["shot", "2.0"]))
def test_as_many_clips_as_wangp_itself_would_make(frames: int, clip: int, name: str) -> None:
    """The runtime rounds the length of one long video by the same rule."""
    variant = variant_of(name)
    segments = segments_of(story(Shot("a", frames=frames), clip_frames=clip), variant)
    theirs = length.plan(max(frames, clip), clip, variant.motion_frames, continues=False)
    assert len(segments) == theirs.clips
    assert film_frames(segments, variant.overlap) == theirs.total


@given(frames=st.integers(1, 5000), begins=st.booleans())
def test_the_nearest_number_of_whole_clips(frames: int, begins: bool) -> None:
    def total(clips: int) -> int:
        return clips * 76 + (5 if begins else 0)

    clips = clips_of(Shot("a", frames=frames), 81, 5, begins)
    assert clips >= 1
    assert abs(total(clips) - frames) <= abs(total(clips + 1) - frames)
    assert clips == 1 or abs(total(clips) - frames) <= abs(total(clips - 1) - frames)


@pytest.mark.parametrize("name", NAMES)
def test_parts_make_the_film(name: str) -> None:
    """Every frame of the film is in exactly one part, or in the tail at the end of a scene."""
    variant = variant_of(name)
    shots = (Shot("a", frames=200), Shot("b", new_shot=True), Shot("c"))
    segments = segments_of(story(*shots), variant)
    total = 0
    for segment in segments:
        # SVI 2 Pro loses the anchor's frame in all clips but the first of a scene.
        made = segment.frames - (1 if name == "pro" and not segment.begins else 0)
        first, end = part_frames(segment, made, variant.overlap, variant.seam)
        assert 0 <= first < end <= made
        total += end - first + (variant.overlap if segment.ends and variant.seam == "head" else 0)
    assert total == film_frames(segments, variant.overlap)


def test_clips_that_are_too_short() -> None:
    with pytest.raises(SviError, match="too short for 5 motion frames"):
        segments_of(story(Shot("a"), clip_frames=8), variant_of("2.0"))


def test_the_end_of_a_film_is_that_of_its_last_clip() -> None:
    shots = (Shot("a", end_image=Path("a.png")), Shot("b", frames=161, end_image=Path("b.png")))
    ends = [each.end_image for each in segments_of(story(*shots, end_image=Path("c.png")), variant_of("wan22"))]
    assert ends == [Path("a.png"), None, Path("c.png")]
    assert [each.end_image for each in segments_of(story(*shots), variant_of("wan22"))][-1] == Path("b.png")


@pytest.mark.parametrize(("name", "overlap"), [("wan22", 1), ("pro", 5)])
def test_a_loop_comes_back_to_the_image_that_the_film_begins_with(name: str, overlap: int) -> None:
    shots = (Shot("a", image=Path("first.png")), Shot("b", new_shot=True), Shot("c"))
    segments = segments_of(story(*shots, loop=True), variant_of(name))
    assert [each.end_image for each in segments] == [None, None, Path("first.png")]
    assert [each.closes for each in segments] == [False, False, True]
    assert film_frames(segments, overlap) == film_frames(segments_of(story(*shots), variant_of(name)), overlap) - 1
