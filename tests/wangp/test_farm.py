"""Films on several workers, each with the real WanGP: the film of one, whatever happens on the way."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from svi_install.storyboard.farm import cluster, filming
from svi_install.storyboard.film import film
from svi_install.storyboard.film.model_choice import ModelChoice
from svi_install.storyboard.headless import wangp
from svi_install.storyboard.media import ffmpeg
from svi_install.storyboard.script.variants import variant_of
from svi_install.storyboard.script.yamlfile import read

from .lab import installer
from .test_storyboard import API, Lab, lab

__all__ = ["lab"]
pytestmark = pytest.mark.long
SIZE = "{resolution: 64x64, clip_frames: 9, steps: 2, variant: shot}"


def write(folder: Path, start: Path, scenes: int, clips: int) -> Path:
    """A story of scenes of equal length."""
    shots = "".join(
        f"- {{prompt: scene {scene} clip {clip}, new_shot: {str(clip == 0).lower()}}}\n"
        for scene in range(scenes)
        for clip in range(clips)
    )
    path = folder / "story.yaml"
    path.write_text(f"image: {start}\ndefaults: {SIZE}\nshots:\n{shots}", "utf-8")
    return path


def render(story: Path, tree: Path, target: Path, *more: Any) -> str:
    made = installer.svi_install("render", story, "-o", target, "--wangp", tree, *more)["film"]
    assert len(made["segments"]) == len(made["made"]) == 12
    return hashlib.sha256(target.read_bytes()).hexdigest()


def test_one_two_and_four_workers_make_the_same_film(lab: Lab, start_image: Path, tmp_path: Path) -> None:
    tree, _ = lab(API)
    story = write(tmp_path, start_image, 4, 3)
    alone = render(story, tree, tmp_path / "alone.mp4")
    for cards in ("0", "0,1", "0,1,2,3"):
        assert render(story, tree, tmp_path / f"{len(cards)}.mp4", "--cards", cards) == alone


def test_workers_that_are_killed_change_nothing(lab: Lab, start_image: Path, tmp_path: Path) -> None:
    tree, _ = lab(API)
    found = wangp.find(tree)
    program = ffmpeg.find(tree, found.python)
    wanted = read(write(tmp_path, start_image, 4, 3))
    hashes, killed, chance = [], [], random.Random(3)

    def kill(clip: film.Clip) -> None:
        listed = subprocess.run(["pgrep", "-f", f"driver.py .*{tree}"], capture_output=True, text=True, check=False)
        workers = {
            int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1])
            for number in listed.stdout.split()
            if Path(f"/proc/{number}").exists()
        } - {os.getpid()}
        if workers and len(killed) < 5:
            killed.append(chance.choice(sorted(workers)))
            os.kill(killed[-1], signal.SIGKILL)

    for name, after in (("whole", lambda clip: None), ("killed", kill)):
        planned = film.plan(wanted, variant_of("shot"), tmp_path / name / "film.mp4")
        planned.store.root.mkdir(parents=True)
        part = filming.Part(planned, ModelChoice(None, None, 4.0, (), ()), program, lambda progress: None, after)
        assert len(filming.alone(part, cluster.Wish(cards=(0, 1)), found, print)) == 12
        film.join(planned, program, tmp_path / name / "joined.mp4")
        hashes.append(hashlib.sha256((tmp_path / name / "joined.mp4").read_bytes()).hexdigest())
    assert len(killed) == 5
    assert hashes[0] == hashes[1]
