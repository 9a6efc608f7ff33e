"""Films that end on images, by the command itself on the real WanGP: a loop, and the same one after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .lab import installer, media
from .lab.generate import decoded
from .tales import CLIP_FRAMES, NO_LORAS
from .test_storyboard import API, Lab, events, lab

__all__ = ["lab"]  # a fixture

ENDS = f"""
image: start.png
loop: true
defaults:
  {{variant: wan22, resolution: 64x64, clip_frames: {CLIP_FRAMES}, steps: 2, settings: {json.dumps(NO_LORAS)}}}
shots: [a boat, {{prompt: a bridge, end_image: goal.png}}, a bird, a tower]
"""


@pytest.fixture
def ends(tmp_path: Path) -> Path:
    """A story of four clips: the second one ends on an image, the last one on the image that the film begins with."""
    for seed, name in enumerate(("start", "goal"), 1):
        media.write_picture(tmp_path / f"{name}.png", seed=seed)
    (tmp_path / "story.yaml").write_text(ENDS, "utf-8")
    return tmp_path / "story.yaml"


@pytest.mark.long
def test_a_loop_with_an_end_in_the_middle(lab: Lab, ends: Path) -> None:
    tree, calls = lab(API)
    result = installer.svi_install("render", ends, "--wangp", tree)["film"]
    assert (result["made"], result["frames"]) == ([1, 2, 3, 4], 17 + 3 * 16 - 1)
    goal = "Tensor (3, 64, 64)"
    assert [each["image_end"] for each in events(calls, "window")] == [None, goal, None, goal]
    film_file = ends.with_name("story-film.mp4")
    loop = decoded(film_file)
    assert loop[0] == 17 + 3 * 16 - 1
    # One frame more, the same clips: nothing is made.
    ends.write_text(ENDS.replace("loop: true", "end_image: start.png"), "utf-8")
    closed = installer.svi_install("render", ends, "--wangp", tree)["film"]
    assert (closed["made"], closed["frames"]) == ([], 17 + 3 * 16)
    assert decoded(film_file)[0] == 17 + 3 * 16
    # What the loop leaves out is its last frame, the one that the film begins with.
    assert decoded(film_file, loop[0])[1] == loop[1]


@pytest.mark.long
def test_a_loop_is_the_same_after_a_kill(lab: Lab, ends: Path) -> None:
    tree, _ = lab(API)
    words = [sys.executable, "-m", "svi_install", "render", str(ends), "--wangp", str(tree)]
    killed = subprocess.Popen(words, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(1200):
            if list(ends.parent.glob("story-film.svi/segments/*/done.json")):
                break
            assert killed.poll() is None
            time.sleep(0.25)
    finally:
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
    left = installer.svi_install("render", ends, "--wangp", tree)["film"]["made"]
    assert left
    assert 1 not in left
    whole = ends.with_name("whole.mp4")
    assert installer.svi_install("render", ends, "-o", whole, "--wangp", tree)["film"]["made"] == [1, 2, 3, 4]
    assert decoded(ends.with_name("story-film.mp4")) == decoded(whole)
