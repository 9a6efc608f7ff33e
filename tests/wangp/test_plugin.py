"""SVI as a plugin: no file of WanGP is touched, and every video is the one of the patched files, frame by frame."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from svi_install.package_data import PATCHED

from . import scenes, test_channels
from .conftest import NEWEST, OTHER_FLAVOURS, Ahead, Run, Tree
from .lab import installer, media, parity
from .lab.generate import Report, place_loras
from .test_behaviour import PRO_LORAS

FURTHER = (*OTHER_FLAVOURS, "12.60", "12.45", "12.34", "12.22")
versions = pytest.mark.parametrize(
    "version", [NEWEST, *(pytest.param(each, marks=pytest.mark.long) for each in FURTHER)]
)
# One that needs every hook, and one without SVI; the others run with --wangp-all.
ESSENTIAL = ("SVI-2.0", "off")
LORA = "style.safetensors"
# One task of each way to go through WanGP's code; the others run with --wangp-all.
ESSENTIAL_WAYS = ("keys in a task", "fields in a queue", "the form", "nothing said")
Reports = Callable[[str], Report]


def all_tasks(start: Path) -> dict[str, dict[str, Any]]:
    """What is compared; the last one is without SVI."""
    short = {"sliding_window_size": 9, "video_length": 17}
    wan22 = {"guidance_phases": 2, "switch_threshold": 900, "guidance2_scale": 5, "num_inference_steps": 3}
    pro = {**short, **wan22, "model_type": "i2v_2_2_svi2pro", "sliding_window_overlap": 4}
    return {
        "SVI-Shot": scenes.svi(start, 1, video_length=47),
        "SVI-2.0": scenes.svi(start, 5, video_length=43, activated_loras=[LORA], loras_multipliers="1"),
        "SVI-2.0 for Wan 2.2": scenes.svi(start, 1, **short, **wan22, model_type="i2v_2_2"),
        "Pro with clip seeds": scenes.video(start, **pro, svi_clip_seeds=True, prompt="a boat\na tower"),
        "off": scenes.video(start, svi_mode=False, svi_ref_pad_num=-1, svi_num_motion_frames=5),
    }


@pytest.fixture(scope="session")
def tasks(request: pytest.FixtureRequest, start_image: Path) -> dict[str, dict[str, Any]]:
    every = all_tasks(start_image)
    return every if request.config.getoption("--wangp-all") else {name: every[name] for name in ESSENTIAL}


@pytest.fixture(scope="session")
def supplied_tree(fresh_tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A new copy of a release with the LoRAs that SVI 2 Pro needs, and one with the keys of SVI's authors."""
    folder = tmp_path_factory.mktemp("pro")
    for name in PRO_LORAS:
        media.write_lora(folder / name, "bare")
    media.write_lora(folder / LORA, "pipe.dit")

    def make(version: str) -> Path:
        tree = fresh_tree(version)
        place_loras(tree, sorted(folder.iterdir()))
        return tree

    return make


def git(tree: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=tree, capture_output=True, text=True, check=True).stdout.strip()


def as_clone(tree: Path) -> None:
    """Makes a tree look like a fresh clone."""
    git(tree, "init", "-q")
    git(tree, "add", "-A")
    git(tree, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "as published")
    assert git(tree, "status", "--porcelain") == ""


@pytest.fixture(scope="session")
def as_plugin(
    ahead: Ahead[Report],
    supplied_tree: Tree,
    run_wangp: Run,
    tasks: dict[str, dict[str, Any]],
    request: pytest.FixtureRequest,
) -> Reports:
    def run(version: str) -> Report:
        tree = supplied_tree(version)
        as_clone(tree)
        installer.put_plugin(tree)
        stock = {path: (tree / path).read_bytes() for path in PATCHED}
        report = run_wangp(tree, list(tasks.values()))
        assert report.ok, report.why()
        assert {path: (tree / path).read_bytes() for path in PATCHED} == stock
        # WanGP lists the folders of plugins among the ignored ones from 12.45 on.
        unlisted = ["?? plugins/wan2gp-endless/"] if version in ("12.22", "12.34") else []
        assert git(tree, "status", "--porcelain").splitlines() == unlisted
        return report

    return ahead(request, "version", run)


@pytest.fixture(scope="session")
def in_files(
    ahead: Ahead[Report],
    supplied_tree: Tree,
    run_wangp: Run,
    tasks: dict[str, dict[str, Any]],
    request: pytest.FixtureRequest,
) -> Reports:
    def run(version: str) -> Report:
        tree = supplied_tree(version)
        installer.install(tree)
        report = run_wangp(tree, list(tasks.values()))
        assert report.ok, report.why()
        return report

    return ahead(request, "version", run)


@versions
def test_the_same_videos_as_the_patched_files(
    as_plugin: Reports, in_files: Reports, tasks: dict[str, dict[str, Any]], version: str
) -> None:
    made, usual = as_plugin(version), in_files(version)
    assert len(made.generations) == len(tasks)
    assert [one.md5 for one in made.generations] == [one.md5 for one in usual.generations]
    assert [one.seeds for one in made.generations] == [one.seeds for one in usual.generations]
    assert len({one.md5 for one in made.generations}) == len(made.generations)
    # The hook in model.py: keys that WanGP does not know.
    assert 40 in [loaded["kept"] for loaded in made.loras]
    assert [loaded["kept"] for loaded in made.loras] == [loaded["kept"] for loaded in usual.loras]
    assert [line for line in made.svi_lines if "ready" not in line] == usual.svi_lines


@versions
def test_without_svi_it_is_wangp_as_it_was(
    as_plugin: Reports, fresh_tree: Tree, run_wangp: Run, start_image: Path, version: str
) -> None:
    stock = run_wangp(fresh_tree(version), [scenes.video(start_image)])
    assert stock.ok, stock.why()
    assert as_plugin(version).generations[-1].md5 == stock.generations[0].md5


@pytest.mark.long
@pytest.mark.parametrize("version", [NEWEST, "12.60"])
def test_switched_off_it_is_wangp_as_it_was(
    as_plugin: Reports, fresh_tree: Tree, run_wangp: Run, start_image: Path, version: str
) -> None:
    """With the file that switches it off."""
    tree = fresh_tree(version)
    (installer.put_plugin(tree) / "off").touch()
    # 13.14 and later refuse settings that they do not know.
    shot = scenes.svi(start_image, 1, video_length=49)
    off = run_wangp(tree, [scenes.video(start_image) if version == NEWEST else shot])
    assert off.ok, off.why()
    assert off.generations[0].md5 == as_plugin(version).generations[-1].md5
    assert [line for line in off.svi_lines if "off: there is a file off" in line] == off.svi_lines


@pytest.mark.long
@pytest.mark.parametrize("version", ["12.60"])
def test_beside_patched_files_it_steps_aside(
    in_files: Reports, fresh_tree: Tree, run_wangp: Run, start_image: Path, version: str
) -> None:
    tree = fresh_tree(version)
    installer.install(tree)
    installer.put_plugin(tree)
    report = run_wangp(tree, [all_tasks(start_image)["SVI-Shot"]])
    assert report.ok, report.why()
    assert "the plugin steps aside" in report.svi_lines[0]
    assert report.generations[0].md5 == in_files(version).generations[0].md5


@pytest.mark.long
@pytest.mark.parametrize("case", parity.OFFICIAL)
def test_official_parity(plugin_parity: dict[str, parity.Result], case: str) -> None:
    result = plugin_parity[case]
    assert result.ok, result.table(everything=False)


@pytest.fixture(scope="session")
def plugin_parity(
    fresh_tree: Tree, environment: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, parity.Result]:
    tree = fresh_tree("12.60")
    installer.put_plugin(tree)
    jobs = [parity.Job(case, "own") for case in parity.OFFICIAL]
    report, measured = parity.measure(tree, environment, jobs, tmp_path_factory.mktemp("parity"))
    assert report.ok, report.why()
    assert any("ready: the plugin" in line for line in report.svi_lines)
    return {each.job.case: each for each in measured}


@pytest.fixture
def ways(pytestconfig: pytest.Config) -> dict[str, Any]:
    every = {**test_channels.SAID, **test_channels.OFF}
    return every if pytestconfig.getoption("--wangp-all") else {name: every[name] for name in ESSENTIAL_WAYS}


@pytest.fixture
def asked_in(
    environment: Path, tmp_path: Path, start_image: Path, ways: dict[str, Any]
) -> Callable[[Path], test_channels.Asked]:
    return lambda tree: test_channels.ask(tree, environment, tmp_path, start_image, ways=ways)


@pytest.mark.parametrize("version", [NEWEST, pytest.param("12.60", marks=pytest.mark.long)])
def test_every_way_of_asking_by_the_api(
    asked_in: Callable[[Path], test_channels.Asked], fresh_tree: Tree, ways: dict[str, Any], version: str
) -> None:
    """WanGP's API imports wgp.py as a module: a task, a queue, the form, a profile, loaded files and videos."""
    tree = fresh_tree(version)
    installer.put_plugin(tree)
    asked = asked_in(tree)
    assert "ready: the plugin" in asked.report.svi_lines[0]
    said, off = (ways.keys() & each.keys() for each in (test_channels.SAID, test_channels.OFF))
    assert {len(asked[name].windows) for name in said} == {2}
    assert len({asked[name].md5 for name in said}) == 1
    assert len({asked[name].md5 for name in off}) == 1
    assert asked["the form"].md5 != asked["nothing said"].md5


@pytest.mark.long
def test_git_pull_in_between(fresh_tree: Tree, run_wangp: Run, start_image: Path, tmp_path: Path) -> None:
    """WanGP is updated as its person updates it, and SVI is still on."""
    old, new = "12.34", "12.60"
    tree, published = fresh_tree(old), fresh_tree(old)
    as_clone(published)
    git(tmp_path, "clone", "-q", "--no-checkout", str(published), "clone")
    (tmp_path / "clone/.git").rename(tree / ".git")
    git(tree, "reset", "-q")
    installer.put_plugin(tree)
    short = scenes.svi(start_image, 1, video_length=17, sliding_window_size=9)
    first = run_wangp(tree, [short])
    assert first.ok, first.why()
    assert f"into WanGP {old}" in first.svi_lines[0]
    assert git(tree, "status", "--porcelain", "--untracked-files=no") == ""
    newer = ("--git-dir", str(published / ".git"), "--work-tree", str(fresh_tree(new)))
    git(tmp_path, *newer, "add", "-A")
    git(tmp_path, *newer, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "a newer release")
    git(tree, "pull", "-q", "--ff-only")
    second = run_wangp(tree, [short])
    assert second.ok, second.why()
    assert f"into WanGP {new}" in second.svi_lines[0]
    assert git(tree, "status", "--porcelain") == ""
    assert len(second.generations[0].windows) == len(first.generations[0].windows) == 2
    assert len(list((tree / "plugins/wan2gp-endless/cache").iterdir())) == 2
