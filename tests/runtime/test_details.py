from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svi_install.runtime import details

NUMBERS = st.fixed_dictionaries(
    {},
    optional={
        details.MOTION_FRAMES: st.integers(1, 99),
        details.PADDING: st.integers(-1, 99),
        details.SIGMAS: st.booleans(),
        details.MASK_ALL: st.booleans(),
        details.END_CLIPS: st.lists(st.just(-1) | st.integers(1, 999), min_size=1, unique=True).map(tuple),
    },
)


@given(NUMBERS)
def test_what_is_written_is_read_back(numbers: dict[str, Any]) -> None:
    assert details.read(details.write(numbers)) == numbers


@pytest.mark.parametrize(
    ("line", "numbers"),
    [
        ("", {}),
        (" , ;", {}),
        ("motion frames 5", {details.MOTION_FRAMES: 5}),
        ("Motion = 5; Padding: all", {details.MOTION_FRAMES: 5, details.PADDING: -1}),
        ("reference frames none\nschedule authors'", {details.PADDING: 0, details.SIGMAS: True}),
        ("schedule WanGP, known frames all", {details.SIGMAS: False, details.MASK_ALL: True}),
        ("svi_num_motion_frames 3", {details.MOTION_FRAMES: 3}),
        ("end images 2", {details.END_CLIPS: (2,)}),
        ("End Images: 2, 4; motion 5", {details.END_CLIPS: (2, 4), details.MOTION_FRAMES: 5}),
        ("end image last", {details.END_CLIPS: (-1,)}),
        ("end images 1 and 3 + last, schedule on", {details.END_CLIPS: (1, 3, -1), details.SIGMAS: True}),
        (details.EXAMPLE, {details.MOTION_FRAMES: 5, details.PADDING: -1, details.SIGMAS: True}),
    ],
)
def test_what_people_write(line: str, numbers: dict[str, Any]) -> None:
    assert details.read(line) == numbers


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("five", "hold 'five', which has no meaning here"),
        ("frames 5", "hold 'frames 5', which has no meaning here"),
        ("motion frames five", "motion frames is 'five', but it can only be a whole number"),
        ("motion frames " + "9" * 5000, "can only be a whole number"),
        ("end images", "end images is '', but it can only be numbers of clips"),
        ("end images 0", "it can only be numbers of clips, each once, like 2 4, or last"),
        ("end images 2 2", "each once"),
        ("end images two", "it can only be numbers of clips"),
        ("schedule 1", "schedule is '1', but it can only be authors, wangp, on, off"),
    ],
)
def test_what_means_nothing_is_named(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        details.read(line)
