"""What WanGP computes against what the official SVI program computed, on the same tiny model.

The limits stand at the top of lab/compare.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Ahead, Tree
from .lab import parity

FEEDS = ("own", "golden")
Compared = dict[tuple[str, str, bool], parity.Result]
Results = Callable[[str], Compared]


@pytest.fixture(scope="session")
def results(
    ahead: Ahead[Compared],
    wangp_tree: Tree,
    environment: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Results:
    """All comparisons of a release, made in one process, by case, feed and whether the noise schedule is the tree's."""
    jobs = [parity.Job(case, feed) for case in parity.PADDING for feed in FEEDS]
    if request.config.getoption("--wangp-all"):
        jobs += [parity.Job(case, "golden", own_sigmas=False) for case in parity.PADDING]

    def measure(version: str) -> Compared:
        report, measured = parity.measure(wangp_tree(version), environment, jobs, tmp_path_factory.mktemp("parity"))
        assert report.ok, report.why()
        return {(each.job.case, each.job.feed, each.job.own_sigmas): each for each in measured}

    return ahead(request, "version", measure)


@pytest.mark.parametrize("case", parity.PADDING)
@pytest.mark.parametrize("feed", FEEDS)
def test_clips_are_the_official_ones(results: Results, version: str, case: str, feed: str) -> None:
    result = results(version)[case, feed, True]
    assert result.ok, result.table(everything=False)


@pytest.mark.long
@pytest.mark.parametrize("case", parity.PADDING)
def test_clips_are_the_official_ones_on_any_schedule(results: Results, version: str, case: str) -> None:
    """With the official noise schedule put in from outside, so that nothing rests on where ours is set."""
    result = results(version)[case, "golden", False]
    assert result.ok, result.table(everything=False)


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
