"""Every length, in every arithmetic that a WanGP has, comes out as whole clips."""

from __future__ import annotations

import contextlib
import functools
import itertools
import linecache
import os
import runpy
import subprocess
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from svi_install.runtime import length, windows

from . import standin

# 12.60, the last release with a plan that does not count the shared frame itself.
COMMIT = "4d9972134a9fb815a1f1bdbe1ff180da6f10e94e"
SCHEDULER = "shared/utils/frame_scheduler.py"
WINDOWS = (17, 33, 49, 65, 81, 97, 121)


def history() -> str | None:
    pointer = Path.home() / ".config/svi-install/wangp-git"
    named = os.environ.get("WANGP_GIT") or (pointer.read_text("utf-8").strip() if pointer.is_file() else "")
    return named if named and Path(named).is_dir() else None


@functools.cache
def planner(kind: str) -> Callable[..., Any] | None:
    """None, then the real plan of 12.60, then the one of 13.0 and later in our words."""
    if kind == "one line":
        return None
    if kind == "counts shared frames":
        plan: Callable[..., Any] = runpy.run_path(str(standin.WINDOW_PLAN))[windows.PLANNER]
        return plan
    git = history()
    if git is None:
        pytest.skip("WanGP's history is not here (WANGP_GIT or ~/.config/svi-install/wangp-git)")
    text = subprocess.run(
        ["git", "-C", git, "show", f"{COMMIT}:{SCHEDULER}"], capture_output=True, text=True, check=True
    ).stdout
    module: dict[str, Any] = {"__name__": "frame_scheduler"}
    exec(compile(text, "frame_scheduler.py", "exec"), module)
    found: Callable[..., Any] = module[windows.PLANNER]
    return found


def namespace(kind: str) -> dict[str, Any]:
    found = planner(kind)
    return {
        "get_model_def": lambda model_type: {"sliding_window_defaults": {"overlap_min": 1, "overlap_max": 1}},
        "get_model_min_frames_and_step": lambda model_type: (5, 4, 4),
        **({windows.PLANNER: found} if found else {}),
    }


KINDS = ("one line", "12.60", "counts shared frames")


@pytest.mark.parametrize("continues", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_length_comes_out_as_whole_clips(kind: str, continues: bool) -> None:
    ask = functools.cache(windows.of(namespace(kind), None, {"model_type": "i2v"}))

    def asked(*question: Any) -> tuple[int, ...]:
        return tuple(ask(*question))

    tried = 0
    for window, motion, frames in itertools.product(WINDOWS, range(1, 10), range(17, 802)):
        if length.overlap_of(motion) > window - length.LATENT:
            continue
        tried += 1
        overlap = length.overlap_of(motion)
        if kind == "counts shared frames" and continues and window - overlap < overlap:
            # This WanGP lets a second window share no more than the first one has added: refused, never a stub clip.
            with contextlib.suppress(ValueError):
                made = length.plan(frames, window, motion, continues, asked)
                assert list(asked(made.wangp_frames, window, overlap, continues)) == [made.clip_frames] * made.clips
            continue
        made = length.plan(frames, window, motion, continues, asked)
        assert list(asked(made.wangp_frames, window, made.overlap, continues)) == [made.clip_frames] * made.clips
        assert made.clip_frames == window or made.clips == 1
        step = made.clip_frames - motion
        assert made.new_frames == made.clips * step + (0 if continues else motion)
        # Nobody gets more than half a clip more or less than was asked for; one asked frame is the video's own.
        if made.clip_frames == window and made.clips > 1:
            assert abs(2 * (made.new_frames + continues - frames)) <= step
    assert tried > 40_000


@pytest.mark.parametrize(("kind", "told"), [("one line", 73), ("12.60", 73), ("counts shared frames", 73)])
def test_two_clips_behind_a_video_stay_two(kind: str, told: int) -> None:
    """The stub clip of 13.0 and later: 93 frames for 89, a third clip of a film of two."""
    ask = windows.of(namespace(kind), None, {"model_type": "i2v"})
    made = length.plan(77, 41, 5, True, ask)
    assert (made.clips, made.wangp_frames) == (2, told)
    assert list(ask(told, 41, 5, True)) == [41, 41]


def test_what_adds_the_overlap_is_read_from_the_function_itself(tmp_path: Path) -> None:
    def written(line: str) -> Callable[..., Any]:
        file = tmp_path / f"wgp{abs(hash(line))}.py"
        file.write_text(f"def generate_media():\n    current_video_length = 81\n{line}", "utf-8")
        linecache.checkcache()
        module: dict[str, Any] = {}
        exec(compile(file.read_text("utf-8"), str(file), "exec"), module)
        made: Callable[..., Any] = module["generate_media"]
        return made

    adding = written("    if video_source is not None: current_video_length +=  sliding_window_overlap - 1\n")
    for otherwise in (True, False):
        assert windows.adds_overlap(adding, otherwise)
        assert not windows.adds_overlap(written("    pass\n"), otherwise)
        assert windows.adds_overlap(None, otherwise) is otherwise


def source(frames: int | Exception) -> dict[str, Any]:
    def estimate(image: Any, video: Any, keep: Any, rate: float) -> int:
        if isinstance(frames, Exception):
            raise frames
        return frames

    return {
        **namespace("counts shared frames"),
        "get_computed_fps": lambda *asked: 16,
        "estimate_first_window_overlap_frames": estimate,
    }


@pytest.mark.parametrize("frames", [1, 3, 4])
def test_a_video_shorter_than_the_motion_frames_still_gives_whole_clips(frames: int) -> None:
    arguments: Mapping[str, Any] = {"model_type": "i2v", "video_source": "short.mp4"}
    ask = windows.of(source(frames), None, arguments)
    made = length.plan(77, 41, 5, True, ask)
    assert list(ask(made.wangp_frames, 41, made.overlap, True)) == [41] * made.clips


@pytest.mark.parametrize("frames", [0, OSError("no such file")])
def test_a_video_that_cannot_be_counted_is_taken_for_long_enough(frames: int | Exception) -> None:
    assert windows.source_frames(source(frames), {"video_source": "a.mp4"}) > 100_000
    assert windows.source_frames({}, {"video_source": "a.mp4"}) > 100_000


def test_a_release_that_cannot_make_whole_clips_is_told_so() -> None:
    def stubs(frames: int, window: int, overlap: int, continues: bool) -> list[int]:
        return [window, 5]

    with pytest.raises(ValueError, match="would not make 3 whole clips of 81 frames"):
        length.plan(241, 81, 1, False, stubs)


def test_decorated_functions_are_seen_through() -> None:
    inner = types.FunctionType((lambda: None).__code__, {})

    @functools.wraps(inner)
    def outer() -> None: ...

    assert windows.adds_overlap(outer, True) is False
