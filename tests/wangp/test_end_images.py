"""Clips of SVI that arrive at an image, on the real WanGP: Wan 2.2, two experts, one motion frame; and SVI 2 Pro.

What the clips of Wan 2.2 are conditioned on and what they become is in test_parity.py.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from . import scenes
from .conftest import NEWEST, Ahead, Run, Tree
from .lab import media, tools
from .lab.generate import Generation, Report, metadata, place_loras, proof
from .tales import Tale, check, tale

VERSIONS = ["12.60", *(pytest.param(each, marks=pytest.mark.long) for each in (NEWEST, "11.90", "10.01"))]
CLIP = 9
# SVI 2 Pro on the release whose form and API are proven throughout; others run the same lines of WanGP's own.
PRO = VERSIONS[0]
PRO_LORAS = [f"SVI_Wan2.2-I2V-A14B_{half}_noise_lora_v2.0_pro.safetensors" for half in ("high", "low")]
Y = 1e-5  # as in lab/compare.py
WAN22 = {
    **{"model_type": "i2v_2_2", "sliding_window_size": CLIP, "num_inference_steps": 2},
    **{"guidance_phases": 2, "switch_threshold": 900, "guidance2_scale": 5},
}
OPEN, SECOND, LAST, BOTH, TWICE = "no end", "for the second only", "for the last only", "for both", "start as end"


@dataclass(frozen=True)
class Pro:
    """Two clips of SVI 2 Pro each: a film with an open end, one with an end for the second, and both ends in one go."""

    without: Tale
    ended: Tale
    whole: dict[str, Any]


def pro_films(tree: Path, folder: Path, shown: dict[str, Path]) -> Pro:
    """The tasks, and their LoRAs in the tree."""
    for seed, name in enumerate(PRO_LORAS):
        media.write_lora(folder / name, "bare", seed=seed)
    place_loras(tree, [folder / name for name in PRO_LORAS])
    films = []
    for name, ends in (("open", {}), ("ended", {2: shown["goal"]})):
        (folder / name).mkdir()
        films.append(tale("pro", shown["start"], folder / name, ends=ends))
    both = {"image_end": [str(shown[end]) for end in ("other", "goal")], "image_prompt_type": "SE"}
    settings = {**WAN22, "model_type": "i2v_2_2_svi2pro", "sliding_window_overlap": 4, "video_length": 14}
    return Pro(*films, {**scenes.video(shown["start"], **settings, prompt="a\nb", svi_clip_seeds=True), **both})


@dataclass(frozen=True)
class Ended:
    """What WanGP made of the tasks of one process, by name, and what each clip was conditioned on."""

    report: Report
    made: dict[str, Generation]
    records: dict[str, list[Path]]
    pictures: dict[str, Path]
    film: Tale
    films: tuple[Generation, ...]
    pro: Pro | None
    records_of_pro: list[Path]

    def metadata(self, name: str) -> dict[str, Any]:
        return metadata(self.report.out / self.made[name].saved[-1]["file"])


Ends = Callable[[str], Ended]


@pytest.fixture(scope="session")
def ended(
    ahead: Ahead[Ended],
    wangp_tree: Tree,
    run_wangp: Run,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Ends:
    """Every task of a release in one process."""

    def run(version: str) -> Ended:
        folder = tmp_path_factory.mktemp("ends")
        names = {"start": (64, 64), "goal": (64, 64), "other": (64, 64), "wide": (104, 72)}
        shown = {
            name: media.write_picture(folder / f"{name}.png", *size, seed=seed)
            for seed, (name, size) in enumerate(names.items(), 1)
        }

        def asked(clips: int, *ends: str, start: str = "start", **settings: Any) -> dict[str, Any]:
            length = {"video_length": scenes.total(clips, 1, CLIP)}
            task = scenes.svi(shown[start], 1, **WAN22, **length, **settings)
            pictures = {"image_end": [str(shown[end]) for end in ends], "image_prompt_type": "SE"}
            return {**task, **(pictures if ends else {})}

        tasks = {
            OPEN: asked(3),
            SECOND: asked(3, "goal", svi_end_clips=[2]),
            LAST: asked(3, "goal", svi_end_clips="last"),
            # 10.01 writes over a video of the same second, prompt and seed.
            BOTH: asked(2, "other", "goal", seed=8),
            TWICE: asked(1, "wide", start="wide", seed=9),
        }
        film = tale("wan22", shown["start"], folder, ends={2: shown["goal"]})
        records = folder / "records"
        records.mkdir()
        tree, films = wangp_tree(version), [film.whole, *film.clips]
        pro = pro_films(tree, folder, shown) if version == PRO else None
        further = [] if pro is None else [*pro.without.clips[:2], *pro.ended.clips[:2], pro.whole]
        report = run_wangp(tree, [*tasks.values(), *films, *further], CONDITIONING=records)
        assert report.ok, report.why()
        files = iter(sorted(records.glob("*.npz")))
        written = [[next(files) for _ in each.windows] for each in report.generations]
        last = len(tasks) + len(films)
        return Ended(
            report,
            dict(zip(tasks, report.generations, strict=False)),
            dict(zip(tasks, written, strict=False)),
            shown,
            film,
            report.generations[len(tasks) : last],
            pro,
            [record for each in written[last:] for record in each],
        )

    return ahead(request, "version", run)


@pytest.mark.parametrize("version", VERSIONS)
def test_earlier_clips_are_bit_for_bit_those_of_a_film_without(ended: Ends, version: str) -> None:
    found = ended(version)
    without, second, last = ([saved["md5"] for saved in found.made[name].saved] for name in (OPEN, SECOND, LAST))
    assert [len(each) for each in (without, second, last)] == [3, 3, 3]
    assert second[0] == without[0]
    assert second[1] != without[1]
    assert last[:2] == without[:2]
    assert last[2] != without[2]
    assert {found.made[name].frames for name in (OPEN, SECOND, LAST)} == {scenes.total(3, 1, CLIP)}
    assert found.made[BOTH].frames == scenes.total(2, 1, CLIP)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_end_image_has_the_size_and_the_levels_of_the_start_image(
    ended: Ends, version: str, environment: Path
) -> None:
    """The same file as both, of another shape than the video."""
    (record,) = ended(version).records[TWICE]
    script = (
        "import numpy, sys; r = numpy.load(sys.argv[1]); "
        "print(r['known'].shape, float(abs(r['known'][:, 0] - r['goal']).max()))"
    )
    done = subprocess.run(
        [str(tools.python_of(environment)), "-c", script, str(record)], capture_output=True, text=True, check=True
    )
    shape, difference = done.stdout.rsplit(" ", 1)
    assert shape.startswith("(3, 1, ")
    assert float(difference) == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_the_video_says_which_clips_arrive(ended: Ends, version: str) -> None:
    said = {name: (proof(ended(version).metadata(name)) or {}).get("end_images") for name in (OPEN, SECOND, LAST, BOTH)}
    assert said == {OPEN: None, SECOND: [2], LAST: [3], BOTH: [1, 2]}
    lines = [line for line in ended(version).report.svi_lines if "arriving at" in line]
    assert [line.rsplit(" ", 1)[-1] for line in lines[:2]] == ["2", "3"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_film_with_an_end_in_the_middle_is_the_same_in_one_go(ended: Ends, version: str) -> None:
    found = ended(version)
    check(found.film, found.films)


@pytest.mark.parametrize("version", [PRO])
def test_pro_arrives_and_its_earlier_clip_is_bit_for_bit_the_same(
    ended: Ends, version: str, plain_tree: Tree, environment: Path
) -> None:
    """The image takes the place of the last latent; the frames and the anchor before it stay."""
    seen = ended(version)
    pro, clips = seen.pro, seen.records_of_pro
    assert pro is not None
    assert len(clips) == 6
    assert pro.ended.raw(1) == pro.without.raw(1)
    assert pro.ended.raw(2) != pro.without.raw(2)
    first, without, same, arriving = (np.load(each)["y"] for each in clips[:4])
    assert np.array_equal(first, same)
    assert np.array_equal(arriving[:, :-1], without[:, :-1])
    assert [rows[:4, -1].max(axis=(1, 2)).tolist() for rows in (without, arriving)] == [[0, 0, 0, 0], [0, 0, 0, 1]]
    goal, other = seen.pictures["goal"], seen.pictures["other"]
    asked = [(clips[3], goal), (clips[4], other), (clips[5], goal), (clips[3], other)]
    *right, wrong = latents(plain_tree(version), environment, asked)
    assert max(right) <= Y, right
    assert wrong > 100 * Y


def latents(tree: Path, environment: Path, clips: list[tuple[Path, Path]]) -> list[float]:
    """How far the last latent of each clip's conditioning is from that of its image; see lab/goals.py."""
    tools.prepare(tree, environment)
    done = subprocess.run(
        [
            str(tools.python_of(environment)),
            str(Path(__file__).with_name("lab") / "goals.py"),
            *map(str, sum(clips, ())),
        ],
        cwd=tree,
        env=tools.variables(tree, environment, TINY=1),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.long
@pytest.mark.parametrize("version", VERSIONS)
def test_off_is_what_it_was(
    plain_tree: Tree, wangp_tree: Tree, run_wangp: Run, start_image: Path, version: str
) -> None:
    """WanGP's own first and last frame, with SVI in the tree and off."""
    task = scenes.video(start_image, **WAN22, video_length=CLIP) | {
        "image_end": [str(start_image)],
        "image_prompt_type": "SE",
    }
    made = [run_wangp(tree(version), [task]) for tree in (plain_tree, wangp_tree)]
    assert all(each.ok for each in made), [each.why() for each in made]
    assert made[0].generations[0].md5 == made[1].generations[0].md5
