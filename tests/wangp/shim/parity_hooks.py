"""Makes the numbers of WanGP comparable with golden runs and records them.

LAB_PARITY names a JSON file: {"golden": FILE.npz, "runs": [{"case", "record", "feed", "own_sigmas"}, ...]}, one
entry per generation of the process, in order.

record      file to write
feed        from the second clip on, put the golden frames and seed in the place of WanGP's own
own_sigmas  leave the noise schedule that the tree uses, instead of putting the official one in its place

What is replaced: both encoders by fixed values, the precision by float32, the noise schedule unless own_sigmas.
What is not: loading, conditioning, sampling, decoding, chaining, stitching.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
from pathlib import Path

import tiny
from recorder import levels


class Run:
    """State of the generation that the process is at."""

    def __init__(self):
        import numpy as np

        job = json.loads(Path(os.environ["LAB_PARITY"]).read_text("utf-8"))
        self.np, self.golden, self.waiting = np, np.load(job["golden"]), job["runs"]
        self.begin(self.waiting[0])

    def begin(self, job):
        self.case, self.record, self.feed, self.own_sigmas = (
            job[name] for name in ("case", "record", "feed", "own_sigmas")
        )
        self.windows, self.video, self.busy, self.sigmas_used = [], None, False, 0

    def next_window(self, number):
        if number == 1:
            self.begin(self.waiting.pop(0))
        self.windows.append({})
        self.sigmas_used = 0

    @property
    def timesteps(self):
        return self.golden[f"{self.case}/timesteps"]

    def note(self, **values):
        """Into the current window; the first value of a name stays."""
        if self.windows:
            for name, value in values.items():
                if name not in self.windows[-1]:
                    array = value.detach().float().cpu().numpy() if hasattr(value, "detach") else self.np.asarray(value)
                    self.windows[-1][name] = array.copy()

    def save(self):
        arrays = {f"{i}/{name}": value for i, window in enumerate(self.windows) for name, value in window.items()}
        if self.video is not None:
            arrays["video"] = self.video
        self.np.savez(self.record, **arrays)


def install(after):
    run = Run()
    after("models.wan.any2video", lambda m: any2video(m, run))
    after("models.wan.modules.model", lambda m: transformer(m, run))
    after("models.wan.modules.vae", lambda m: vae(m.WanVAE, run))
    after("models.wan.modules.t5", lambda m: text_encoder(m.T5EncoderModel))
    after("models.wan.modules.clip", lambda m: image_encoder(m.CLIPModel, run))
    after("shared.utils.euler_scheduler", lambda m: scheduler(m.EulerScheduler, run))
    after("shared.utils.audio_video", lambda m: video_writer(m, run))


def any2video(module, run):
    import torch

    cls = module.WanAny2V
    init, generate = cls.__init__, cls.generate

    @functools.wraps(init)
    def float32(self, *args, **kw):
        bound = inspect.signature(init).bind(self, *args, **kw)
        bound.arguments.update(dtype=torch.float32, VAE_dtype=torch.float32)
        init(*bound.args, **bound.kwargs)
        for model in (self.model, self.model2):
            if model is not None:
                model._model_dtype = torch.float32  # or mmgp would halve what is left in float32

    @functools.wraps(generate)
    def recorded(self, *args, **kw):
        run.next_window(kw.get("window_no"))
        clip = len(run.windows) - 1
        if kw.get("input_video") is not None:
            run.note(input=kw["input_video"])
        run.note(seed=kw.get("seed"), prompt=kw.get("input_prompt"), tile=kw.get("VAE_tile_size"))
        golden = f"{run.case}/{clip}/first"
        if run.feed and clip and golden in run.golden:
            kw["input_video"] = torch.from_numpy(run.golden[golden]).permute(3, 0, 1, 2).float().div(127.5).sub(1)
            kw["seed"] = clip * tiny.SEED_STRIDE
        result = generate(self, *args, **kw)
        run.save()
        return result

    cls.__init__, cls.generate = float32, recorded
    if hasattr(module, "timestep_transform"):  # releases without EulerScheduler call it once for each step
        own = module.timestep_transform

        def official(*args, **kw):
            value, step = own(*args, **kw), run.sigmas_used
            run.sigmas_used += 1
            if run.own_sigmas or step >= len(run.timesteps):
                return value
            return torch.full_like(value, float(run.timesteps[step]))

        module.timestep_transform = official


def scheduler(cls, run):
    import torch

    own = cls.set_timesteps

    @functools.wraps(own)
    def set_timesteps(self, *args, **kw):
        own(self, *args, **kw)
        if not run.own_sigmas and len(self.timesteps) == len(run.timesteps):
            self.timesteps = torch.tensor(run.timesteps)
        return self.timesteps

    cls.set_timesteps = set_timesteps


def transformer(module, run):
    import torch

    def rms_norm(self, x, in_place=True):
        # WanGP squares x.float() in place: right for bfloat16, where that is a copy, wrong for float32.
        y = x * torch.rsqrt(x.pow(2).mean(dim=-1, keepdim=True) + self.eps) * self.weight
        return x.copy_(y) if in_place else y

    module.WanRMSNorm.forward = rms_norm

    cls = module.WanModel
    forward = cls.forward

    @functools.wraps(forward)
    def recorded(self, x, *args, **kw):
        if run.windows:
            first = x[0] if isinstance(x, (list, tuple)) else x
            y = kw.get("y")
            if y is not None:
                run.note(y=y[0] if isinstance(y, (list, tuple)) or y.dim() == 5 else y)
            run.note(noise=first[0] if first.dim() == 5 else first)
            step = float(torch.as_tensor(kw["t"]).flatten()[0])
            if step not in run.windows[-1].setdefault("timesteps", []):
                run.windows[-1]["timesteps"].append(step)
        return forward(self, x, *args, **kw)

    cls.forward = recorded


def vae(cls, run):
    decode = cls.decode

    @functools.wraps(decode)
    def recorded(self, latents, *args, **kw):
        frames = decode(self, latents, *args, **kw)
        if not run.busy:
            run.note(latents=latents[0], frames=frames[0])
        return frames

    cls.decode = recorded
    if not hasattr(cls, "decode_to_cpu_uint8"):
        return
    to_levels = cls.decode_to_cpu_uint8  # of newer releases; it rounds, so the frames are decoded a second time

    @functools.wraps(to_levels)
    def rounded(self, latents, *args, **kw):
        run.note(latents=latents[0], frames=decode(self, latents, 0)[0])
        run.busy = True
        try:
            return to_levels(self, latents, *args, **kw)
        finally:
            run.busy = False

    cls.decode_to_cpu_uint8 = rounded


def text_encoder(cls):
    import torch

    cls.__call__ = lambda self, texts, device: [torch.from_numpy(tiny.text(text)) for text in texts]


def image_encoder(cls, run):
    import torch

    def visual(self, videos, *args, **kw):
        run.note(clip_seen=videos[0])
        return torch.from_numpy(tiny.clip_feature())

    cls.visual = visual


def video_writer(module, run):
    """The frames as handed to the video file, because its compression loses a few levels."""
    save_video = module.save_video

    @functools.wraps(save_video)
    def recorded(tensor, *args, **kw):
        parts = tensor if isinstance(tensor, (list, tuple)) else [tensor]
        run.video = run.np.concatenate([levels(part) for part in parts])
        run.save()
        return save_video(tensor, *args, **kw)

    module.save_video = recorded
