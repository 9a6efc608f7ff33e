"""The runtime's own work in a clip, timed function by function on a graphics card."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# What is timed as SVI's own work: every function of the runtime that a clip passes through.
OWN = (("run", "Run", "_prepare"), ("clip", "Clip", "condition"), ("clip", "Clip", "first_frame_only"))
OWN += (("clip", "Clip", "schedule"), ("clip", "Clip", "noise"), ("run", "Run", "_align"), ("run", None, "stitch"))
OWN += (("precision", None, "_switch_off"), ("precision", None, "_put_back"))


@contextmanager
def own_work(spent: dict[str, float]) -> Iterator[dict[str, float]]:
    """Adds up in ``spent`` the seconds in the runtime's functions, the card's work for them included."""
    import torch

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            torch.cuda.synchronize()
            began = time.perf_counter()
            result = function(*args, **kwargs)
            torch.cuda.synchronize()
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - began
            return result

        return wrapper

    replaced = []
    for module, holder, name in OWN:
        owner = importlib.import_module(f"svi_install.runtime.{module}")
        owner = getattr(owner, holder) if holder else owner
        replaced.append((owner, name, getattr(owner, name)))
        setattr(owner, name, timed(name, getattr(owner, name)))
    try:
        yield spent
    finally:
        for owner, name, function in replaced:
            setattr(owner, name, function)
