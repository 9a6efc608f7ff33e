from __future__ import annotations

import numpy as np
import pytest

from svi_install.drift.frames import Frame
from svi_install.drift.measure import Looks, measure
from svi_install.drift.steps import BOUND, QUANTITIES, bounded_mean, drifted, step

from . import videos


def looks(picture: np.ndarray) -> Looks:
    gray = (picture @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)
    return measure(Frame(0, 0.0, picture, gray))


PLACE = videos.place().round().astype(np.uint8)


def changed(picture: np.ndarray, before: np.ndarray = PLACE) -> dict[str, float]:
    one, two = (np.clip(np.round(each), 0, 255).astype(np.uint8) for each in (before, picture))
    return dict(zip(QUANTITIES, drifted(looks(one), looks(two)), strict=True))


def test_nothing_changes_between_equal_frames() -> None:
    assert all(value == pytest.approx(0, abs=1e-5) for value in changed(PLACE).values())
    same = step(looks(PLACE), looks(PLACE))
    assert (same.difference, same.motion, same.flicker) == (0, 0, 0)
    assert same.likeness == pytest.approx(1)


def test_light_changes_brightness_and_nothing_else() -> None:
    found = changed(videos.place() * 1.08)
    assert found["L"] > 2
    # Rounding and clipping leave a little.
    assert abs(found["contrast"]) < 0.03
    assert max(abs(found[name]) for name in ("a", "b", "chroma")) < 0.8


@pytest.mark.parametrize(
    ("change", "quantity", "sign"),
    [(videos.warm, "b", 1), (videos.warm, "a", 1), (videos.pale, "chroma", -1), (videos.harsh, "contrast", 1),
     (videos.soft, "detail", -1), (videos.grainy, "noise", 1)],
)  # fmt: skip
def test_each_kind_of_damage_shows_in_its_quantity(change, quantity: str, sign: int) -> None:
    assert changed(change(videos.place(), 0.12))[quantity] * sign > 0
    assert abs(changed(change(videos.place(), 0.2))[quantity]) > abs(changed(change(videos.place(), 0.1))[quantity])


def test_a_pan_is_followed() -> None:
    first, second = videos.pan(40)[0], videos.pan(40)[8]
    plain = looks(second).value("L") - looks(first).value("L")
    followed = dict(zip(QUANTITIES, drifted(looks(first), looks(second)), strict=True))
    assert abs(followed["L"]) < max(0.3, abs(plain) / 2)


def test_there_and_back_is_nothing() -> None:
    # Of detail above all: values looked up between cells are smoother, and that must not look like blur.
    first, second = looks(videos.pan(40)[0]), looks(videos.pan(40)[8])
    there, back = (np.array(drifted(*each)) for each in ((first, second), (second, first)))
    assert np.abs(there + back)[:2] == pytest.approx(0, abs=0.2)
    assert np.abs(there + back)[QUANTITIES.index("detail")] < 0.02


def test_a_coloured_lamp_counts_the_same_in_dark_and_in_bright_places() -> None:
    found = [changed(videos.warm(videos.place() * bright, 0.05), videos.place() * bright) for bright in (0.5, 1.0)]
    assert found[0]["b"] == pytest.approx(found[1]["b"], rel=0.15)


def test_what_comes_into_the_picture_is_not_sharper_or_softer() -> None:
    before, after = PLACE.copy(), PLACE.copy()
    after[60:90, 110:160] = np.random.default_rng(0).integers(0, 255, (30, 50, 3))
    plain = looks(after).value("detail") - looks(before).value("detail")
    assert plain > 0.5
    assert abs(changed(after, before)["detail"]) < 0.6 * plain


def test_what_moves_does_not_count_as_light() -> None:
    before, after = PLACE.copy(), PLACE.copy()
    before[10:40, 10:60] = 250
    after[60:90, 110:160] = 10
    assert abs(changed(after, before)["L"]) < BOUND / 2


def test_one_block_in_twenty_still_counts() -> None:
    values = np.zeros((20, 20), np.float32)
    values[::5, ::4] = 1.0
    assert bounded_mean(values) == pytest.approx(values.mean(), rel=0.3)


def test_a_stream_that_changes_its_size_ends_in_no_error() -> None:
    other = looks(np.full((50, 60, 3), 90, np.uint8))
    assert drifted(looks(PLACE), other) == (0.0,) * len(QUANTITIES)
    assert step(looks(PLACE), other).likeness == 0


def test_empty_pictures() -> None:
    black = looks(np.zeros((108, 192, 3), np.uint8))
    assert step(black, black).likeness == 1
    assert all(np.isfinite(drifted(black, looks(PLACE))))
    assert black.value("detail") == 0
    assert black.value("clipped") == 1


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (8, 3), (16, 1200)])
def test_tiny_and_narrow_pictures(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (*size, 3)).astype(np.uint8)
    assert all(np.isfinite(looks(picture).values))
    assert all(np.isfinite(drifted(looks(picture), looks(picture))))
