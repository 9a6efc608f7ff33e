from __future__ import annotations

import numpy as np
import pytest

from svi_install.drift import scan as scanning
from svi_install.drift.scan import SETTLED, STRIDE
from svi_install.drift.steps import QUANTITIES

from . import videos


def test_every_frame_and_every_half_second_is_measured() -> None:
    told: list[tuple[str, int, int]] = []
    found = videos.scanned(videos.clean(40))
    assert (found.frames, len(found.values), len(found.steps)) == (40, 40, 40)
    assert found.marks[0] == SETTLED - 1 or found.marks[0] == SETTLED
    assert np.diff(found.marks[:-1]).tolist() == [STRIDE] * (len(found.marks) - 2)
    assert found.marks[-1] == 39
    assert np.abs(found.drift).max() < 0.5
    assert not told


def test_cuts_are_found_and_left_out_of_the_drift() -> None:
    found = videos.scanned([*videos.clean(40), *videos.clean(40, seed=8), *videos.pan(40)])
    assert found.cuts == (40, 80)
    assert np.abs(found.drift[:, QUANTITIES.index("L")]).max() < 1.5


def test_a_flash_is_no_cut_and_light_is_none() -> None:
    frames = videos.clean(50)
    frames[20] = np.full_like(frames[20], 255)
    frames[30:] = [np.clip(frame * 1.1, 0, 255).astype(np.uint8) for frame in frames[30:]]
    found = videos.scanned(frames)
    assert found.cuts == ()


def test_a_pan_over_light_and_dark_is_no_drift() -> None:
    found = videos.scanned(videos.pan(120))
    plain = found.of("L")
    assert abs(plain[-1] - plain[0]) > 8
    assert np.abs(found.drift[:, 0]).max() < 3


def test_black_frames_begin_nothing() -> None:
    black = [np.zeros_like(videos.clean(1)[0])] * 10
    for frames in (
        [*black, *videos.clean(40)],
        [*videos.clean(40), *black],
        [*videos.clean(20), *black, *videos.clean(20)],
    ):
        assert np.abs(videos.scanned(frames).drift[:, 0]).max() < 1.0
    nothing = videos.scanned(black)
    assert (nothing.marks, nothing.drift.shape) == ((), (0, len(QUANTITIES)))


def test_repeated_frames() -> None:
    frames = videos.pan(30)
    frames[12] = frames[11]
    frames[13] = frames[11]
    assert videos.scanned(frames).repeats == (12, 13)


def test_the_number_of_threads_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for count in (1, 3):
        monkeypatch.setattr(scanning, "WORKERS", count)
        found.append(videos.scanned(videos.pan(30)))
    one, three = found
    for name in ("values", "steps", "difference", "likeness", "motion", "flicker", "drift"):
        assert (getattr(one, name) == getattr(three, name)).all()


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_few_frames(count: int) -> None:
    found = videos.scanned(videos.clean(count))
    assert found.frames == count
    assert np.isfinite(found.values).all()
