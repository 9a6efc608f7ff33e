from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from svi_install.cli.main import main
from svi_install.commands.check import check
from svi_install.commands.repair_patches import prove_candidate, repair_patches, run_smoke
from svi_install.errors import EXIT_UNSUPPORTED, EXIT_USAGE, SviError
from svi_install.patching.patchset import load
from tests import story
from tests.story import Story


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return story.tell(tmp_path_factory.mktemp("story"))


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    code = main([str(argument) for argument in arguments])
    return code, capsys.readouterr().out


def test_check_prints_a_matrix_and_ends_with_4_when_a_release_is_refused(
    told: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = run(capsys, "check", told.git, "--patches", told.patches)
    assert code == EXIT_UNSUPPORTED
    assert out.startswith("4 of 5 releases can be patched (3 moved, 1 reduced, 1 refused, 0 wrong).\n")
    assert "WanGP 12.60 to 12.71" in out
    assert "since       " + told.commits["rework"][:10] + " Story: rework" in out


def test_check_ends_with_0_when_everything_in_range_can_be_patched(
    told: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = run(capsys, "check", told.git, "--patches", told.patches, "--rev", told.commits["12.61"])
    assert (code, out.partition("\n")[0]) == (0, "1 of 1 releases can be patched (1 moved, 0 wrong).")


def test_check_as_json(told: Story, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, "check", told.git, "--patches", told.patches, "--all-commits", "--json")
    found = json.loads(out)
    assert code == EXIT_UNSUPPORTED
    assert (found["command"], found["patch_set"], found["error"]) == ("check", load(told.patches).version, None)
    assert [item["how"] for item in found["releases"]] == ["moved"] * 4 + ["refused"] * 2 + ["reduced"]
    refused = found["releases"][4]["files"][2]["refused"][0]
    assert (refused["hook"], refused["since"]["commit"]) == ("clip", told.commits["rework"])
    assert refused["candidates"][0]["text"] == story.NEW_CLIP.decode()


def test_check_frozen_at_an_old_release(told: Story, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("check", told.git, "--patches", told.patches, "--all-commits", "--frozen-at", "9.91")
    code, out = run(capsys, *arguments)
    assert code == EXIT_UNSUPPORTED
    assert "Frozen at WanGP 9.91: 4 of 6 later ones placed (66.7%), 0 hooks in the wrong place, 40 days" in out
    code, out = run(capsys, *arguments, "--json")
    assert json.loads(out)["frozen"] == {
        "at": "9.91",
        "later": 6,
        "placed": 4,
        "wrong": 0,
        "days": 40,
        "first_refused": {"version": "12.70", "commit": told.commits["rework"], "date": "2023-12-24"},
    }


def test_check_writes_a_page(told: Story, tmp_path: Path) -> None:
    result = check(str(told.git), html=tmp_path / "page.html", patches=told.patches, since="12.60")
    text = (tmp_path / "page.html").read_text("utf-8")
    assert result.headline in text
    assert text.count('<th scope="row">') == 4
    with pytest.raises(SviError, match="could not be written"):
        check(str(told.git), html=tmp_path / "no" / "page.html", patches=told.patches, revision="main")


@pytest.mark.parametrize(
    "options",
    [
        ["--rev", "main", "--since", "12.60"],
        ["--rev", "main", "--all-commits"],
        ["--frozen-at", "9.91", "--since", "12.60"],
        ["--frozen-at", "1.0"],
        ["--rev", "nothing"],
    ],
)
def test_options_that_make_no_sense_are_usage_errors(
    told: Story, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert run(capsys, "check", told.git, *options)[0] == EXIT_USAGE


def test_repair_prints_diffs_and_what_proves_them(told: Story, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name: path.read_bytes() for path in told.patches.iterdir()}
    options = ("--patches", told.patches, "--no-smoke")
    code, out = run(capsys, "repair-patches", told.commits["rework"], told.git, *options)
    assert code == 0
    assert "    was  samples = wan_model.generate(" in out
    assert "    now  samples = current_model.generate(" in out
    assert "wgp.py: all hooks placed; plain git apply takes wgp-12.70.diff" in out
    assert {path.name: path.read_bytes() for path in told.patches.iterdir()} == before
    start = out.index("diff --git")
    diff = out[start : out.index("\n\n", start) + 1]
    tree = told.git.parent
    story.git(tree, "checkout", "-q", "--detach", told.commits["rework"])
    done = subprocess.run(["git", "apply", "--check", "-"], cwd=tree, input=diff.encode(), check=False)
    story.git(tree, "checkout", "-q", "main")
    assert done.returncode == 0


def test_repair_writes_a_candidate_that_can_patch_the_release(told: Story, tmp_path: Path) -> None:
    target = tmp_path / "candidate"
    result = repair_patches(str(told.git), told.commits["rework"], output=target, patches=told.patches, smoke=False)
    assert (result.exit_code, result.notes) == (0, (f"The candidate patch set is in {target}.",))
    assert load(target).commits["12.70"] == told.commits["rework"]
    assert check(str(told.git), patches=target, revision=told.commits["rework"]).exit_code == 0
    assert check(str(told.git), patches=target).exit_code == 0
    with pytest.raises(SviError, match="exists already"):
        repair_patches(str(told.git), told.commits["rework"], output=target, patches=told.patches, smoke=False)


def test_repair_of_a_second_commit_of_a_release_keeps_the_first(told: Story, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    repair_patches(str(told.git), told.commits["rework"], output=first, patches=told.patches, smoke=False)
    tree = told.git.parent
    story.git(tree, "checkout", "-q", "--detach", told.commits["rework"])
    wgp = (tree / "wgp.py").read_bytes()
    (tree / "wgp.py").write_bytes(wgp.replace(story.NEW_CLIP, b"samples = active_model.generate("))
    story.git(tree, "commit", "-q", "-a", "-m", "Again", when=400)
    again = story.git(tree, "rev-parse", "HEAD")
    story.git(tree, "checkout", "-q", "main")
    assert repair_patches(str(told.git), again, output=second, patches=first, smoke=False).exit_code == 0
    names = {path.name for path in second.iterdir()}
    assert {"wgp-12.70.diff", f"wgp-12.70-{again[:10]}.diff"} <= names
    assert load(second).commits[f"12.70 ({again[:10]})"] == again


def test_repair_of_what_is_not_refused_changes_nothing(told: Story) -> None:
    result = repair_patches(str(told.git), told.commits["12.61"], patches=told.patches)
    assert (result.status, result.exit_code) == ("unchanged", 0)


def test_repair_without_a_sure_place_ends_with_4(told: Story, capsys: pytest.CaptureFixture[str]) -> None:
    tree = told.git.parent
    story.git(tree, "checkout", "-q", "--detach", told.commits["12.61"])
    (tree / "wgp.py").write_bytes((tree / "wgp.py").read_bytes().replace(story.CLIP, b"samples = run("))
    story.git(tree, "commit", "-q", "-a", "-m", "Gone", when=500)
    gone = story.git(tree, "rev-parse", "HEAD")
    story.git(tree, "checkout", "-q", "main")
    code, out = run(capsys, "repair-patches", gone, told.git, "--patches", told.patches, "--json")
    assert code == EXIT_UNSUPPORTED
    (file,) = json.loads(out)["files"]
    assert (file["diff"], file["why_not"]) == (None, "hook clip has no sure place")


def test_a_candidate_that_does_not_do_its_work_is_refused(told: Story) -> None:
    with pytest.raises(SviError, match="candidate does not work"):
        prove_candidate(told.git, told.patches, told.commits["rework"])


def test_the_smoke_test_says_what_came_of_it(told: Story, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAB_VENV", str(tmp_path / "none"))
    (line,) = run_smoke(told.git, told.patches, told.commits["12.61"])
    assert line.startswith("real WanGP: not run")
