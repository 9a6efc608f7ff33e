"""LoRA store: brings the LoRAs that profiles name into WanGP's folders, once, whole and proven."""

from __future__ import annotations

from .items import Fetched, Need, Problem
from .progress import Progress
from .store import PrefetchResult, check, needs, prefetch, profile_url

__all__ = ["Fetched", "Need", "PrefetchResult", "Problem", "Progress", "check", "needs", "prefetch", "profile_url"]
