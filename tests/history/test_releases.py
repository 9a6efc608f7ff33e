from __future__ import annotations

from dataclasses import replace

import pytest

from svi_install.errors import EXIT_USAGE, SviError
from svi_install.history import repository
from svi_install.history.judge import FileVerdict
from svi_install.history.releases import Verdict, causes, check, releases
from svi_install.patching import patchset
from svi_install.patching.patchset import PatchSet
from svi_install.patching.placement import Refusal
from tests import story
from tests.miniature import WGP
from tests.story import Story


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return story.tell(tmp_path_factory.mktemp("story"))


@pytest.fixture(scope="module")
def patches(told: Story) -> PatchSet:
    return patchset.load(told.patches)


def judged(told: Story, patches: PatchSet, **options: object) -> tuple[Verdict, ...]:
    chosen = releases(told.git, patches, **options)  # type: ignore[arg-type]
    return check(told.git, patches, chosen, all_commits=bool(options.get("all_commits")))


def test_known_releases_and_the_first_commit_of_each_new_version(told: Story, patches: PatchSet) -> None:
    found = judged(told, patches)
    assert [item.version for item in found] == ["9.91", "12.60", "12.61", "12.70", "12.71"]
    assert [item.how for item in found] == ["moved", "moved", "moved", "refused", "reduced"]
    assert [item.day for item in found][:2] == ["2023-11-14", "2023-11-24"]
    assert found[3].commit.id == told.commits["rework"]


def test_every_commit_with_its_version(told: Story, patches: PatchSet) -> None:
    found = judged(told, patches, all_commits=True)
    assert [item.commit.id for item in found] == list(told.commits.values())
    assert [item.version for item in found] == ["9.91", "12.60", "12.60", "12.61", "12.70", "12.70", "12.71"]
    assert [item.patchable for item in found] == [True, True, True, True, False, False, True]


def test_a_refusal_names_the_upstream_commit_and_the_nearest_line(told: Story, patches: PatchSet) -> None:
    for options, wanted in (({}, "rework"), ({"all_commits": True}, "rework")):
        verdict = next(item for item in judged(told, patches, **options) if not item.patchable)
        (file,) = [item for item in verdict.files if item.refusals]
        assert file.path == WGP
        assert [(cause.hook, cause.commit.id) for cause in file.causes] == [("clip", told.commits[wanted])]
        assert file.refusals[0].candidates[0].text == story.NEW_CLIP.decode()


def test_since_starts_at_a_release(told: Story, patches: PatchSet) -> None:
    assert [item.version for item in judged(told, patches, since="12.60")] == ["12.60", "12.61", "12.70", "12.71"]
    commits = judged(told, patches, since="12.60", all_commits=True)
    assert commits[0].commit.id == told.commits["12.60"]
    with pytest.raises(SviError, match=r"does not list WanGP '9\.0'") as caught:
        releases(told.git, patches, since="9.0")
    assert caught.value.exit_code == EXIT_USAGE


def test_one_revision_alone(told: Story, patches: PatchSet) -> None:
    (verdict,) = judged(told, patches, revision="main~1")
    assert (verdict.version, verdict.commit.id, verdict.how) == ("12.70", told.commits["broken"], "refused")
    assert verdict.files[-1].causes == ()


def test_a_history_without_any_known_release_is_read_from_its_beginning(told: Story, patches: PatchSet) -> None:
    stranger = patches._replace(commits={"1.0": "0" * 40})
    assert [item.version for item in judged(told, stranger)] == ["9.91", "12.60", "12.61", "12.70", "12.71"]


def test_a_missing_file_is_refused(told: Story, patches: PatchSet) -> None:
    tree = told.git.parent
    story.git(tree, "checkout", "-q", "--detach")
    story.git(tree, "rm", "-q", "models/wan/any2video.py")
    story.git(tree, "commit", "-q", "-m", "Remove it", when=99)
    commit = story.git(tree, "rev-parse", "HEAD")
    story.git(tree, "checkout", "-q", "main")
    (verdict,) = judged(told, patches, revision=commit)
    assert [item.refusals[0].why for item in verdict.files if item.refusals] == ["the file does not exist"]
    assert not verdict.patchable
    chosen = releases(told.git, patches)
    last = replace(chosen[-1], version="", commit=repository.log(told.git, [commit], walk=False)[0])
    *_, end = check(told.git, patches, [*chosen, last], all_commits=True)
    assert [cause.commit.id for file in end.files for cause in file.causes] == [commit]


def test_a_place_that_only_the_reference_knows_better_is_wrong(told: Story, patches: PatchSet) -> None:
    chosen = releases(told.git, patches, revision=told.commits["12.61"])
    (verdict,) = check(told.git, patches, chosen, reference=patches)
    assert [file.wrong for file in verdict.files] == [(), (), ()]


def test_a_hook_that_came_back_has_no_cause(told: Story, patches: PatchSet) -> None:
    refused = FileVerdict(WGP, "x", refusals=(Refusal(WGP, "clip", "why", "", ()),))
    commits = told.commits
    assert causes(told.git, patches.variants, refused, commits["12.60"], commits["12.71"]) == ()
    (cause,) = causes(told.git, patches.variants, refused, commits["12.60"], commits["broken"])
    assert cause.commit.id == commits["rework"]


def test_exact_needs_every_hook_at_its_line(told: Story, patches: PatchSet) -> None:
    (verdict,) = judged(told, patches, revision=told.commits["12.60"])
    places = [[place._replace(how="exact") for place in file.places] for file in verdict.files]
    exact = replace(
        verdict, files=tuple(replace(f, places=tuple(p)) for f, p in zip(verdict.files, places, strict=True))
    )
    assert exact.how == "exact"
