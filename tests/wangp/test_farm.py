"""Films on several workers, each with the real WanGP: the film of one, whatever happens on the way."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
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

from ..storyboard.test_farm import Cluster, gone, ours, worker_of
from .lab import installer
from .test_storyboard import API, Lab, events, lab

__all__ = ["lab"]
pytestmark = pytest.mark.long
# In each of two films.
KILLS = 10
SIZE = "{resolution: 64x64, clip_frames: 9, steps: 2, variant: shot}"


@dataclass(frozen=True)
class Place:
    """Where a `Cluster` keeps its logs, and the WanGP of its workers."""

    folder: Path
    root: Path


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


def windows(calls: Path) -> int:
    """How many clips any WanGP has begun so far."""
    return len(events(calls, "window"))


@pytest.mark.parametrize("seed", [3, 4])
def test_workers_that_are_killed_change_nothing(lab: Lab, start_image: Path, tmp_path: Path, seed: int) -> None:
    """Ten of them in one film, at random moments; each costs the clip that it was making and no other."""
    tree, calls = lab(API)
    found = wangp.find(tree)
    program = ffmpeg.find(tree, found.python)
    wanted = read(write(tmp_path, start_image, 4, 3))
    hashes, begun, chance = [], [], random.Random(seed)
    killed: list[int] = []
    kills: list[threading.Timer] = []

    def kill() -> None:
        workers = {victim for each in ours(tree) if (victim := worker_of(each)) and victim not in killed}
        if workers and len(killed) < KILLS:
            killed.append(chance.choice(sorted(workers)))
            with contextlib.suppress(ProcessLookupError):
                os.kill(killed[-1], signal.SIGKILL)

    def after(clip: film.Clip) -> None:
        kills.append(threading.Timer(8 * chance.random(), kill))
        kills[-1].start()

    for name, then in (("whole", lambda clip: None), ("killed", after)):
        planned = film.plan(wanted, variant_of("shot"), tmp_path / name / "film.mp4")
        planned.store.root.mkdir(parents=True)
        part = filming.Part(planned, ModelChoice(None, None, 4.0, (), ()), program, lambda progress: None, then)
        made = filming.alone(part, cluster.Wish(cards=(0, 1)), found, print)
        begun.append(windows(calls) - sum(begun))
        assert len(made) == 12, "none is kept twice"
        film.join(planned, program, tmp_path / name / "joined.mp4")
        hashes.append(hashlib.sha256((tmp_path / name / "joined.mp4").read_bytes()).hexdigest())
    for timer in kills:
        timer.cancel()
        timer.join()
    assert hashes[0] == hashes[1]
    assert begun[0] == 12
    print(f"{len(killed)} workers killed, {begun[1]} clips begun")
    assert KILLS - 2 <= len(killed) <= KILLS, "the last may come when the film is done"
    assert begun[1] <= 12 + len(killed)
    assert gone(tree), "no WanGP is left behind"


def kept(target: Path) -> int:
    """How many segments of a film are finished."""
    return len(list(target.with_suffix(".svi").glob("segments/*/done.json")))


def until(question: Callable[[], bool]) -> None:
    end = time.monotonic() + 600
    while not question():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_a_scheduler_and_a_client_that_are_killed_change_nothing(lab: Lab, start_image: Path, tmp_path: Path) -> None:
    tree, calls = lab(API)
    story, target = write(tmp_path, start_image, 4, 3), tmp_path / "cluster.mp4"
    alone = render(story, tree, tmp_path / "alone.mp4")
    running = Cluster(Place(tmp_path, tree))
    try:
        running.work("one")
        running.work("two")
        words = ["render", str(story), "-o", str(target), "--wangp", str(tree), "--on", running.address]
        command = [sys.executable, "-m", "svi_install", *words, "--json"]
        first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        until(lambda: kept(target) >= 2 or first.poll() is not None)
        assert first.poll() is None, first.communicate()[0]
        running.scheduler.kill()
        said, _ = first.communicate(timeout=300)
        assert first.returncode == 1
        assert "does not answer" in said
        running.scheduler.wait()
        running.schedule()
        before = kept(target)
        second = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: kept(target) >= before + 2 or second.poll() is not None)
        second.kill()
        second.wait()
        assert kept(target) < 12
        made = installer.svi_install(*words)["film"]
        assert len(made["segments"]) == 12
        assert hashlib.sha256(target.read_bytes()).hexdigest() == alone
        # A worker ends with its scheduler in the middle of a clip; with its client it does not.
        assert windows(calls) - 12 <= 12 + 2
    finally:
        running.close()
    assert gone(tree), "no WanGP is left behind"
