"""What WanGP computes against what the official SVI program computed, on the same tiny model.

The limits stand at the top of lab/compare.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from .conftest import NEWEST, Ahead, Tree
from .lab import parity

FEEDS = ("own", "golden")
# Last in their process; each is to fail in the quantities that the image is part of.
WRONG_ENDS = [parity.Job("end and grey", end=end) for end in ("nothing", "start")]
LIMITS = {"y": (None, None), "latents": (None, None), "frames": (-1, 1)}  # ours are clipped
Compared = dict[parity.Job, parity.Result]
Results = Callable[[str], Compared]


@pytest.fixture(scope="session")
def results(
    ahead: Ahead[Compared],
    wangp_tree: Tree,
    environment: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Results:
    """All comparisons of a release, made in one process."""
    jobs = [parity.Job(case, feed) for case in parity.OFFICIAL for feed in FEEDS]
    if request.config.getoption("--wangp-all"):
        jobs += [parity.Job(case, "golden", own_sigmas=False) for case in parity.OFFICIAL]

    def measure(version: str) -> Compared:
        report, measured = parity.measure(wangp_tree(version), environment, jobs, tmp_path_factory.mktemp("parity"))
        assert report.ok, report.why()
        return {each.job: each for each in measured}

    return ahead(request, "version", measure)


@pytest.mark.parametrize("case", parity.OFFICIAL)
@pytest.mark.parametrize("feed", FEEDS)
def test_clips_are_the_official_ones(results: Results, version: str, case: str, feed: str) -> None:
    result = results(version)[parity.Job(case, feed)]
    assert result.ok, result.table(everything=False)


@pytest.mark.long
@pytest.mark.parametrize("case", parity.OFFICIAL)
def test_clips_are_the_official_ones_on_any_schedule(results: Results, version: str, case: str) -> None:
    """With the official noise schedule put in from outside, so that nothing rests on where ours is set."""
    result = results(version)[parity.Job(case, "golden", own_sigmas=False)]
    assert result.ok, result.table(everything=False)


@pytest.fixture(scope="session")
def computed(plain_tree: Tree, environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cases of FURTHER and ENDS by reference.py, and the official ones again."""
    file = tmp_path_factory.mktemp("reference") / "computed.npz"
    official = {name: {**case, "start": str(parity.GOLDEN)} for name, case in parity.OFFICIAL.items()}
    parity.reference(plain_tree("12.60"), environment, {**official, **parity.FURTHER, **parity.ENDS}, file)
    return file


@pytest.mark.long
@pytest.mark.parametrize("case", parity.OFFICIAL)
def test_the_reference_computes_what_the_official_program_computed(computed: Path, case: str) -> None:
    """One level of a frame that lies between two may differ, and with it what the next clip makes of it."""
    ours, official = np.load(computed), np.load(parity.GOLDEN)
    for clip in range(parity.OFFICIAL[case]["clips"]):
        for quantity, limit in (("y", 5e-4), ("latents", 2e-4), ("frames", 1e-3)):
            name = f"{case}/{clip}/{quantity}"
            difference = ours[name].astype(np.float64) - official[name].astype(np.float64).clip(*LIMITS[quantity])
            assert np.abs(difference).max() < limit, name
    assert np.array_equal(ours[f"{case}/timesteps"], official[f"{case}/timesteps"])
    assert np.abs(ours[f"{case}/video"].astype(int) - official[f"{case}/video"]).max() <= 1


@pytest.fixture(scope="session")
def further(
    ahead: Ahead[Compared], wangp_tree: Tree, environment: Path, computed: Path, request: pytest.FixtureRequest
) -> Results:
    """Like results, on the cases of FURTHER and ENDS."""

    def measure(version: str) -> Compared:
        out = computed.with_name(version)
        ends = version in WITH_ENDS
        cases = [*parity.FURTHER, *(parity.ENDS if ends else ())]
        jobs = [parity.Job(case, feed) for case in cases for feed in FEEDS] + (WRONG_ENDS if ends else [])
        report, measured = parity.measure(wangp_tree(version), environment, jobs, out, computed)
        assert report.ok, report.why()
        return {each.job: each for each in measured}

    return ahead(request, "version", measure)


WITH_ENDS = ("12.60", NEWEST, "11.90", "10.01")


@pytest.mark.long
@pytest.mark.parametrize("version", [*WITH_ENDS, "9.91"])
@pytest.mark.parametrize("case", parity.FURTHER)
@pytest.mark.parametrize("feed", FEEDS)
def test_further_variants(further: Results, version: str, case: str, feed: str) -> None:
    result = further(version)[parity.Job(case, feed)]
    assert result.ok, result.table(everything=False)


@pytest.mark.long
@pytest.mark.parametrize("version", WITH_ENDS)
@pytest.mark.parametrize("case", parity.ENDS)
@pytest.mark.parametrize("feed", FEEDS)
def test_clips_that_arrive_at_an_image(further: Results, version: str, case: str, feed: str) -> None:
    """Wan 2.2; the authors' steps with the image as the last frame, marked as known."""
    result = further(version)[parity.Job(case, feed)]
    assert result.ok, result.table(everything=False)


@pytest.mark.long
@pytest.mark.parametrize("version", WITH_ENDS)
@pytest.mark.parametrize("wrong", WRONG_ENDS, ids=lambda job: job.end)
def test_another_image_or_none_is_told_apart(further: Results, version: str, wrong: parity.Job) -> None:
    """The frames of the tiny model hardly show which image it was; the conditioning and the latents do."""
    failed = {row["quantity"] for row in further(version)[wrong].rows if not row["ok"]}
    without = {"y mask", "decoded frames"} if wrong.end == "nothing" else set()
    assert {"y latents", "final latents"} | without <= failed


@pytest.mark.parametrize("broken", ["padding", "motion frames"])
@pytest.mark.long
def test_the_comparison_can_fail(
    wangp_tree: Tree, environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    original = parity.settings_of

    def wrong(*arguments: object) -> dict[str, object]:
        settings = original(*arguments)
        return {**settings, **({"svi_ref_pad_num": 0} if broken == "padding" else {"svi_num_motion_frames": 1})}

    monkeypatch.setattr(parity, "settings_of", wrong)
    report, (result,) = parity.measure(wangp_tree("12.60"), environment, [parity.Job("svi-2.0", "golden")], tmp_path)
    assert report.ok, report.why()
    assert not result.ok
    assert {"y latents", "final latents", "decoded frames"} <= {row["quantity"] for row in result.rows if not row["ok"]}
