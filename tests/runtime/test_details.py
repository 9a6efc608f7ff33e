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
        ("schedule 1", "schedule is '1', but it can only be authors, wangp, on, off"),
    ],
)
def test_what_means_nothing_is_named(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        details.read(line)
