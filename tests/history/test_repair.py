from __future__ import annotations

import pytest

from svi_install.history.repair import repair
from svi_install.patching import patchset
from svi_install.patching.patchset import PatchSet
from svi_install.patching.placement import place
from tests import miniature, story
from tests.miniature import ANY2VIDEO, MODEL, WGP
from tests.story import Story

KEYS = b"        first = next(iter(sd), None)\n        if first == None:\n            return sd\n"


@pytest.fixture
def told(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return story.tell(tmp_path_factory.mktemp("story"))


@pytest.fixture
def patches(told: Story) -> PatchSet:
    return patchset.load(told.patches)


def commit(told: Story, path: str, *changes: tuple[bytes, bytes], base: str = "12.61") -> str:
    """Commit one more file on top of a commit of the story and return the commit."""
    tree = told.git.parent
    story.git(tree, "checkout", "-q", "--detach", told.commits[base])
    data = (tree / path).read_bytes()
    for old, new in changes:
        assert old in data
        data = data.replace(old, new)
    (tree / path).write_bytes(data)
    story.git(tree, "commit", "-q", "-a", "-m", "More", when=200)
    return story.git(tree, "rev-parse", "HEAD")


def test_nothing_to_repair(told: Story, patches: PatchSet) -> None:
    assert repair(told.git, patches, told.commits["12.61"], "12.61") == ()


def test_an_anchor_that_changed_is_found_by_history_likeness_and_function(told: Story, patches: PatchSet) -> None:
    (found,) = repair(told.git, patches, told.commits["rework"], "12.70")
    (anchor,) = found.anchors
    assert (anchor.hook, anchor.was, anchor.now) == ("clip", story.CLIP.decode(), story.NEW_CLIP.decode())
    assert [reason.split(" ")[-1] for reason in anchor.reasons] == ["alike", "line", "generate_media"]
    assert found.proof == (
        "3 hooks, each exactly once",
        "the patched file compiles",
        "removing them gives back every byte",
    )
    assert "+++ b/wgp.py" in found.diff
    assert not found.why_not


def test_upstreams_own_syntax_error_is_said(told: Story, patches: PatchSet) -> None:
    (found,) = repair(told.git, patches, told.commits["broken"], "12.70")
    assert "does not compile upstream either" in found.proof[1]


def test_a_function_under_a_new_name_is_added_to_the_known_ones(told: Story, patches: PatchSet) -> None:
    revision = commit(told, WGP, (story.CLIP, story.NEW_CLIP), (b"generate_media", b"generate_clip"))
    (found,) = repair(told.git, patches, revision, "13.0")
    assert found.functions == {
        "clip": ("generate_video", "generate_media", "generate_clip"),
        "stitch": ("generate_video", "generate_media"),
        "install": (),
    }


def test_an_anchor_on_the_line_above_the_hook_is_found_too(told: Story, patches: PatchSet) -> None:
    revision = commit(told, ANY2VIDEO, (b"seed_g.manual_seed(seed)", b"seed_g.manual_seed(int(seed))"))
    (found,) = repair(told.git, patches, revision, "13.0")
    assert [anchor.hook for anchor in found.anchors] == ["schedule"]
    added = next(line for line in found.diff.splitlines() if ".schedule(" in line)
    assert found.diff.splitlines()[found.diff.splitlines().index(added) - 1].endswith("seed_g.manual_seed(int(seed))")


def test_an_anchor_deeper_in_the_text_takes_the_hook_along(told: Story, patches: PatchSet) -> None:
    changes = (
        (
            b"        first = next(iter(sd), None)\n",
            b"        if sd:\n            first = next(iter(sd.keys()), None)\n",
        ),
    )
    (found,) = repair(told.git, patches, commit(told, MODEL, *changes), "13.0")
    assert "+            try: from svi_wangp" in found.diff


def test_one_of_two_copies_is_chosen_by_history_alone(told: Story, patches: PatchSet) -> None:
    copy = b"    def other(self, sd):\n\n" + KEYS + b"        return first\n\n    def step("
    (found,) = repair(told.git, patches, commit(told, MODEL, (b"    def step(", copy)), "13.0")
    assert [anchor.function for anchor in found.anchors] == ["preprocess_loras"]
    assert found.diff


def test_in_doubt_it_proposes_nothing(told: Story, patches: PatchSet) -> None:
    gone = commit(told, WGP, (story.CLIP, b"samples = run("))
    (found,) = repair(told.git, patches, gone, "13.0")
    assert (found.diff, found.why_not) == ("", "hook clip has no sure place")
    twice = commit(
        told,
        MODEL,
        (b"first = next(iter(sd), None)", b"first = next(iter(sd.x), None)\n        first = next(iter(sd.y), None)"),
    )
    (found,) = repair(told.git, patches, twice, "13.0")
    assert found.why_not == "hook keys has no sure place"
    assert len(found.anchors) == 2


def test_what_no_diff_can_repair_is_said(told: Story, patches: PatchSet) -> None:
    tree = told.git.parent
    story.git(tree, "rm", "-q", MODEL)
    (tree / WGP).write_bytes(miniature.files("conflict")[WGP])
    story.git(tree, "commit", "-q", "-a", "-m", "Bad day", when=300)
    found = repair(told.git, patches, "HEAD", "13.0")
    assert [(item.path, item.why_not.partition(" is ")[2] or item.why_not) for item in found] == [
        (MODEL, "the file does not exist any more"),
        (WGP, "a conflict marker: a merge was left unfinished"),
    ]


def test_a_hook_whose_variable_is_gone_needs_a_person(told: Story, patches: PatchSet) -> None:
    revision = commit(told, WGP, (story.CLIP, story.NEW_CLIP), (b"prefix_video", b"first_frames"))
    (found,) = repair(told.git, patches, revision, "13.0")
    assert not found.diff
    assert "the name prefix_video that it uses is not there any more" in found.why_not


def test_without_any_known_release_likeness_has_to_do(told: Story, patches: PatchSet) -> None:
    stranger = patches._replace(commits={"1.0": "0" * 40})
    (found,) = repair(told.git, stranger, told.commits["rework"], "12.70")
    assert len(found.anchors[0].reasons) == 2


def test_the_proposed_diff_places_exactly(told: Story, patches: PatchSet) -> None:
    data = miniature.files("base")[WGP].replace(b"import os\n", b"import os\nimport json\n")
    data = data.replace(b"12.60", b"12.70").replace(story.CLIP, story.NEW_CLIP)
    (found,) = repair(told.git, patches, told.commits["rework"], "12.70")
    (told.patches / "wgp-9.0.diff").write_text(found.diff)
    result = place(patchset.load(told.patches).variants[WGP], WGP, data)
    assert {item.how for item in result.places} == {"exact"}
