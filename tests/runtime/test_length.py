from __future__ import annotations

import pytest

from svi_install.runtime import length


@pytest.mark.parametrize(
    ("frames", "motion", "clips", "total"),
    [
        (162, 1, 2, 161), (162, 5, 2, 157), (243, 1, 3, 241), (243, 5, 3, 233), (81, 5, 1, 81), (82, 1, 1, 81),
        (121, 1, 2, 161), (120, 1, 1, 81), (801, 1, 10, 801), (159, 3, 2, 159),
    ],
)  # fmt: skip
def test_whole_clips(frames: int, motion: int, clips: int, total: int) -> None:
    lengths = length.plan(frames, 81, motion, False)
    assert (lengths.clips, lengths.total, lengths.clip_frames) == (clips, total, 81)


@pytest.mark.parametrize("motion", range(1, 14))
@pytest.mark.parametrize("clips", range(1, 6))
@pytest.mark.parametrize("continues", [False, True])
def test_wangps_own_count_gives_whole_windows(motion: int, clips: int, continues: bool) -> None:
    window = 33
    wanted = clips * (window - motion) + (1 if continues else motion)
    lengths = length.plan(wanted, window, motion, continues)
    assert lengths.clips == clips
    # As wgp.py counts: floor to 4k+1, overlap - 1 more for a video that is continued, then whole windows.
    requested = (lengths.wangp_frames - 1) // 4 * 4 + 1 + (lengths.overlap - 1 if continues else 0)
    assert requested == lengths.wangp_frames + (lengths.overlap - 1 if continues else 0)
    assert (requested - window) % (window - lengths.overlap) == 0
    assert 1 + (requested - window) // (window - lengths.overlap) == clips
    assert lengths.overlap % 4 == 1
    assert motion <= lengths.overlap <= motion + 3


def test_shorter_than_a_window_stays() -> None:
    assert length.plan(50, 81, 1, False) == length.Lengths(1, 49, 49, 1, 49, 49)


def test_planning_again_changes_nothing() -> None:
    for motion in (1, 3, 5):
        total = length.plan(500, 81, motion, False).total
        assert total is not None
        assert length.plan(total, 81, motion, False).total == total


def test_window_is_rounded_down() -> None:
    assert length.plan(243, 83, 1, False).clip_frames == 81


def test_too_short_for_the_motion_frames() -> None:
    with pytest.raises(ValueError, match="at least 13"):
        length.plan(81, 9, 6, False)


def test_in_words() -> None:
    assert length.plan(241, 81, 1, False).describe() == "3 clips of 81 frames = 241 frames"
    assert length.plan(81, 81, 1, False).describe() == "1 clip of 81 frames = 81 frames"
    assert length.plan(81, 81, 1, True).describe() == "1 clip of 81 frames behind the video"
