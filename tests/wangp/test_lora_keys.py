"""LoRA files as they are published, loaded by WanGP into the real model: the weights change by B @ A."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from . import scenes
from .conftest import Ahead, Run, Tree
from .lab import media, parity
from .lab.generate import Report, place_loras

VERSIONS = ("12.60", "10.01")  # 9.91 runs --process without LoRAs
MISFIT = "blocks.0.no_such_layer"


@dataclass(frozen=True)
class Loaded:
    report: Report
    changes: dict[str, dict[str, Any]]


Loads = Callable[[str], Loaded]


@pytest.fixture(scope="session")
def loaded(
    ahead: Ahead[Loaded],
    wangp_tree: Tree,
    run_wangp: Run,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Loads:
    """One short clip without a LoRA, then the same LoRA under the names of each format, in one process in float32."""

    def run(version: str) -> Loaded:
        folder, tree = tmp_path_factory.mktemp("probe"), wangp_tree(version)
        jobs: list[dict[str, str] | None] = [None]
        for number, key_format in enumerate(media.FORMATS):
            file = folder / f"lora {number}.safetensors"
            assert media.write_lora(file, key_format) == 40
            place_loras(tree, [file])
            jobs.append({"file": str(file), "key": media.FORMATS[key_format]})
        (folder / "files.json").write_text(json.dumps(jobs), "utf-8")
        runs = [
            {"case": "svi-shot", "feed": False, "own_sigmas": True, "record": str(folder / f"{number}.npz")}
            for number in range(len(jobs))
        ]
        (folder / "parity.json").write_text(json.dumps({"golden": str(parity.GOLDEN), "runs": runs}), "utf-8")
        start = media.write_picture(folder / "start.png")
        short = scenes.video(start, prompt=scenes.PROMPTS[0], video_length=5)
        tasks = [{**short, "activated_loras": [Path(job["file"]).name] if job else []} for job in jobs]
        report = run_wangp(
            tree,
            tasks,
            parity=folder / "parity.json",
            LORAS=folder / "loras.jsonl",
            LORA_FILES=folder / "files.json",
        )
        assert report.ok, report.why()
        lines = (folder / "loras.jsonl").read_text("utf-8").splitlines()
        return Loaded(report, dict(zip(["none", *media.FORMATS], map(json.loads, lines), strict=True)))

    return ahead(request, "version", run)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("key_format", media.FORMATS)
def test_weights_change_by_b_times_a(loaded: Loads, version: str, key_format: str) -> None:
    change = loaded(version).changes[key_format]
    assert change["layers"] == media.BLOCKS * len(media.LAYERS)
    assert change["size"] > 0.05
    assert change["deviation"] < 1e-5
    assert change["others"] < 1e-5


@pytest.mark.parametrize("version", VERSIONS)
def test_without_a_lora_no_weight_changes(loaded: Loads, version: str) -> None:
    change = loaded(version).changes["none"]
    assert change["layers"] == 0
    assert change["others"] < 1e-5


@pytest.mark.parametrize("version", VERSIONS)
def test_every_format_makes_the_same_video(loaded: Loads, version: str) -> None:
    without, *videos = (generation.md5 for generation in loaded(version).report.generations)
    assert len(videos) == len(media.FORMATS)
    assert len(set(videos)) == 1
    assert without not in videos


@pytest.mark.parametrize("version", VERSIONS)
def test_a_tensor_that_fits_nowhere_is_an_error_with_its_name(
    wangp_tree: Tree, run_wangp: Run, start_image: Path, tmp_path: Path, version: str
) -> None:
    tree, misfit = wangp_tree(version), tmp_path / "misfit.safetensors"
    media.write_lora(misfit, "pipe.dit", replace={"blocks.0.ffn.0": MISFIT})
    place_loras(tree, [misfit])
    task = scenes.video(start_image, video_length=5, activated_loras=[misfit.name])
    report = run_wangp(tree, [task])
    assert not report.ok
    assert not report.generations
    assert [line for line in report.lines if MISFIT in line], report.why()


@pytest.mark.long
@pytest.mark.parametrize("version", VERSIONS)
def test_wangp_alone_refuses_the_official_names(
    plain_tree: Tree, run_wangp: Run, start_image: Path, tmp_path: Path, version: str
) -> None:
    tree, official = plain_tree(version), tmp_path / "official.safetensors"
    media.write_lora(official, "pipe.dit")
    place_loras(tree, [official])
    report = run_wangp(tree, [scenes.video(start_image, video_length=5, activated_loras=[official.name])])
    assert not report.ok
    assert not report.generations
