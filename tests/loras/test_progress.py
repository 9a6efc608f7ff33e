from __future__ import annotations

import pytest

from svi_install.loras.transfer.progress import Progress, Rate, human_size, no_report


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KB"),
        (2_453_667_840, "2.3 GB"),
        (1_226_833_920, "1.1 GB"),
        (150 * 1024**2, "150 MB"),
        (3 * 1024**4, "3.0 TB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert human_size(count) == text


def test_eta_needs_a_total_and_a_rate() -> None:
    assert Progress("a", "f", "download", 10, 110, 50.0).eta == 2.0
    assert Progress("a", "f", "download", 10, None, 50.0).eta is None
    assert Progress("a", "f", "download", 10, 110).eta is None
    assert Progress("a", "f", "download", 120, 110, 50.0).eta == 0.0
    no_report(Progress("a", "f", "done"))


def test_the_rate_does_not_count_what_an_earlier_run_brought() -> None:
    rate = Rate(window=5.0)
    assert rate.add(0.0, 1000) == 0.0
    assert rate.add(1.0, 1100) == 100.0
    assert rate.add(2.0, 1400) == 200.0


def test_the_rate_forgets() -> None:
    rate = Rate(window=5.0)
    rate.add(0.0, 0)
    rate.add(1.0, 1000)
    for second in range(2, 20):
        last = rate.add(float(second), 1000)
    assert last == 0.0
