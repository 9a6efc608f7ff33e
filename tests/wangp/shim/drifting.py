"""A decoder that drifts on purpose: LAB_DRIFT says by how much, 0 for one that keeps its colours.

The noise weights of the tiny model make nothing that could drift: what they decode does not follow from what they go
on from. Here each clip shows the picture that it goes on from, moving sideways, with a change of red, green and blue
that follows from the seed alone. The picture is the one that WanGP gives to the clip, which is the frame that the clip
before handed on, so that what one clip does to the colours adds up through WanGP's own chain.
"""

from __future__ import annotations

import functools
import os

# Frames over which a change comes in.
RAMP = 8


def install(after):
    going = Going(float(os.environ["LAB_DRIFT"]))
    after("models.wan.any2video", lambda m: begins(m.WanAny2V, going))
    after("models.wan.modules.vae", lambda m: decodes(m.WanVAE, going))


class Going:
    """The picture that the clip in hand goes on from, (3, height, width) in 0 to 1, and what is done to its colours."""

    def __init__(self, strength):
        self.strength, self.picture, self.gain = strength, None, None

    def begin(self, video, seed):
        import torch

        if video is not None and video.ndim == 4:
            last = video[:, -1].detach().float().cpu()
            self.picture = last / 255 if video.dtype == torch.uint8 else (last + 1) / 2
        chance = torch.Generator().manual_seed(int(seed))
        random = torch.randn(3, generator=chance)
        self.gain = 1 + self.strength * random + self.strength / 3 * torch.tensor([1.0, 0.0, -1.0])

    def frames(self, decoded):
        """What is shown instead of what was decoded, (3, frames, height, width) in -1 to 1 or in levels."""
        import torch

        if self.picture is None or decoded.shape[-2:] != self.picture.shape[-2:]:
            raise RuntimeError("LAB_DRIFT knows no picture of this size")
        frames = []
        for number in range(decoded.shape[1]):
            much = 1 + (self.gain - 1) * min(1.0, number / RAMP)
            frames.append((torch.roll(self.picture, number, dims=-1) * much[:, None, None]).clamp(0, 1))
        shown = torch.stack(frames, 1)
        levels = (shown * 255).round()
        if decoded.dtype != torch.uint8:
            # A quarter of a level more: whoever cuts off and whoever rounds gets the same level.
            levels = ((levels + 0.25) / 127.5 - 1).clamp(max=1.0)
        return levels.to(decoded.dtype).to(decoded.device)


def begins(cls, going):
    original = cls.generate

    @functools.wraps(original)
    def generate(self, *args, **kw):
        going.begin(kw.get("input_video"), kw.get("seed") or 0)
        return original(self, *args, **kw)

    cls.generate = generate


def decodes(cls, going):
    def drifting(original):
        @functools.wraps(original)
        def method(self, *args, **kw):
            return [going.frames(each) for each in original(self, *args, **kw)]

        return method

    for name in ("decode", "decode_to_cpu_uint8"):
        if hasattr(cls, name):
            setattr(cls, name, drifting(getattr(cls, name)))
