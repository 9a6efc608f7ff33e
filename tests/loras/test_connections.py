from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from svi_install.loras.transfer.connections import Growth, abandon, share
from svi_install.loras.transfer.part import Part
from svi_install.loras.transfer.settings import Limits

MIB = 1024 * 1024


@dataclass
class Stand:
    """Stands in for a connection at work."""

    position: int
    stop: int
    splittable: bool = True
    abandoned: bool = False

    def abandon(self) -> None:
        self.abandoned = True


@pytest.fixture
def part(tmp_path: Path) -> Part:
    found = Part(tmp_path / "f", 8 * MIB)
    found.begin("https://x/f", "f" * 64, "", 100 * MIB)
    return found


def test_the_first_connection_takes_everything(part: Part) -> None:
    assert share(part, []) == (0, 100 * MIB)
    part.close()


def test_the_second_takes_half_of_what_is_left(part: Part) -> None:
    first = Stand(0, 100 * MIB)
    assert share(part, [first]) == (50 * MIB, 100 * MIB)  # type: ignore[list-item]
    assert first.stop == 50 * MIB
    part.close()


def test_the_largest_stretch_is_shared(part: Part) -> None:
    small, large = Stand(0, 30 * MIB), Stand(30 * MIB, 100 * MIB)
    assert share(part, [small, large]) == (65 * MIB, 100 * MIB)  # type: ignore[list-item]
    part.close()


def test_what_nobody_brings_comes_first(part: Part) -> None:
    busy = [Stand(10 * MIB, 50 * MIB), Stand(70 * MIB, 80 * MIB)]
    assert share(part, busy) == (0, 10 * MIB)  # type: ignore[arg-type]
    busy.append(Stand(0, 10 * MIB))
    assert share(part, busy) == (50 * MIB, 70 * MIB)  # type: ignore[arg-type]
    part.close()


def test_what_cannot_be_split_is_not(part: Part) -> None:
    assert share(part, [Stand(0, 100 * MIB, splittable=False)]) is None  # type: ignore[list-item]
    part.close()


def test_without_a_size_there_is_one_connection(tmp_path: Path) -> None:
    part = Part(tmp_path / "f", 8 * MIB)
    assert share(part, []) == (0, -1)
    assert share(part, [Stand(5, -1, splittable=False)]) is None  # type: ignore[list-item]
    part.close()


def test_abandon() -> None:
    workers = [Stand(0, 1), Stand(1, 2)]
    abandon(workers)  # type: ignore[arg-type]
    assert all(worker.abandoned for worker in workers)


def grown(rates: list[float], most: int = 4) -> list[int]:
    """Advise once a second, with the rate that each number of connections gives."""
    growth = Growth(Limits(connections=most, trial_seconds=1.0))
    received = 0.0
    counts = []
    for second in range(12):
        count = growth.advise(float(second), int(received), 10**12)
        counts.append(count)
        received += rates[count - 1]
    return counts


def test_more_connections_as_long_as_each_makes_it_faster() -> None:
    assert grown([100, 200, 300, 400]) == [1, 2, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4]


def test_back_to_one_when_a_second_brings_nothing() -> None:
    assert grown([100, 101, 500, 500]) == [1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]


def test_back_to_two_when_a_third_brings_nothing() -> None:
    assert grown([100, 200, 201, 500])[:5] == [1, 2, 3, 2, 2]


def test_one_connection_when_no_more_are_allowed() -> None:
    assert grown([100, 200], most=1) == [1] * 12


def test_no_trial_shortly_before_the_end() -> None:
    growth = Growth(Limits(connections=4, trial_seconds=1.0))
    growth.advise(0.0, 0, 500)
    assert growth.advise(1.0, 100, 400) == 1


def test_settled_means_settled() -> None:
    growth = Growth(Limits(connections=4, trial_seconds=1.0))
    growth.settle(2)
    assert [growth.advise(float(second), 1000 * second, 10**12) for second in range(5)] == [2] * 5
