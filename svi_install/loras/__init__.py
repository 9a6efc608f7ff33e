"""LoRA store: brings the LoRAs that profiles name into WanGP's folders, once, whole and proven."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .items import Fetched, Need, Problem
    from .progress import Progress
    from .store import PrefetchResult, check, needs, prefetch
    from .usage import profile_url

__all__ = ["Fetched", "Need", "PrefetchResult", "Problem", "Progress", "check", "needs", "prefetch", "profile_url"]

_MODULES = {"Fetched": "items", "Need": "items", "Problem": "items", "Progress": "progress", "profile_url": "usage"}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: an install needs the folders of LoRAs, not the download."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES.get(name, 'store')}", __name__), name)
