"""Keeps torch's default device over a model's work. Written for the laboratory; WanGP has it from 13.141 on.

Read: shared/utils/default_device.py of 13.141 (commit a6765123): the call happens in the same thread; a model that
declares "device_explicit" works without a default device, and afterwards the one from before is back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def call_with_default_device(
    model_def: dict[str, Any], label: str, fn: Callable[..., Any], *args: Any, **kwargs: Any
) -> Any:
    if not model_def.get("device_explicit", False):
        return fn(*args, **kwargs)
    before = torch.get_default_device()
    torch.set_default_device(None)
    try:
        return fn(*args, **kwargs)
    finally:
        torch.set_default_device(before)
