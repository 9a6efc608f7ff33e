"""Files that the tests feed WanGP with, written by the standard library alone: pictures and tiny LoRAs."""

from __future__ import annotations

import array
import json
import random
import struct
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path

# pipe.dit: SVI 1.0 and 2.0 for Wan 2.1; bare: SVI 2.0 Pro; diffusion_model: the common conversions.
FORMATS = {
    "pipe.dit": "pipe.dit.blocks.{block}.{layer}.lora_{side}.default.weight",
    "pipe.dit plain": "pipe.dit.blocks.{block}.{layer}.lora_{side}.weight",
    "bare": "blocks.{block}.{layer}.lora_{side}.default.weight",
    "diffusion_model": "diffusion_model.blocks.{block}.{layer}.lora_{side}.weight",
}
ATTENTIONS = ("self_attn", "cross_attn")
LAYERS = (*(f"{attention}.{part}" for attention in ATTENTIONS for part in "qkvo"), "ffn.0", "ffn.2")
BLOCKS, WIDTH, RANK = 2, 256, 4


def write_lora(
    path: Path, key_format: str, strength: float = 0.1, seed: int = 0, replace: Mapping[str, str] | None = None
) -> int:
    """Writes a LoRA with the layers and key names of the SVI files, for the tiny model.

    Args:
        path: the file.
        key_format: key of FORMATS.
        strength: standard deviation of the values.
        seed: of the values.
        replace: parts of names to put others in the place of.

    Returns:
        The number of tensors.
    """
    rng = random.Random(seed)
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    data = bytearray()
    for block in range(BLOCKS):
        for layer in LAYERS:
            for side, shape in (("A", [RANK, WIDTH]), ("B", [WIDTH, RANK])):
                values = array.array("f", (rng.gauss(0, strength) for _ in range(RANK * WIDTH)))
                if sys.byteorder == "big":
                    values.byteswap()
                key = FORMATS[key_format].format(block=block, layer=layer, side=side)
                for old, new in (replace or {}).items():
                    key = key.replace(old, new)
                header[key] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + 4 * len(values)]}
                data += values.tobytes()
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    path.write_bytes(struct.pack("<Q", len(head)) + head + data)
    return len(header) - 1


def write_picture(path: Path, width: int = 64, height: int = 64, seed: int = 1) -> Path:
    """Writes a PNG of coloured 8x8 squares, so that a shifted or a missing frame is seen."""
    rng = random.Random(seed)
    squares = [[bytes(rng.randrange(256) for _ in range(3)) for _ in range(width // 8)] for _ in range(height // 8)]
    rows = b"".join(b"\0" + b"".join(squares[y // 8][x // 8] for x in range(width)) for y in range(height))

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    image = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + image)
    return path
