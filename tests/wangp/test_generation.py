"""Three clips of SVI through `wgp.py --process`, and WanGP without SVI as it was before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from . import scenes
from .conftest import NEWEST, OTHER_FLAVOURS, Runs
from .lab import flavours, installer, trees
from .lab.generate import decoded, metadata, proof


def test_whole_clips(patched: Runs, version: str) -> None:
    """A length between two whole numbers of clips goes to the nearest one."""
    shot, longer, off, _ = patched(version).report.generations
    assert [len(each.windows) for each in (shot, longer, off)] == [3, 3, 3]
    assert (shot.frames, longer.frames) == (scenes.total(3, 1), scenes.total(3, 5)) == (49, 41)
    assert {window["frame_num"] for each in (shot, longer) for window in each.windows} == {scenes.CLIP_FRAMES}


def test_motion_frames_are_handed_on(patched: Runs, version: str) -> None:
    shot, longer, _, _ = patched(version).report.generations
    assert [window["input_frames"] for window in shot.windows] == [1, 1, 1]
    assert [window["input_frames"] for window in longer.windows] == [1, 5, 5]


def test_a_seed_and_a_prompt_for_each_clip(patched: Runs, version: str) -> None:
    for generation in patched(version).report.generations[:2]:
        assert generation.seeds == [scenes.SEED, scenes.SEED + 42, scenes.SEED + 84]
        assert generation.prompts == list(scenes.PROMPTS)


def test_the_same_seed_gives_the_same_video(patched: Runs, version: str) -> None:
    shot, longer, off, again = patched(version).report.generations
    assert shot.md5 == again.md5
    assert len({shot.md5, longer.md5, off.md5}) == 3


@pytest.mark.parametrize(
    "version", [NEWEST, *(pytest.param(version, marks=pytest.mark.long) for version in OTHER_FLAVOURS)]
)
def test_newer_releases_make_the_same_videos(patched: Runs, version: str) -> None:
    """SVI's and WanGP's own, frame by frame."""
    made, usual = (patched(each).report.generations for each in (version, flavours.BASE))
    assert [one.md5 for one in made] == [one.md5 for one in usual]


def test_off_is_wangp_as_it_was(patched: Runs, unpatched: Runs, version: str) -> None:
    """Between two SVI videos in one process, with SVI's keys left in the settings."""
    report, original = patched(version).report, unpatched(version).report
    off, stock = report.generations[2], original.generations[0]
    assert off.seeds == stock.seeds == [scenes.SEED] * 3
    assert [saved["md5"] for saved in off.saved] == [saved["md5"] for saved in stock.saved]
    assert decoded(report.video(2)) == decoded(original.video(0))
    assert not [line for line in original.lines if "svi_wangp" in line or "[SVI Mode]" in line]


def test_svi_costs_no_further_work_of_the_vae(patched: Runs, unpatched: Runs, version: str) -> None:
    stock = unpatched(version).report.generations[0]
    for generation in patched(version).report.generations[:2]:
        assert [window["vae"] for window in generation.windows] == [window["vae"] for window in stock.windows]


def test_the_console_says_what_is_done(patched: Runs, version: str) -> None:
    lines = [line for line in patched(version).report.svi_lines if "lora" not in line.lower()]
    begun = [line for line in lines if line.startswith("[SVI Mode] on")]
    assert len(begun) == 3, lines
    assert "49 frames" in begun[0]
    assert "41 frames" in begun[1]
    clips = [line for line in lines if "clip " in line and "seed" in line]
    assert [f"seed {scenes.SEED + 42 * i}" in line for i, line in enumerate(clips[:3])] == [True] * 3
    assert len(clips) == 9


def test_metadata_prove_what_was_done(patched: Runs, version: str) -> None:
    report = patched(version).report
    for index, (motion, frames) in enumerate(((1, 49), (5, 41))):
        settings = metadata(report.video(index))
        assert settings["seed"] == scenes.SEED
        assert settings["video_length"] == frames
        done = installer.svi_install("status", report.video(index))["video"]["svi"]
        assert done == proof(settings)
        assert done["seeds"] == [scenes.SEED, scenes.SEED + 42, scenes.SEED + 84]
        assert (done["motion_frames"], done["reference_padding"]) == (motion, -1)
    assert proof(metadata(report.video(2))) is None


def test_revert_gives_back_every_byte(patched: Runs, unpatched: Runs, version: str, tmp_path: Path) -> None:
    """In a folder that was moved after WanGP has run in it. What is left over is what WanGP leaves anywhere."""
    moved = tmp_path / "Wän GP 动画"
    shutil.copytree(patched(version).tree, moved, symlinks=True, ignore=shutil.ignore_patterns("ckpts"))
    installer.revert(moved)
    after, stock = trees.contents(moved), trees.contents(unpatched(version).tree)
    assert {path for path in after if "__pycache__" not in path} == {
        path for path in stock if "__pycache__" not in path
    }
    shipped = [path for path in stock if not path.endswith((".pyc", "wgp_config.json"))]
    assert {path for path in shipped if after[path] != stock[path]} == set()
    assert not [path for path in after if "svi" in path.lower() and path not in stock]
