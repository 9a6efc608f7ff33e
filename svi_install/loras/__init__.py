"""Brings the LoRAs that profiles name into WanGP's folders, once, whole and proven.

In: names of LoRAs, a WanGP, the environment (HF_TOKEN, HF_ENDPOINT, a mirror). Out: files that are what their authors
published, or a refusal in plain words. Touches the LoRA folders of that WanGP and a ledger of hashes in the person's
own data; the only room that asks the network for LoRAs. What the hub knows is asked of huggingface_hub.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .inventory import Fetched, Need, Problem, profile_url
    from .progress import Progress
    from .store import PrefetchResult, check, needs, prefetch

__all__ = ["Fetched", "Need", "PrefetchResult", "Problem", "Progress", "check", "needs", "prefetch", "profile_url"]

_MODULES = {"PrefetchResult": "store", "check": "store", "needs": "store", "prefetch": "store", "Progress": "progress"}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: an install needs the folders of LoRAs, not the download."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES.get(name, 'inventory')}", __name__), name)
