"""What three clips of SVI cost beside three windows of WanGP without SVI, counted; for time, see benchmarks/."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from . import scenes
from .conftest import Ahead, Run, Tree
from .lab.generate import Report

RELEASES = ("12.60", "9.91")
FRAME_BYTES = 3 * 64 * 64 * 4


@dataclass(frozen=True)
class Clip:
    """One clip's work: see shim/cost.py."""

    vae: dict[str, int]
    passes: int
    between: int
    large: Counter[str]
    bytes: int


@dataclass(frozen=True)
class Costs:
    """The clips of one release: WanGP's own, SVI-Shot's and SVI-2.0's."""

    stock: tuple[Clip, ...]
    shot: tuple[Clip, ...]
    longer: tuple[Clip, ...]


Measured = Callable[[str], Costs]


def clips(report: Report) -> list[tuple[Clip, ...]]:
    """The clips of each generation."""
    assert report.ok, report.why()
    lines = map(json.loads, (report.out / "calls.jsonl").read_text("utf-8").splitlines())
    costs: list[dict[str, Any]] = [line for line in lines if line["event"] == "cost"]
    counted = []
    for generation in report.generations:
        mine, costs = costs[: len(generation.windows)], costs[len(generation.windows) :]
        counted.append(
            tuple(
                Clip(window["vae"], cost["passes"], cost["between"], +Counter(cost["large"]), cost["bytes"])
                for window, cost in zip(generation.windows, mine, strict=True)
            )
        )
    assert not costs
    return counted


@pytest.fixture(scope="session")
def measured(
    ahead: Ahead[Costs],
    plain_tree: Tree,
    wangp_tree: Tree,
    run_wangp: Run,
    request: pytest.FixtureRequest,
) -> Measured:
    start: Path = request.getfixturevalue("start_image")

    def measure(version: str) -> Costs:
        stock = clips(run_wangp(plain_tree(version), [scenes.video(start)], COST=1))
        tasks = [scenes.svi(start, 1), scenes.svi(start, 5, video_length=41)]
        shot, longer = clips(run_wangp(wangp_tree(version), tasks, COST=1))
        return Costs(*stock, shot, longer)

    return ahead(request, "version", measure)


@pytest.mark.parametrize("version", RELEASES, scope="session")
@pytest.mark.parametrize("variant", ["shot", "longer"])
class TestCost:
    """Clip by clip against WanGP's window of the same number: of everything that costs, SVI has not one more."""

    def pairs(self, measured: Measured, version: str, variant: str) -> list[tuple[Clip, Clip]]:
        costs = measured(version)
        assert len(costs.stock) == 3
        return list(zip(getattr(costs, variant), costs.stock, strict=True))

    def test_the_vae_encodes_once_and_decodes_once(self, measured: Measured, version: str, variant: str) -> None:
        for svi, stock in self.pairs(measured, version, variant):
            assert svi.vae == stock.vae
            assert sorted(svi.vae.values()) == [1, 1]

    def test_no_further_pass_of_the_transformer(self, measured: Measured, version: str, variant: str) -> None:
        for svi, stock in self.pairs(measured, version, variant):
            assert svi.passes == stock.passes > 1

    def test_no_work_per_denoising_step(self, measured: Measured, version: str, variant: str) -> None:
        for svi, stock in self.pairs(measured, version, variant):
            assert 0 < svi.between <= stock.between

    def test_no_tensor_of_video_size(self, measured: Measured, version: str, variant: str) -> None:
        for svi, stock in self.pairs(measured, version, variant):
            assert stock.large.total() > 100
            assert svi.large - stock.large == Counter()

    def test_memory_for_a_few_frames(self, measured: Measured, version: str, variant: str) -> None:
        """The motion frames on the levels of uint8, the reference once to keep and once beside the frames."""
        motion_frames = {"shot": 1, "longer": 5}[variant]
        for svi, stock in self.pairs(measured, version, variant):
            assert svi.bytes - stock.bytes < (motion_frames + 2) * FRAME_BYTES
