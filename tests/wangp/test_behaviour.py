"""What a person may ask for besides a start image and three prompts. All videos of a release come from one process."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from . import scenes
from .conftest import NEWEST, Ahead, Run, Runs, Tree
from .lab import flavours, media
from .lab.generate import Generation, Report, decoded, metadata, place_loras, proof

VERSIONS = (NEWEST, "12.60", "9.91")
SOURCE_FRAMES = 20
REFUSED, TWICE = "end image", "two videos"
PRO_LORAS = [f"SVI_Wan2.2-I2V-A14B_{expert}_noise_lora_v2.0_pro.safetensors" for expert in ("high", "low")]


@dataclass(frozen=True)
class Asked:
    """What came of the tasks, by name; several for one that asks for several, none for one that was refused."""

    report: Report
    made: dict[str, list[int]]
    seeds: dict[str, int]

    def clip_seeds(self, name: str, clips: int) -> list[int]:
        return [self.seeds[name] + 42 * clip for clip in range(clips)]

    def __getitem__(self, name: str) -> Generation:
        return self.report.generations[self.made[name][0]]

    def metadata(self, name: str, number: int = 0) -> dict[str, Any]:
        return metadata(self.report.video(self.made[name][number]))


Answers = Callable[[str], Asked]


def tasks(folder: Path, version: str) -> dict[str, dict[str, Any]]:
    """The settings by what is special about them."""
    start, source = media.write_picture(folder / "start.png"), folder / "source.mp4"
    film = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=16", "-pix_fmt", "yuv420p"]
    subprocess.run([*film, "-frames:v", str(SOURCE_FRAMES), str(source)], check=True)
    short = {"sliding_window_size": 9, "video_length": 17}
    wan22 = {"guidance_phases": 2, "switch_threshold": 900, "guidance2_scale": 5, "num_inference_steps": 3}
    named = {
        "one clip": scenes.svi(start, 1, **{**short, "video_length": 9}),
        "fewer prompts": scenes.svi(start, 1, **{**short, "video_length": 25}, prompt="\n".join(scenes.PROMPTS[:2])),
        "more prompts": scenes.svi(start, 1, **short),
        TWICE: scenes.svi(start, 1, **short, repeat_generation=2),
        REFUSED: scenes.svi(start, 1, **short, image_end=[str(start)]) | {"image_prompt_type": "SE"},
        "a video to continue": scenes.svi(start, 1, **short, video_source=str(source)) | {"image_prompt_type": "V"},
        "five frames of a video": scenes.svi(start, 5, **{**short, "sliding_window_size": 13}, video_source=str(source))
        | {"image_prompt_type": "V"},
        "text to video": scenes.text_to_video(start, svi_mode=True, svi_ref_pad_num=-1, svi_num_motion_frames=5),
        "Wan 2.2": scenes.svi(start, 1, **short, **wan22, model_type="i2v_2_2"),
    }
    if version != "9.91":
        pro = {**short, **wan22, "model_type": "i2v_2_2_svi2pro", "sliding_window_overlap": 4}
        named["Pro"] = scenes.video(start, **pro)
        named["Pro with seeds"] = scenes.video(start, **pro, svi_clip_seeds=True)
    # WanGP 9.x writes over a video of the same second, prompt and seed.
    alike = ("text to video", "Pro", "Pro with seeds")
    return {
        name: task if name in alike else {**task, "seed": scenes.SEED + 1000 * number}
        for number, (name, task) in enumerate(named.items())
    }


@pytest.fixture(scope="session")
def behaviour(
    ahead: Ahead[Asked],
    wangp_tree: Tree,
    run_wangp: Run,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Answers:
    """Every task of a release in one process."""

    def run(version: str) -> Asked:
        folder, tree = tmp_path_factory.mktemp("behaviour"), wangp_tree(version)
        for name in PRO_LORAS:
            media.write_lora(folder / name, "bare")
            place_loras(tree, [folder / name])
        named = tasks(folder, version)
        report = run_wangp(tree, list(named.values()))
        # The only refused one is dropped before or while the queue runs; a second video of a task draws its seed.
        made: dict[str, list[int]] = {name: [] for name in named}
        names = iter([name for name in named if name != REFUSED for _ in range(2 if name == TWICE else 1)])
        for number in range(len(report.generations)):
            made[next(names)].append(number)
        assert next(names, None) is None, report.why()
        return Asked(report, made, {name: task["seed"] for name, task in named.items()})

    return ahead(request, "version", run)


pytestmark = pytest.mark.parametrize("version", VERSIONS)


def test_one_clip(behaviour: Answers, version: str) -> None:
    asked = behaviour(version)
    assert asked["one clip"].frames == 9
    assert asked["one clip"].seeds == asked.clip_seeds("one clip", 1)
    made = proof(asked.metadata("one clip"))
    assert made is not None
    assert made["seeds"] == asked["one clip"].seeds


def test_fewer_prompts_than_clips_begin_again(behaviour: Answers, version: str) -> None:
    made = behaviour(version)["fewer prompts"]
    assert made.prompts == [scenes.PROMPTS[0], scenes.PROMPTS[1], scenes.PROMPTS[0]]
    assert made.frames == 25


def test_the_length_decides_and_not_the_number_of_prompts(behaviour: Answers, version: str) -> None:
    made = behaviour(version)["more prompts"]
    assert made.prompts == list(scenes.PROMPTS[:2])
    assert made.frames == 17


def test_a_drawn_seed_is_the_base_of_all_clips(behaviour: Answers, version: str) -> None:
    """WanGP draws a seed for the second video of a task."""
    asked = behaviour(version)
    first, second = (asked.report.generations[number] for number in asked.made[TWICE])
    assert first.seeds == asked.clip_seeds(TWICE, 2)
    base = second.seeds[0]
    assert base != asked.seeds[TWICE]
    assert second.seeds == [base, base + 42]
    assert first.frames == second.frames == 17
    assert asked.metadata(TWICE, 1)["seed"] == base


def test_an_end_image_is_refused_before_anything_is_generated(behaviour: Answers, version: str) -> None:
    report = behaviour(version).report
    assert [line for line in report.svi_lines if "not started" in line and "End Image" in line]
    assert behaviour(version).made[REFUSED] == []


@pytest.mark.parametrize(
    ("name", "clip_frames", "motion_frames"), [("a video to continue", 9, 1), ("five frames of a video", 13, 5)]
)
def test_a_video_is_continued(
    behaviour: Answers, version: str, name: str, clip_frames: int, motion_frames: int
) -> None:
    """By whole clips; no frame of the video itself is lost."""
    asked = behaviour(version)
    assert [window["input_frames"] for window in asked[name].windows] == [motion_frames, motion_frames]
    frames = SOURCE_FRAMES + 2 * (clip_frames - motion_frames)
    assert asked[name].frames == frames
    assert decoded(asked.report.video(asked.made[name][0]))[0] == frames


def test_a_continued_video_is_the_same_in_newer_releases(behaviour: Answers, version: str) -> None:
    """Their own window plan counts the frames that it shares with the video."""
    if version != NEWEST:
        return
    for name in ("a video to continue", "five frames of a video"):
        assert behaviour(version)[name].md5 == behaviour(flavours.BASE)[name].md5


def test_text_to_video_is_left_alone(behaviour: Answers, unpatched: Runs, version: str) -> None:
    """With the keys of SVI left in its settings."""
    made, stock = behaviour(version)["text to video"], unpatched(version).report.generations[1]
    assert made.frames == stock.frames == 9
    assert made.md5 == stock.md5
    assert proof(behaviour(version).metadata("text to video")) is None


def test_both_experts_of_wan_22(behaviour: Answers, version: str) -> None:
    made = behaviour(version)["Wan 2.2"]
    assert made.frames == 17
    assert made.seeds == behaviour(version).clip_seeds("Wan 2.2", 2)
    assert [window["input_frames"] for window in made.windows] == [1, 1]


def test_the_pro_model_of_wangp_gets_seeds_only_when_asked(behaviour: Answers, version: str) -> None:
    if version == "9.91":
        assert "Pro" not in behaviour(version).made
        return
    stock, seeded = behaviour(version)["Pro"], behaviour(version)["Pro with seeds"]
    assert stock.seeds == [scenes.SEED] * 3
    assert seeded.seeds == behaviour(version).clip_seeds("Pro with seeds", 3)
    assert stock.frames == seeded.frames
    assert stock.saved[0]["md5"] == seeded.saved[0]["md5"]
    assert stock.md5 != seeded.md5
