"""`render` killed at any moment: WanGP ends with it, and the next run comes to the same film, byte for byte."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from svi_install.runtime import png
from svi_install.storyboard.film import film
from svi_install.writing import process

from . import standin

PROMPTS = "slow one | slow two | slow three"
OPTIONS = ("--steps", "3", "--resolution", "64x32", "--clip-frames", "9", "--set", "activated_loras=[]")
PATIENCE = 60.0


def command(root: Path, image: Path, target: Path, *further: str) -> list[str]:
    start = [
        sys.executable,
        "-m",
        "svi_install",
        "render",
        str(image),
        PROMPTS,
        "-o",
        str(target),
        "--wangp",
        str(root),
    ]
    return [*start, *OPTIONS, "--set", "loras_multipliers=", *further]


def wait_for(what: object, describe: str) -> None:
    assert callable(what)
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, describe
        time.sleep(0.02)


def finished(target: Path) -> int:
    return len(list(film.store_of(target).root.glob("segments/*/done.json")))


def steps_seen(root: Path) -> int:
    return len(standin.asked(root))


@pytest.mark.skipif(sys.platform == "win32", reason="kills with a signal")
@pytest.mark.parametrize("moment", ["first begun", "first finished", "third begun"])
def test_killed_and_resumed(wangp_root: Path, image: Path, ffmpeg_program: Path, tmp_path: Path, moment: str) -> None:
    target = tmp_path / "film.mp4"
    conditions = {
        "first begun": lambda: steps_seen(wangp_root) == 1,
        "first finished": lambda: finished(target) == 1,
        "third begun": lambda: steps_seen(wangp_root) == 3,
    }
    running = subprocess.Popen(command(wangp_root, image, target), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(conditions[moment], moment)
    pid = int((wangp_root / "pid").read_text())
    started = process.started(pid)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    wait_for(lambda: process.started(pid) != started, "WanGP outlived render")
    kept = finished(target)
    assert not target.exists()
    again = subprocess.run(command(wangp_root, image, target, "--json"), capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    made = json.loads(again.stdout)["film"]["made"]
    # WanGP may be ahead of ffmpeg by more than one segment; what it has left is only compressed.
    assert made == list(range(4 - len(made), 4))
    assert len(made) <= 3 - kept
    whole = tmp_path / "whole.mp4"
    subprocess.run(command(wangp_root, image, whole, "-q"), check=True)
    assert target.read_bytes() == whole.read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="kills with a signal")
def test_a_film_that_ends_on_an_image_in_the_middle_is_killed_and_resumed(
    wangp_root: Path, image: Path, ffmpeg_program: Path, tmp_path: Path
) -> None:
    """While the clip is made that ends on it."""
    goal = image.with_name("goal.png")
    png.write(goal, png.Picture(64, 32, bytes(range(255, -1, -1)) * 24))
    story = tmp_path / "story.yaml"
    story.write_text(
        "image: start.png\n"
        "shots: [slow one, {prompt: slow two, end_image: goal.png}, slow three]\n"
        "defaults: {variant: wan22, resolution: 64x32, clip_frames: 9, steps: 3,\n"
        "           settings: {activated_loras: [], loras_multipliers: ''}}\n"
    )
    killed, whole = tmp_path / "killed.mp4", tmp_path / "whole.mp4"
    words = [sys.executable, "-m", "svi_install", "render", str(story), "--wangp", str(wangp_root), "--json", "-o"]
    running = subprocess.Popen([*words, str(killed)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: steps_seen(wangp_root) == 2, "second begun")
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert not killed.exists()
    for target, made in ((killed, {2, 3}), (whole, {1, 2, 3})):
        done = subprocess.run([*words, str(target)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        # WanGP may be ahead of the kill, and then what it has left is only compressed.
        assert {3} <= set(json.loads(done.stdout)["film"]["made"]) <= made | {1}
    assert killed.read_bytes() == whole.read_bytes()
    assert ["image_end" in task for task in standin.asked(wangp_root)[-3:]] == [False, True, False]


@pytest.mark.skipif(sys.platform == "win32", reason="kills with a signal")
def test_takes_and_new_takes_are_killed_and_resumed(
    wangp_root: Path, image: Path, ffmpeg_program: Path, tmp_path: Path
) -> None:
    """The same command again comes to the film of a run that nobody killed, with as many takes."""
    films = [tmp_path / name / "film.mp4" for name in ("killed", "whole")]
    for target, words in [(each, words) for words in (("--takes", "2"), ("--redo", "1")) for each in films]:
        target.parent.mkdir(exist_ok=True)
        if target is films[0]:
            made = steps_seen(wangp_root)
            running = subprocess.Popen(command(wangp_root, image, target, "-q", *words))
            # In the middle of the second segment; its first one has its new take by then.
            more = 3 if words[0] == "--takes" else 2
            wait_for(lambda made=made, more=more: steps_seen(wangp_root) >= made + more, words[0])
            os.kill(running.pid, signal.SIGKILL)
            running.wait()
        subprocess.run(command(wangp_root, image, target, "-q", *words), check=True)
    killed, whole = (film.store_of(each).root for each in films)
    assert films[0].read_bytes() == films[1].read_bytes()
    assert len(list(killed.glob("segments/*/done.json"))) == 2 * 3 + 3
    for pattern in ("segments/*", "takes/*"):
        assert sorted(each.name for each in killed.glob(pattern)) == sorted(each.name for each in whole.glob(pattern))


@pytest.mark.skipif(sys.platform == "win32", reason="interrupts with a signal")
def test_ctrl_c(wangp_root: Path, image: Path, ffmpeg_program: Path, tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    running = subprocess.Popen(command(wangp_root, image, target), stderr=subprocess.PIPE, text=True)
    wait_for(lambda: finished(target) == 1, "first segment")
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert "of 3 segments are finished and kept" in said
    assert "to continue with the first missing one" in said
