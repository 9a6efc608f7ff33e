from __future__ import annotations

import pytest

from svi_install.history import judge as judging
from svi_install.history.judge import Job, jobs_of, judge, judge_text
from svi_install.patching import patchset
from tests import miniature, story
from tests.miniature import ANY2VIDEO, MODEL, WGP
from tests.story import Story

VARIANTS = patchset.load().variants


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return story.tell(tmp_path_factory.mktemp("story"))


def every_job(told: Story) -> list[Job]:
    rows = jobs_of(told.git, list(told.commits.values()), (MODEL, ANY2VIDEO, WGP))
    return [job for row in rows for job in row if job]


def test_jobs_are_listed_by_commit_and_path(told: Story) -> None:
    rows = jobs_of(told.git, [told.commits["12.60"], told.commits["note"]], (WGP, "missing.py"))
    assert [len(row) for row in rows] == [2, 2]
    assert rows[0] == rows[1]
    assert rows[0][1] is None
    assert rows[0][0] is not None
    assert rows[0][0].path == WGP


def test_a_text_that_can_be_patched() -> None:
    verdict = judge_text(VARIANTS, Job(WGP, "x"), miniature.files("newer")[WGP])
    assert [place.hook for place in verdict.places] == ["clip", "stitch", "install"]
    assert (verdict.version, verdict.refusals, verdict.wrong, verdict.broken) == ("13.141", (), (), "")


def test_a_text_that_cannot_be_patched_still_has_a_version() -> None:
    verdict = judge_text(VARIANTS, Job(WGP, "x"), miniature.files("base")[WGP].replace(b"wan_model.generate", b"make"))
    assert ([item.hook for item in verdict.refusals], verdict.version) == (["clip"], "12.60")
    assert judge_text(VARIANTS, Job(MODEL, "x"), b'WanGP_version = "1"\n').version == ""


def test_a_text_that_upstream_broke() -> None:
    assert "line" in judge_text(VARIANTS, Job(WGP, "x"), miniature.files("broken")[WGP]).broken


def test_places_that_the_reference_does_not_share_are_wrong() -> None:
    data = miniature.files("base")[MODEL]
    other = {MODEL: VARIANTS[MODEL]}
    assert judge_text(VARIANTS, Job(MODEL, "x"), data, other).wrong == ()
    refusing = {MODEL: tuple(patchset.Variant(MODEL, "v", item.hunks, ()) for item in VARIANTS[MODEL])}
    strange = refusing[MODEL][0].hunks[0]._replace(after=("    not there",))
    refusing[MODEL] = (patchset.Variant(MODEL, "v", (strange,), ()),)
    assert judge_text(VARIANTS, Job(MODEL, "x"), data, refusing).wrong == ("keys",)


@pytest.mark.parametrize("processes", [1, 2])
def test_all_contents_are_judged_once_on_any_number_of_processors(
    told: Story, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    monkeypatch.setattr(judging, "WORTH_A_PROCESS", 2)
    monkeypatch.setattr(judging, "CHUNK", 2)
    jobs = every_job(told)
    calls: list[tuple[str, int, int]] = []
    found = judge(told.git, jobs, VARIANTS, progress=lambda *call: calls.append(call), processes=processes)
    assert set(found) == set(jobs)
    assert calls[-1] == ("Judging files", len(found), len(found))
    assert len(found) < len(jobs)
    assert all((verdict.path, verdict.blob) == (job.path, job.blob) for job, verdict in found.items())
    assert sorted(verdict.version for job, verdict in found.items() if job.path == WGP) == [
        "12.60", "12.61", "12.70", "12.70", "12.71", "9.91",
    ]  # fmt: skip
