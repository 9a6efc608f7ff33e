from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from svi_install.drift.trend import LEFT, UNITS, Trend, positions, trend

CLIPS = 8
WHERE = np.arange(0, CLIPS, 0.1)
CHANCE = np.random.default_rng(1)


def look(values: NDArray[np.float64], noise: float = 0.1) -> Trend:
    return trend("L", WHERE, values + np.random.default_rng(4).normal(0, noise, len(values)), CLIPS)


@pytest.mark.parametrize("onset", range(1, CLIPS))
@pytest.mark.parametrize("stairs", [False, True])
def test_where_drift_begins_is_found(onset: int, stairs: bool) -> None:
    where = WHERE - (onset - 1)
    shape = np.maximum(0, np.floor(where) + 1 if stairs else where)
    found = look(1.5 * shape)
    if found.end / UNITS["L"] > 2:
        assert found.drifts
        assert abs(found.onset - onset) <= 1
        assert found.per_clip == pytest.approx(1.5, rel=0.35)
        assert found.low <= found.per_clip <= found.high


def test_its_size_and_sign() -> None:
    found = look(-1.0 * WHERE)
    assert found.drifts
    assert found.onset == 1
    assert found.per_clip == pytest.approx(-1.0, rel=0.05)
    assert found.end == pytest.approx(-8, rel=0.05)


@pytest.mark.parametrize(
    "values",
    [
        np.zeros_like(WHERE),
        6 * np.sin(2 * np.pi * WHERE / CLIPS),
        6 * np.sin(4 * np.pi * WHERE / CLIPS),
        8 * np.exp(-np.square(WHERE - 4)),
        np.where((WHERE > 2) & (WHERE < 5), 7.0, 0.0),
        np.where(WHERE < 0.2, -40.0, 0.0),
        np.cumsum(CHANCE.normal(0, 0.05, len(WHERE))),
    ],
    ids=["nothing", "wave", "waves", "cloud", "lamp", "fade-in", "wander"],
)
def test_what_comes_back_is_content(values: NDArray[np.float64]) -> None:
    assert not look(values).drifts


def test_the_share_that_has_to_be_left() -> None:
    def hill(left: float) -> NDArray[np.float64]:
        return np.where(WHERE < 5, 2 * WHERE, 10 - (10 * (1 - left)) * (WHERE - 5) / 2).clip(10 * left)

    assert look(np.minimum(hill(0.05), 10)).returns
    assert LEFT < 1


def test_less_than_an_eye_notices_is_no_drift() -> None:
    assert not look(0.15 * WHERE).drifts


def test_drift_must_exceed_what_the_video_does_anyway() -> None:
    assert not look(0.6 * WHERE + 4 * np.sin(7 * WHERE)).drifts


@pytest.mark.parametrize(("values", "clips"), [([], 1), ([1.0], 1), ([1.0, 2, 3], 2), ([0, 5, 9, 14, 20], 1)])
def test_too_little_to_tell(values: list[float], clips: int) -> None:
    found = trend("a", np.linspace(0, clips, len(values)), np.array(values, float), clips)
    assert (found.drifts, found.onset) == (False, 1)


def test_positions_follow_clips_of_unequal_length() -> None:
    assert positions([0, 40, 81, 121, 161], [0, 81, 161], 241).tolist() == pytest.approx(
        [0, 0.494, 1, 1.5, 2], abs=1e-3
    )
