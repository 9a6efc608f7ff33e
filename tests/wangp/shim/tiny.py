"""Weights and inputs of the parity runs, made from names and shapes alone.

The same functions filled the official pipeline whose results data/public.npz holds.
"""

from __future__ import annotations

import zlib

import numpy as np

DIT = {
    "dim": 256,
    "in_dim": 36,
    "ffn_dim": 256,
    "out_dim": 16,
    "text_dim": 32,
    "freq_dim": 256,
    "eps": 1e-6,
    "num_heads": 2,
    "num_layers": 2,
}
STEPS, CFG, SHIFT, SEED_STRIDE, NEGATIVE = 3, 5.0, 5.0, 42, "neg"
# Wan 2.2: up to this time the low noise expert, with three steps the last one of them.
SWITCH = 900


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """float32: N(0, small) for matrices and convolutions, 1 for norm scales, 0 for other vectors."""
    if len(shape) > 1 and not name.endswith("gamma"):
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        fan_in = int(np.prod(shape[1:]))
        std = min(0.05, 0.7 / fan_in**0.5) if "modulation" not in name else 0.02
        return (rng.standard_normal(shape) * std).astype(np.float32)
    if name.endswith("gamma") or ("norm" in name and name.endswith("weight")):
        return np.ones(shape, np.float32)
    return np.zeros(shape, np.float32)


def text(prompt: str) -> np.ndarray:
    """float32 (7, text_dim): stands for the text encoder."""
    return np.random.default_rng(sum(map(ord, prompt))).standard_normal((7, DIT["text_dim"])).astype(np.float32)


def clip_feature() -> np.ndarray:
    """float32 (1, 257, 1280): stands for the CLIP image encoder."""
    return np.random.default_rng(5).standard_normal((1, 257, 1280)).astype(np.float32)
