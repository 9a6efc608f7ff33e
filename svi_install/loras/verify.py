"""Proof that a file is the LoRA it should be, as far as its head and its size can tell."""

from __future__ import annotations

import re
from pathlib import Path

from .catalogue import Layout, Lora, LoraFile
from .header import Head, Unsound, lora_file, read

_NAME = re.compile(
    r"(?:pipe\.dit\.|diffusion_model\.)?blocks\.(\d{1,4})\.((?:self|cross)_attn\.[qkvo]|ffn\.[02])"
    r"\.lora_([AB])(?:\.default)?\.weight"
)
_LONGEST_NAME = 80


def examine(path: Path, lora: Lora, file: LoraFile) -> Head:
    """Read the head of a file and compare it with all that is known of the LoRA.

    Args:
        path: the file, under whatever name.
        lora: what it should be.
        file: in which precision.

    Returns:
        Its head; the file could load.

    Raises:
        Unsound: it could not load or is another file; the text goes behind its name.
        OSError: it cannot be read.
    """
    head = read(path)
    kind = "gguf" if file.filename.lower().endswith(".gguf") else "safetensors"
    if head.kind != kind:
        raise Unsound(f"is not a {'GGUF' if kind == 'gguf' else kind} file")
    if file.size is not None and head.size != file.size:
        raise Unsound(f"has {head.size:,} bytes instead of {file.size:,}")
    if lora.layout is not None:
        check_layout(head, lora.layout, file.dtype)
    elif kind == "safetensors" and not lora_file.holds_matrices(head.tensors):
        raise Unsound(lora_file.NO_LORA)
    if file.tensor_bytes is not None and head.tensor_bytes != file.tensor_bytes:
        raise Unsound(f"has {head.tensor_bytes:,} bytes of tensors instead of {file.tensor_bytes:,}")
    return head


def check_layout(head: Head, layout: Layout, dtype: str = "") -> None:
    """Compare the tensors of a file with those of an SVI LoRA.

    Args:
        head: head of the file.
        layout: what they must be.
        dtype: kind of their numbers, empty when it is not known.

    Raises:
        Unsound: a tensor is missing, too many, of another shape or of other numbers.
    """
    seen: set[tuple[int, str, str]] = set()
    for name, tensor in head.tensors.items():
        match = _NAME.fullmatch(name)
        if not match:
            raise Unsound(f"holds {_shown(name)}, which is no tensor of an SVI LoRA")
        block, module, half = int(match[1]), match[2], match[3]
        outer = layout.inner if module == "ffn.0" else layout.width
        inner = layout.inner if module == "ffn.2" else layout.width
        wanted = (layout.rank, inner) if half == "A" else (outer, layout.rank)
        if tensor.shape != wanted:
            raise Unsound(f"is another LoRA: {name} has the shape {list(tensor.shape)} instead of {list(wanted)}")
        if dtype and tensor.dtype != dtype:
            raise Unsound(f"is another LoRA: its numbers are {tensor.dtype} instead of {dtype}")
        if block >= layout.blocks:
            raise Unsound(f"holds {name}, but the model has {layout.blocks} blocks")
        seen.add((block, module, half))
    if len(seen) != layout.tensors or len(head.tensors) != layout.tensors:
        raise Unsound(f"holds {len(head.tensors)} tensors instead of {layout.tensors}")


def _shown(name: str) -> str:
    # A name out of a file may hold anything, such as what moves the cursor of a terminal.
    text = ascii(name)[1:-1]
    return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}..."
