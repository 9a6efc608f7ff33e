"""Writes into the folder LAB_CONDITIONING, one file 000.npz, 001.npz ... for each window, what the model was given.

known   frames that the clip goes on from, (3, n, height, width), -1..1
goal    image that it arrives at, (3, height, width), -1..1; empty without one
y       conditioning of the first step, (20, latent frames, height / 8, width / 8)
frames  what was decoded, (3, frames, height, width), -1..1
"""

from __future__ import annotations

import functools
import os
from pathlib import Path


def install(after):
    window = {}
    after("models.wan.any2video", lambda m: windows(m.WanAny2V, window))
    after("models.wan.modules.model", lambda m: model(m.WanModel, window))


def array(value):
    import torch

    value = value.detach()
    value = value.float() if value.is_floating_point() else value.to(torch.float32).div(127.5).sub(1)
    return value.cpu().numpy().copy()


def windows(cls, window):
    import numpy as np

    folder, original = Path(os.environ["LAB_CONDITIONING"]), cls.generate

    @functools.wraps(original)
    def generate(self, *args, **kw):
        goal = kw.get("image_end")
        window.clear()
        window.update(known=array(kw["input_video"]), goal=np.zeros(0) if goal is None else array(goal))
        result = original(self, *args, **kw)
        window["frames"] = array(result["x"] if isinstance(result, dict) else result)
        np.savez(folder / f"{len(list(folder.glob('*.npz'))):03d}.npz", **window)
        return result

    cls.generate = generate


def model(cls, window):
    original = cls.forward

    @functools.wraps(original)
    def forward(self, x, *args, **kw):
        y = kw.get("y")
        if y is not None and "y" not in window:
            window["y"] = array(y[0] if isinstance(y, (list, tuple)) or y.dim() == 5 else y)
        return original(self, x, *args, **kw)

    cls.forward = forward
