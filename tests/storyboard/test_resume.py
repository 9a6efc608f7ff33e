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

from svi_install.storyboard import film
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
