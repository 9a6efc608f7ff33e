"""Writes into LAB_CALLS what each clip costs, one line of event "cost" each.

A clip lasts from WanGP's call of `wan_model.generate`, whatever stands there, until the video is saved or the next clip
begins: the runtime's own work, WanGP's conversion and its stitching are in it.

passes    calls of the transformer
between   operations of torch between the first and the last of them that belong to none: the work per denoising step
large     by operation, how many tensors of half a clip or more were made or copied
bytes     of all tensors made
"""

from __future__ import annotations

import functools
from collections import Counter

import recorder


def install(after):
    counting = Counting()
    after("models.wan.any2video", lambda m: calls(m.WanAny2V, counting))
    after("models.wan.modules.model", lambda m: passes(m.WanModel, counting))
    after("shared.utils.audio_video", lambda m: saving(m, counting))


class Counting:
    """What the current clip has cost so far."""

    def __init__(self):
        self.mode = None
        self.calling = False

    def begin(self, half):
        self.end()
        self.half, self.passes, self.between, self.bytes, self.large = half, 0, 0, 0, Counter()
        self.gap = self.within = 0
        self.mode = dispatch_mode(self)
        self.mode.__enter__()

    def end(self):
        if self.mode is not None:
            self.mode.__exit__(None, None, None)
            self.mode = None
            recorder.write(
                event="cost",
                **{name: getattr(self, name) for name in ("passes", "between", "bytes")},
                large=dict(self.large),
            )

    def operation(self, function, args, result):
        self.gap += not self.within
        name = str(function.overloadpacket)
        results = result if isinstance(result, (tuple, list)) else (result,)
        for made, returned in zip(results, function._schema.returns, strict=False):
            if hasattr(made, "nbytes") and returned.alias_info is None:
                self.bytes += made.nbytes
                self.large[name] += made.numel() >= self.half
        if name == "aten.copy_":
            # One frame that is written again and again is no copy of a video.
            stored = args[1].untyped_storage().nbytes() // args[1].itemsize
            self.large[name] += min(args[1].numel(), stored) >= self.half


def dispatch_mode(counting):
    from torch.utils._python_dispatch import TorchDispatchMode

    class Mode(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            counting.operation(function, args, result)
            return result

    return Mode()


def calls(cls, counting):
    def counted(function):
        @functools.wraps(function)
        def generate(*args, **kw):
            if counting.calling:
                return function(*args, **kw)
            height, width = kw["input_video"].shape[-2:]
            counting.begin(3 * kw["frame_num"] * height * width // 2)
            counting.calling = True
            try:
                return function(*args, **kw)
            finally:
                counting.calling = False

        return generate

    def set_attribute(self, name, value):
        # The runtime hides the method behind a function of its own.
        object.__setattr__(self, name, counted(value) if name == "generate" else value)

    cls.generate = counted(cls.generate)
    cls.__setattr__ = set_attribute


def passes(cls, counting):
    original = cls.forward

    @functools.wraps(original)
    def forward(self, *args, **kw):
        if counting.mode is None:
            return original(self, *args, **kw)
        if counting.passes:
            counting.between += counting.gap
        counting.passes += 1
        counting.within += 1
        try:
            return original(self, *args, **kw)
        finally:
            counting.within -= 1
            counting.gap = 0

    cls.forward = forward


def saving(module, counting):
    original = module.save_video

    @functools.wraps(original)
    def save_video(*args, **kw):
        counting.end()
        return original(*args, **kw)

    module.save_video = save_video
