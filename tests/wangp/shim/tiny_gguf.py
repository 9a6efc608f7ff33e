"""tiny_gguf.py SOURCE.safetensors TARGET.gguf

Writes a real GGUF file in the form of the public ones for Wan: big matrices in Q4_K, everything else in float32, the
five-dimensional patch embedding flattened beside its shape. Runs with the environment's Python: `gguf` reads Q4_K but
does not write it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file

BLOCK, SUBBLOCK, LEVELS, SCALES = 256, 32, 15, 63


def q4_k(weights: np.ndarray) -> np.ndarray:
    """Quantizes rows of multiples of 256 values: 4-bit levels, a 6-bit scale and a 6-bit minimum for each 32."""
    values = weights.astype(np.float32).reshape(-1, BLOCK // SUBBLOCK, SUBBLOCK)
    low = np.minimum(values.min(axis=-1), 0)
    step = (values.max(axis=-1) - low) / LEVELS
    outer, outer_low = (each.max(axis=-1, keepdims=True) / SCALES for each in (step, -low))
    outer, outer_low = outer.astype(np.float16), outer_low.astype(np.float16)
    scale, minimum = (rounded(part, whole) for part, whole in ((step, outer), (-low, outer_low)))
    size = (scale * outer.astype(np.float32))[..., None]
    offset = (minimum * outer_low.astype(np.float32))[..., None]
    levels = np.clip(np.round(np.divide(values + offset, size, where=size > 0, out=np.zeros_like(values))), 0, LEVELS)
    pairs = levels.astype(np.uint8).reshape(-1, 4, 2, SUBBLOCK)
    nibbles = (pairs[:, :, 0] | (pairs[:, :, 1] << 4)).reshape(len(values), -1)
    packed = [outer.view(np.uint8), outer_low.view(np.uint8), six_bits(scale, minimum), nibbles]
    return np.concatenate(packed, axis=-1).reshape(*weights.shape[:-1], -1)


def rounded(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    whole = whole.astype(np.float32)
    quotient = np.divide(part, whole, where=whole > 0, out=np.zeros_like(part))
    return np.clip(np.round(quotient), 0, SCALES).astype(np.uint8)


def six_bits(scale: np.ndarray, minimum: np.ndarray) -> np.ndarray:
    """Eight scales and eight minima in twelve bytes; the upper two bits of the last four fill the first eight."""
    first = scale[:, :4] | ((scale[:, 4:] >> 4) << 6)
    second = minimum[:, :4] | ((minimum[:, 4:] >> 4) << 6)
    third = (scale[:, 4:] & 15) | ((minimum[:, 4:] & 15) << 4)
    return np.concatenate([first, second, third], axis=-1)


def write(source: Path, target: Path) -> int:
    """Converts a file and returns the number of matrices in Q4_K."""
    writer = gguf.GGUFWriter(str(target), "wan")
    count = 0
    for name, values in tensors(source).items():
        if values.ndim > 4:
            writer.add_array(f"comfy.gguf.orig_shape.{name}", list(values.shape))
            writer.add_tensor(name, values.reshape(values.shape[0], -1))
        elif values.ndim == 2 and values.shape[-1] % BLOCK == 0:
            packed = q4_k(values)
            kind = gguf.GGMLQuantizationType.Q4_K
            back = gguf.quants.dequantize(packed, kind)
            error, spread = np.abs(back - values).mean(), values.std()
            if error > 0.12 * spread:
                raise ValueError(f"{name} loses {error:.2g} of {spread:.2g} in Q4_K")
            writer.add_tensor(name, packed, raw_dtype=kind)
            count += 1
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return count


def tensors(source: Path) -> dict[str, np.ndarray]:
    try:
        return {name: values.astype(np.float32) for name, values in load_file(source).items()}
    except (TypeError, ValueError, KeyError):  # numpy has no bfloat16
        from safetensors.torch import load_file as load_torch

        return {name: values.float().numpy() for name, values in load_torch(source).items()}


if __name__ == "__main__":
    print(write(Path(sys.argv[1]), Path(sys.argv[2])))
