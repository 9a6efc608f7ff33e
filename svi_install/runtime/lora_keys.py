"""Names of the tensors in a LoRA file, brought to the form that WanGP's loader knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

Tensor = TypeVar("Tensor")

# SVI 1.0 and SVI 2.0 for Wan 2.1 were saved from DiffSynth's pipeline object, hence this prefix.
PIPELINE_PREFIX = "pipe.dit."
# peft names the adapter between matrix and "weight". Anchored: ".default." elsewhere in a name is left alone.
ADAPTER_NAME = re.compile(r"(\.lora_[AB])\.default(?=\.weight$)")


def lora_keys(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Renames ``pipe.dit.blocks.0.ffn.0.lora_A.default.weight`` to ``blocks.0.ffn.0.lora_A.weight``.

    Args:
        tensors: tensors of one LoRA file by name.

    Returns:
        The same mapping when no name needs it (every LoRA that is not SVI's), otherwise a new dictionary over the same
        tensors in the same order. Tensors that are no LoRA matrices keep their name without the prefix, so that WanGP's
        loader refuses the file and names them.

    Raises:
        ValueError: two tensors would get the same name.
    """
    if not any(name.startswith(PIPELINE_PREFIX) or ADAPTER_NAME.search(name) for name in tensors):
        return tensors
    renamed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        new = ADAPTER_NAME.sub(r"\1", name.removeprefix(PIPELINE_PREFIX))
        if new in renamed:
            raise ValueError(f"this LoRA contains the tensor {new} twice, the second time as {name}")
        renamed[new] = tensor
    return renamed
