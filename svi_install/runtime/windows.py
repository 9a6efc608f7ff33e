"""What this WanGP makes of a length: its own plan of the windows, asked and never guessed from a version.

Three ways of counting are about: one line of arithmetic (before 12.54), a plan to which the overlap of a continued
video is added (12.54 to 12.60), and a plan that counts the frames shared with an image or a video itself (from 12.641).
"""

from __future__ import annotations

import inspect
import linecache
import re
from collections.abc import Callable, Mapping
from typing import Any

from . import length

PLANNER = "build_default_window_plan"
# The line of WanGP that makes a continued video longer before its windows are planned.
_ADDS = re.compile(r"current_video_length\s*\+=\s*sliding_window_overlap\s*-\s*1")
# A source whose frames cannot be counted is taken for long enough.
_MANY = 1_000_000


def of(
    namespace: Mapping[str, Any], generate: Callable[..., Any] | None, arguments: Mapping[str, Any]
) -> length.Windows:
    """The arithmetic of a release, for one generation.

    Args:
        namespace: WanGP's globals.
        generate: its function that makes a video.
        arguments: settings of the generation: ``model_type``, the continued video.
    """
    planner = namespace.get(PLANNER)
    if not callable(planner):
        return length.whole_windows
    known = inspect.signature(planner).parameters
    model_type = arguments.get("model_type")
    model_def = namespace["get_model_def"](model_type) or {}
    sliding = model_def.get("sliding_window_defaults") or {}
    ask = namespace.get("get_model_min_frames_and_step")
    minimum, step, _ = ask(model_type) if callable(ask) else (1, length.LATENT, length.LATENT)
    adds = adds_overlap(generate, "first_window_overlap" not in known)

    def windows(frames: int, window: int, overlap: int, continues: bool) -> list[int]:
        shared = min(overlap, source_frames(namespace, arguments)) if continues else 1
        given = {
            "total_frames": (frames - 1) // length.LATENT * length.LATENT
            + 1
            + (overlap - 1 if continues and adds else 0),
            "window_size": window,
            "default_overlap": min(window - length.LATENT, overlap),
            "discard_last_frames": 0,
            "minimum": minimum,
            "step": step,
            "frame_offset": model_def.get("frames_offset", 1),
            "overlap_offset": sliding.get("overlap_offset", 1),
            "max_overlap": sliding.get("overlap_max"),
            "first_window_overlap": shared,
            "first_window_available_overlap": source_frames(namespace, arguments) if continues else 1,
            "initial_shared_frames": 1,
            "preserve_exact_output_frames": model_def.get("image_end_frame_position", False),
            "output_frame_policy": model_def.get("frame_scheduler_output_policy"),
        }
        planned = planner(**{name: value for name, value in given.items() if name in known})
        return [each["frame_num"] - each.get("trim_last_frames", 0) for each in planned]

    return windows


def adds_overlap(generate: Callable[..., Any] | None, otherwise: bool) -> bool:
    """Whether a release makes a continued video longer by ``overlap - 1`` before it plans.

    Args:
        generate: WanGP's function that makes a video.
        otherwise: the answer where its source cannot be read.
    """
    code = getattr(inspect.unwrap(generate), "__code__", None) if generate is not None else None
    lines = linecache.getlines(code.co_filename) if code is not None else []
    return any(_ADDS.search(line) for line in lines[code.co_firstlineno :]) if code is not None and lines else otherwise


def source_frames(namespace: Mapping[str, Any], arguments: Mapping[str, Any]) -> int:
    """Frames of the continued video that a first window can share, many where nobody can say."""
    ask, source = namespace.get("estimate_first_window_overlap_frames"), arguments.get("video_source")
    if not callable(ask) or source is None:
        return _MANY
    try:
        rate = namespace["get_computed_fps"](
            arguments.get("force_fps", ""), arguments.get("model_type"), arguments.get("video_guide"), source
        )
        return int(ask(None, source, arguments.get("keep_frames_video_source") or "", rate)) or _MANY
    except Exception:  # noqa: BLE001  (only a count; WanGP itself says what is wrong with the video)
        return _MANY
