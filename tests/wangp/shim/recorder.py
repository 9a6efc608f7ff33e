"""Writes into LAB_CALLS, one JSON line each, what WanGP did.

window   one call of WanAny2V.generate: what wgp.py asked the model for, how often the VAE worked for it
saved    one video file, with the number and the md5 of its frames before compression
loras    one call of preprocess_loras: how many tensors of a LoRA file went in and came out
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import time
from collections import Counter
from pathlib import Path

ASKED = (
    *("window_no", "seed", "input_prompt", "n_prompt", "frame_num", "sampling_steps", "guide_scale", "sample_solver"),
    *("shift", "VAE_tile_size", "color_correction_strength", "prefix_frames_count", "custom_settings", "image_end"),
)

# When the newest video was written, in whole seconds.
newest = [0]


def install(after):
    work = Counter()
    after("models.wan.any2video", lambda m: windows(m.WanAny2V, work))
    after("models.wan.modules.vae", lambda m: count(m.WanVAE, work))
    after("models.wan.modules.model", lambda m: loras(m.WanModel))
    after("shared.utils.audio_video", saved)


def write(**values):
    with Path(os.environ["LAB_CALLS"]).open("a", encoding="utf-8") as out:
        out.write(json.dumps(values, default=describe) + "\n")


def describe(value):
    return f"{type(value).__name__} {tuple(getattr(value, 'shape', ()))}"


def wait_for_a_name():
    """WanGP names a video by second, seed and prompt, and writes over an earlier one of that name (12.60, 10.01)."""
    while int(time.time()) == newest[0]:
        time.sleep(0.05)


def wait_while_held(prompt):
    """The file that LAB_HOLD names holds the clip of the prompt in it, so that a person has time to press a button."""
    hold = Path(os.environ.get("LAB_HOLD") or os.devnull)
    if hold.is_file() and hold.read_text("utf-8") == prompt:
        write(event="held")
    while hold.is_file() and hold.read_text("utf-8") == prompt:
        time.sleep(0.05)


def windows(cls, work):
    original = cls.generate

    @functools.wraps(original)
    def generate(self, *args, **kw):
        if kw.get("window_no", 1) == 1:
            wait_for_a_name()
        call = {name: kw.get(name) for name in ASKED}
        video = kw.get("input_video")
        call["input_frames"] = None if video is None else int(video.shape[1])
        call["input_level"] = None if video is None else round(float(video[:, 0].float().mean()), 4)
        call |= {name: value for name, value in kw.items() if "svi" in name.lower()}
        wait_while_held(str(kw.get("input_prompt")))
        work.clear()
        error = None
        try:
            return original(self, *args, **kw)
        except Exception as raised:
            error = repr(raised)
            raise
        finally:
            write(event="window", **call, error=error, vae=dict(work))

    cls.generate = generate


def count(cls, work):
    def counted(name, original):
        @functools.wraps(original)
        def method(self, *args, **kw):
            work[name] += 1
            return original(self, *args, **kw)

        return method

    for name in ("encode", "decode", "decode_to_cpu_uint8"):
        if hasattr(cls, name):
            setattr(cls, name, counted(name, getattr(cls, name)))


def loras(cls):
    original = cls.preprocess_loras

    @functools.wraps(original)
    def preprocess_loras(self, model_type, sd):
        tensors = len(sd)
        result = original(self, model_type, sd)
        write(event="loras", tensors=tensors, kept=len(result), first=next(iter(result), None))
        return result

    cls.preprocess_loras = preprocess_loras


def levels(tensor):
    """The frames of a video as uint8 in (frame, height, width, channel)."""
    import torch

    tensor = tensor[0] if tensor.dim() == 5 else tensor
    if tensor.dtype != torch.uint8:
        tensor = tensor.clamp(-1, 1).add(1).mul(127.5).to(torch.uint8)
    return tensor.permute(1, 2, 3, 0).cpu().numpy()


def saved(module):
    original = module.save_video

    @functools.wraps(original)
    def save_video(tensor, save_file=None, *args, **kw):
        parts = [levels(part) for part in (tensor if isinstance(tensor, (list, tuple)) else [tensor])]
        digest = hashlib.md5(b"".join(part.tobytes() for part in parts), usedforsecurity=False).hexdigest()
        result = original(tensor, save_file, *args, **kw)
        newest[0] = int(time.time())
        write(event="saved", file=Path(save_file).name, frames=sum(len(part) for part in parts), md5=digest)
        return result

    module.save_video = save_video
