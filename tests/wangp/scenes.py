"""The settings that the tests hand to WanGP: small videos of three clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .lab.generate import complete

CLIP_FRAMES = 17
PROMPTS = ("a boat", "a bridge", "a bird")
SEED = 7


def total(clips: int, motion_frames: int, clip_frames: int = CLIP_FRAMES) -> int:
    """Frames of a video of whole clips."""
    return clip_frames + (clips - 1) * (clip_frames - motion_frames)


def video(start: Path, **settings: Any) -> dict[str, Any]:
    """Three windows without SVI, one prompt line for each."""
    return complete(
        {
            "prompt": "\n".join(PROMPTS),
            "multi_prompts_gen_type": 1,
            "image_start": str(start),
            "image_prompt_type": "S",
            "resolution": "64x64",
            "video_length": 49,
            "sliding_window_size": CLIP_FRAMES,
            "sliding_window_overlap": 1,
            "num_inference_steps": 2,
            "seed": SEED,
            "guidance_scale": 5,
            **settings,
        },
        start.parent,
    )


def svi(start: Path, motion_frames: int, padding: int = -1, **settings: Any) -> dict[str, Any]:
    """SVI by the settings keys that every release takes."""
    keys = {
        "svi_mode": True,
        "svi_ref_pad_num": padding,
        "svi_num_motion_frames": motion_frames,
        "sliding_window_overlap": motion_frames,
    }
    return video(start, **keys, **settings)


def text_to_video(start: Path, **settings: Any) -> dict[str, Any]:
    """One window of a model that has no SVI; start is only the place of other files."""
    # A prompt of its own: WanGP names a file by second, seed and prompt, and writes over one of the same name.
    short = {"model_type": "t2v", "image_prompt_type": "", "prompt": "a tower", "video_length": 9}
    return video(start, **short, **settings) | {"image_start": None}
