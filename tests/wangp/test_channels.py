"""Every way in which a person or a program asks for SVI gives the same video, on 12.60 and on what newer releases do.

The ways: a task of the API, a settings file, a queue, the fields of the form, a profile, "Load Settings From File" with
settings and with a finished video, "Use Settings" below the gallery. What is said in each: the keys of every release,
the fields of today, the fields of svi-install 0.1.0.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from . import scenes
from .conftest import Ahead, Tree
from .lab import flavours, media, tools
from .lab.generate import Generation, Report, metadata, proof, report

KEYS = {"svi_mode": True, "svi_ref_pad_num": -1, "svi_num_motion_frames": 5}
FIELDS = {"custom_settings": {"svi_variant": "2.0"}}
DETAILED = {"custom_settings": {"svi_variant": "custom", "svi_details": "motion frames 5, reference frames all"}}
# Written by 0.1.0, which declared four fields.
OLD = {"custom_settings": {"svi_variant": "2.0", "svi_official_sigmas": "off", "svi_num_motion_frames": 5}}
# What newer releases make of a task when fields are declared with a default of off.
SWITCHED = {**KEYS, "custom_settings": {"svi_variant": "off", "svi_official_sigmas": "off"}}
SAID = {
    "keys in a task": ("task", KEYS),
    "fields in a task": ("task", FIELDS),
    "details in a task": ("task", DETAILED),
    "fields of 0.1.0 in a task": ("task", OLD),
    "keys beside fields that nobody set": ("task", SWITCHED),
    "keys in a settings file": ("settings_file", KEYS),
    "fields in a queue": ("queue_file", FIELDS),
    "keys in a queue": ("queue_file", KEYS),
    "the form": ("form", FIELDS),
    "a profile of keys": ("profile", KEYS),
    "a profile of both": ("profile", {**KEYS, **FIELDS}),
    "keys loaded from a file": ("load", KEYS),
    "fields loaded from a file": ("load", FIELDS),
    "a finished video loaded": ("load", {}),
    "a finished video in the gallery": ("use", {}),
}
# In the order of the process: the first one makes the video that two others read.
OFF = {
    "nothing said": ("task", {}),
    "off in a task": ("task", {"svi_mode": False, "custom_settings": {"svi_variant": "off"}}),
    "a form left alone": ("form", {}),
}


LORA = "svi-2.0.safetensors"
ELSEWHERE = {"a LoRA": ("task", {**FIELDS, "activated_loras": [LORA], "loras_multipliers": "1"})}


def cases(names: Iterable[str]) -> list[Any]:
    """Each version with each name."""
    return [(version, name) for version in (flavours.BASE, *flavours.FLAVOURS) for name in names]


@dataclass(frozen=True)
class Asked:
    """What came of each way, by name."""

    report: Report
    made: dict[str, Generation]

    def __getitem__(self, name: str) -> Generation:
        assert name in self.made, self.report.why()
        return self.made[name]


Answers = Callable[[str], Asked]


@pytest.fixture(scope="session")
def channels(
    ahead: Ahead[Asked],
    wangp_tree: Tree,
    environment: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Answers:
    """All ways of a release in one process."""
    start_image: Path = request.getfixturevalue("start_image")

    def run(version: str) -> Asked:
        tree, out = wangp_tree(version), tmp_path_factory.mktemp("channels")
        ways = SAID | OFF | (ELSEWHERE if version in flavours.FLAVOURS else {})
        options = lora_folder(out) if version in flavours.FLAVOURS else []
        return ask(tree, environment, out, start_image, ways=ways, options=options)

    return ahead(request, "version", run)


def ask(
    tree: Path, environment: Path, out: Path, start_image: Path, *, ways: dict[str, Any], options: Iterable[str] = ()
) -> Asked:
    """Asks a WanGP for SVI in some ways, in one process that has its API."""
    small = {"sliding_window_size": 9, "sliding_window_overlap": 1, "video_length": 13, "num_inference_steps": 1}
    base = {**scenes.video(start_image, guidance_scale=1, **small), "activated_loras": [], "output_filename": ""}
    jobs = [{"name": name, "way": way, "base": base, "said": said} for name, (way, said) in ways.items()]
    (out / "jobs.json").write_text(json.dumps(jobs), "utf-8")
    tools.prepare(tree, environment)
    env = tools.variables(tree, environment, TINY=1, CALLS=out / "calls.jsonl")
    script = str(Path(__file__).with_name("lab") / "channels.py")
    command = [str(tools.python_of(environment)), script, str(tree), str(out), str(out / "jobs.json")]
    command += options
    done = report(tools.run(command, tree, env, out / "console.log", 900), out, len(jobs))
    assert done.ended.code == 0, done.why()
    return Asked(done, dict(zip(succeeded(done.lines), done.generations, strict=True)))


def lora_folder(out: Path) -> list[str]:
    """A LoRA in a folder of a person's own, and the options that name it to releases from 13.0 on."""
    folder, config = out / "elsewhere", out / "loras.json"
    folder.mkdir()
    media.write_lora(folder / LORA, "pipe.dit")
    config.write_text(json.dumps({"wan_i2v": folder.name}), "utf-8")
    return ["--lora-config", str(config)]


def succeeded(lines: tuple[str, ...]) -> list[str]:
    """The ways that made a video, in the order of the process."""
    return [
        line.split(": ")[0].removeprefix("channel ")
        for line in lines
        if line.startswith("channel ") and ": True" in line
    ]


@pytest.mark.parametrize(("version", "name"), cases(SAID))
def test_the_same_video_whichever_way_it_is_asked_for(channels: Answers, version: str, name: str) -> None:
    made, usual = channels(version)[name], channels(flavours.BASE)["keys in a task"]
    assert made.seeds == [scenes.SEED, scenes.SEED + 42]
    assert (made.frames, made.md5) == (13, usual.md5)


@pytest.mark.parametrize(("version", "name"), cases(OFF))
def test_nobody_gets_svi_without_asking(channels: Answers, version: str, name: str) -> None:
    made = channels(version)[name]
    assert set(made.seeds) == {scenes.SEED}
    assert made.md5 == channels(flavours.BASE)["nothing said"].md5 != channels(version)["keys in a task"].md5


@pytest.mark.parametrize("version", flavours.FLAVOURS)
def test_a_lora_lies_where_the_file_of_folders_says(channels: Answers, version: str) -> None:
    """Relative to that file; it changes the video, and the video names it."""
    made = channels(version)["a LoRA"]
    assert made.md5 != channels(version)["keys in a task"].md5
    assert [lora["kept"] == lora["tensors"] for lora in channels(version).report.loras] == [True]
    video = channels(version).report.out / made.saved[-1]["file"]
    said = proof(metadata(video))
    assert said is not None
    assert said["loras"] == [LORA]
