"""Proof that a file is a safetensors file, and that its tensors are those of an SVI LoRA."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .catalogue import Layout

_LARGEST_HEADER = 100 * 1024 * 1024
_WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_NAME = re.compile(
    r"(?:pipe\.dit\.|diffusion_model\.)?blocks\.(\d+)\.((?:self|cross)_attn\.[qkvo]|ffn\.[02])"
    r"\.lora_([AB])(?:\.default)?\.weight"
)


@dataclass(frozen=True)
class Header:
    """The head of a safetensors file.

    Args:
        shapes: shape of each tensor by its name.
        size: bytes that the whole file must have.
    """

    shapes: Mapping[str, tuple[int, ...]]
    size: int


class UnsoundError(Exception):
    """The file is not what it should be; the text says why."""


def read_header(path: Path) -> Header:
    """Read the head of a safetensors file.

    Args:
        path: the file.

    Returns:
        Its tensors and the size it must have.

    Raises:
        UnsoundError: it is no safetensors file, or it is cut off.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or not 2 <= length <= _LARGEST_HEADER:
            raise UnsoundError("it is not a safetensors file")
        text = file.read(length)
    try:
        tensors = json.loads(text)
    except ValueError as error:
        raise UnsoundError("its list of tensors cannot be read") from error
    if not isinstance(tensors, dict):
        raise UnsoundError("its list of tensors cannot be read")
    tensors.pop("__metadata__", None)
    try:
        extents = sorted(_extent(name, tensor) for name, tensor in tensors.items())
        shapes = {name: tuple(int(side) for side in tensor["shape"]) for name, tensor in tensors.items()}
    except (KeyError, TypeError, ValueError) as error:
        raise UnsoundError("its list of tensors cannot be read") from error
    at = 0
    for first, last in extents:
        if first != at:
            raise UnsoundError("its tensors do not lie one after the other")
        at = last
    size = 8 + length + at
    actual = path.stat().st_size
    if actual != size:
        raise UnsoundError(f"it has {actual} bytes, but its tensors need {size}")
    return Header(shapes, size)


def _extent(name: str, tensor: Mapping[str, Any]) -> tuple[int, int]:
    first, last = (int(offset) for offset in tensor["data_offsets"])
    count = 1
    for side in tensor["shape"]:
        count *= int(side)
    width = _WIDTHS.get(tensor["dtype"])
    if last < first or (width is not None and last - first != count * width):
        raise ValueError(name)
    return first, last


def check_layout(header: Header, layout: Layout) -> None:
    """Compare the tensors of a file with those of an SVI LoRA.

    Args:
        header: head of the file.
        layout: what they must be.

    Raises:
        UnsoundError: a tensor is missing, too many or of another shape.
    """
    seen: set[tuple[int, str, str]] = set()
    for name, shape in header.shapes.items():
        match = _NAME.fullmatch(name)
        if not match:
            raise UnsoundError(f"it holds {name}, which is no tensor of an SVI LoRA")
        block, module, half = int(match[1]), match[2], match[3]
        outer = layout.inner if module == "ffn.0" else layout.width
        inner = layout.inner if module == "ffn.2" else layout.width
        wanted = (layout.rank, inner) if half == "A" else (outer, layout.rank)
        if shape != wanted:
            raise UnsoundError(f"its tensor {name} has the shape {list(shape)} instead of {list(wanted)}")
        if block >= layout.blocks:
            raise UnsoundError(f"it holds {name}, but the model has {layout.blocks} blocks")
        seen.add((block, module, half))
    if len(seen) != layout.tensors or len(header.shapes) != layout.tensors:
        raise UnsoundError(f"it holds {len(header.shapes)} tensors instead of {layout.tensors}")
