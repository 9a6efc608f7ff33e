"""SVI written out from its description, for cases beyond those of public.npz.

Runs in a WanGP tree with the Python of the environment and the shim (TINY=parity): only the VAE is WanGP's. The
transformer is written here from the paper's equations, so that it shares no code with what is tested. That all of it is
right is shown by what it makes of the cases of public.npz.

reference.py CASES.json OUT.npz

CASES.json: {name: {"clips", "frames", "height", "width", "motion", "padding"}}; with "start", FILE.npz, the start image
of the case of that name in the file, else squares of colour. With "ends", [numbers of clips]: Wan 2.2, and those clips
arrive at an image, other squares each.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
from pathlib import Path

import numpy as np
import tiny
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

HEADS, HEAD = tiny.DIT["num_heads"], tiny.DIT["dim"] // tiny.DIT["num_heads"]
TEXT_TOKENS, IMAGE_TOKENS = 512, 257
PATCH = (1, 2, 2)
START_SEED, GOAL_SEED = 11, 20


class Transformer:
    """Wan image to video, by the names of its weights: 2.1, or one expert of 2.2, which sees no CLIP picture."""

    def __init__(self, weights):
        self.w = weights

    def linear(self, name, x):
        return F.linear(x, self.w[f"{name}.weight"], self.w[f"{name}.bias"])

    def norm(self, x, name=None):
        scale = (self.w[f"{name}.weight"], self.w[f"{name}.bias"]) if name else (None, None)
        return F.layer_norm(x, x.shape[-1:], *scale, eps=1e-5 if name and name.startswith("img_emb") else 1e-6)

    def rms(self, name, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.w[f"{name}.weight"]

    def attend(self, q, k, v):
        q, k, v = (x.unflatten(-1, (HEADS, HEAD)).transpose(0, 1) for x in (q, k, v))
        weights = (q @ k.transpose(-1, -2) / math.sqrt(HEAD)).softmax(-1)
        return (weights @ v).transpose(0, 1).flatten(1)

    def self_attention(self, name, x, turns):
        q, k = (turn(self.rms(f"{name}.norm_{p}", self.linear(f"{name}.{p}", x)), turns) for p in "qk")
        return self.linear(f"{name}.o", self.attend(q, k, self.linear(f"{name}.v", x)))

    def cross_attention(self, name, x, text, image):
        q = self.rms(f"{name}.norm_q", self.linear(f"{name}.q", x))
        seen = 0
        for context, end in ((text, ""), (image, "_img")):
            if context is None:
                continue
            k = self.rms(f"{name}.norm_k{end}", self.linear(f"{name}.k{end}", context))
            seen = seen + self.attend(q, k, self.linear(f"{name}.v{end}", context))
        return self.linear(f"{name}.o", seen)

    def __call__(self, latents, time, text, image, y):
        """The velocity: latents (16, T, h, w), time 0..1000, text (n, text_dim), image (257, 1280), y (20, T, h, w).

        Wan 2.2 has no image.
        """
        x = F.conv3d(
            torch.cat([latents, y])[None], self.w["patch_embedding.weight"], self.w["patch_embedding.bias"], PATCH
        )
        grid = x.shape[2:]
        x = x[0].flatten(1).T
        half = tiny.DIT["freq_dim"] // 2
        angles = time * torch.pow(10000, -torch.arange(half, dtype=torch.float64) / half)
        e = torch.cat([angles.cos(), angles.sin()])[None].float()
        e = self.linear("time_embedding.2", F.silu(self.linear("time_embedding.0", e)))
        steps = self.linear("time_projection.1", F.silu(e)).unflatten(1, (6, tiny.DIT["dim"]))
        text = torch.cat([text, text.new_zeros(TEXT_TOKENS - len(text), text.shape[1])])
        text = self.linear("text_embedding.2", F.gelu(self.linear("text_embedding.0", text), approximate="tanh"))
        if image is not None:
            image = self.linear("img_emb.proj.1", self.norm(image, "img_emb.proj.0"))
            image = self.norm(self.linear("img_emb.proj.3", F.gelu(image)), "img_emb.proj.4")
        turns = rotations(grid)
        for block in range(tiny.DIT["num_layers"]):
            name = f"blocks.{block}"
            m = (self.w[f"{name}.modulation"] + steps)[0]
            x = x + m[2] * self.self_attention(f"{name}.self_attn", self.norm(x) * (1 + m[1]) + m[0], turns)
            x = x + self.cross_attention(f"{name}.cross_attn", self.norm(x, f"{name}.norm3"), text, image)
            inner = F.gelu(self.linear(f"{name}.ffn.0", self.norm(x) * (1 + m[4]) + m[3]), approximate="tanh")
            x = x + m[5] * self.linear(f"{name}.ffn.2", inner)
        m = (self.w["head.modulation"] + e[:, None])[0]
        x = self.linear("head.head", self.norm(x) * (1 + m[1]) + m[0])
        return torch.einsum("fhwpqrc->cfphqwr", x.unflatten(0, grid).unflatten(-1, (*PATCH, 16))).reshape(latents.shape)


def rotations(grid):
    """Rotary positions: a third of each head for time, height and width, the rest goes to time."""
    third = 2 * (HEAD // 6)
    parts = []
    for axis, size in enumerate((HEAD - 2 * third, third, third)):
        frequency = 1 / torch.pow(10000, torch.arange(0, size, 2, dtype=torch.float64) / size)
        angle = torch.outer(torch.arange(grid[axis], dtype=torch.float64), frequency)
        shape = [1, 1, 1, size // 2]
        shape[axis] = grid[axis]
        parts.append(torch.polar(torch.ones_like(angle), angle).view(shape).expand(*grid, -1))
    return torch.cat(parts, -1).reshape(-1, 1, HEAD // 2)


def turn(x, turns):
    pairs = torch.view_as_complex(x.double().unflatten(-1, (HEADS, HEAD // 2, 2)))
    return torch.view_as_real(pairs * turns).flatten(1).float()


def schedule():
    sigmas = torch.linspace(1.0, 0.0, tiny.STEPS + 1)
    return tiny.SHIFT * sigmas / (1 + (tiny.SHIFT - 1) * sigmas)


def signed(levels):
    """uint8 (n, height, width, 3) to float -1..1 (3, n, height, width)."""
    return torch.from_numpy(levels).permute(3, 0, 1, 2).float() / 127.5 - 1


def film(case, transformers, vae):
    """All clips of one case: pairs of array name and array.

    Args:
        transformers: Wan 2.1, and the two experts of Wan 2.2, high noise first.
    """
    reference = signed(start_picture(case))
    tail, video, sigmas = start_picture(case), [], schedule()
    wan22 = "ends" in case
    old, high, low = transformers
    image = None if wan22 else torch.from_numpy(tiny.clip_feature())[0]
    negative = torch.from_numpy(tiny.text(tiny.NEGATIVE))
    yield "timesteps", (sigmas[:-1] * 1000).numpy()
    for clip in range(case["clips"]):
        goal = None
        if clip + 1 in case.get("ends", ()):
            goal = squares(case, GOAL_SEED + clip)
            yield f"{clip}/goal", goal[0]
        y = conditioning(case, signed(tail), reference, vae, None if goal is None else signed(goal))
        generator = torch.Generator().manual_seed(tiny.SEED_STRIDE * clip)
        z = torch.randn((1, 16, *y.shape[1:]), generator=generator)[0]
        text = torch.from_numpy(tiny.text(f"p{clip}"))
        for sigma, following in itertools.pairwise(sigmas):
            expert = low if sigma * 1000 <= tiny.SWITCH else high
            transformer = expert if wan22 else old
            wanted = transformer(z, sigma * 1000, text, image, y)
            unwanted = transformer(z, sigma * 1000, negative, image, y)
            z = z + (following - sigma) * (unwanted + tiny.CFG * (wanted - unwanted))
        frames = vae.decode([z], 0)[0].clamp(-1, 1)
        yield f"{clip}/first", tail
        yield f"{clip}/y", y.numpy()
        yield f"{clip}/latents", z.numpy()
        yield f"{clip}/frames", frames.half().numpy()
        levels = ((frames + 1) * 127.5).to(torch.uint8).permute(1, 2, 3, 0).numpy()
        # Wan 2.1 keeps the head of a clip and Wan 2.2 the tail of the one before.
        if wan22:
            video.append(levels if clip == 0 else levels[case["motion"] :])
        else:
            video.append(levels if clip == case["clips"] - 1 else levels[: -case["motion"]])
        tail = levels[-case["motion"] :]
    yield "video", np.concatenate(video)


def start_picture(case):
    """(1, height, width, 3)."""
    return np.load(case["start"])[f"{case['name']}/0/first"] if "start" in case else squares(case, START_SEED)


def squares(case, seed):
    """A picture, (1, height, width, 3); sharp edges show a shift."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 256, (case["height"] // 8, case["width"] // 8, 3), dtype=np.uint8)
    return np.kron(levels, np.ones((8, 8, 1), np.uint8))[None]


def conditioning(case, known, reference, vae, goal=None):
    """goal: (3, 1, height, width), the last frame of a clip that arrives at an image."""
    goal = known[:, :0] if goal is None else goal
    room = case["frames"] - known.shape[1] - goal.shape[1]
    padded = room if case["padding"] < 0 else min(case["padding"], room)
    grey = known.new_zeros(3, room - padded, *known.shape[2:])
    latents = vae.encode([torch.cat([known, reference.expand(-1, padded, -1, -1), grey, goal], 1)], 0)[0]
    # One row for each pixel frame, the first one four times; four rows to a latent frame.
    mask = latents.new_zeros(case["frames"] + 3, *latents.shape[2:])
    mask[:4] = 1
    mask[case["frames"] + 3 - goal.shape[1] :] = 1
    mask = mask.unflatten(0, (latents.shape[1], 4)).transpose(0, 1)
    return torch.cat([mask, latents])


@torch.inference_mode()
def main():
    cases, out = json.loads(Path(sys.argv[1]).read_text("utf-8")), Path(sys.argv[2])
    sys.path.insert(0, str(Path.cwd()))
    from models.wan.modules.vae import WanVAE
    from tiny_checkpoints import EXPERTS, I2V

    transformers = [Transformer(load_file(f"ckpts/parity/{name}")) for name in (I2V, *EXPERTS)]
    vae = WanVAE(vae_pth="ckpts/parity/Wan2.1_VAE.safetensors", dtype=torch.float32, device="cpu")
    torch.set_flush_denormal(True)
    arrays = {
        f"{name}/{key}": value
        for name, case in cases.items()
        for key, value in film({**case, "name": name}, transformers, vae)
    }
    np.savez(out, **arrays)


if __name__ == "__main__":
    main()
