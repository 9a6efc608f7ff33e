"""Puts the LoRAs that profiles name into WanGP's folders, once, whole and proven.

In: names of LoRAs, a WanGP, the environment (HF_TOKEN, HF_ENDPOINT, a mirror). Out: files that are what their authors
published, or a refusal in plain words. Touches the LoRA folders of that WanGP and a ledger of hashes in the person's
own data; the only room that asks the network for LoRAs. What the hub knows is asked of huggingface_hub.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .catalogue import Catalogue, load
from .inventory import Fetched, Need, Problem, locate, look, needs, profile_url
from .transfer.progress import Progress, Report, no_report

if TYPE_CHECKING:
    from .transfer.settings import Settings

__all__ = [
    "Fetched",
    "Need",
    "PrefetchResult",
    "Problem",
    "Progress",
    "check",
    "missing",
    "needs",
    "prefetch",
    "profile_url",
]


class PrefetchResult(NamedTuple):
    """What a pre-fetch did."""

    files: tuple[Fetched, ...]
    seconds: float

    @property
    def fetched(self) -> int:
        """Bytes that came over the network."""
        return sum(file.fetched for file in self.files)


def prefetch(
    root: Path,
    names: Sequence[str] | None,
    *,
    precision: str = "fp32",
    report: Report = no_report,
    settings: Settings | None = None,
    catalogue: Catalogue | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> PrefetchResult:
    """Put LoRAs into the folders where this WanGP looks for them.

    Raises:
        SviError: with the exit code for downloads; every file that is complete stays, what has arrived of the others
            waits for the next run, and nothing else in WanGP was changed.
    """
    # Imported late: a list needs no network code.
    from .fetching import Run, require_room_for
    from .hub import from_environment

    began = time.monotonic()
    run = Run(root, settings or from_environment(), report, pause)
    wanted = needs(root, names, precision=precision, catalogue=catalogue)
    require_room_for(wanted)
    files = tuple(run.put_in_place(need) for need in wanted)
    return PrefetchResult(files, time.monotonic() - began)


def check(
    root: Path,
    names: Sequence[str] | None,
    *,
    precision: str = "fp32",
    report: Report = no_report,
    settings: Settings | None = None,
    catalogue: Catalogue | None = None,
) -> tuple[Fetched | Problem, ...]:
    """Hash the files that are there once more and compare them.

    Raises:
        SviError: a name is unknown.
    """
    from .fetching import Run
    from .hub import from_environment

    known = catalogue or load()
    asked = [lora.name for lora in known.loras] if names is None else names
    run = Run(root, settings or from_environment(), report, time.sleep)
    # Both precisions may be there, and each is worth a check.
    wanted = {
        need.target: need
        for choice in (precision, "fp32", "fp16")
        for need in needs(root, asked, precision=choice, catalogue=known)
    }
    return tuple(run.check(need) for need in wanted.values() if need.present or need.fault)


def missing(root: Path, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """List the LoRAs that settings name by an address of the catalogue and that this WanGP does not have yet.

    Args:
        names: LoRAs as settings name them.

    Returns:
        Name in the catalogue and precision, each once.
    """
    known = load()
    found: dict[tuple[str, str], None] = {}
    for name in names:
        entry = known.by_url(name) if "://" in name else None
        if entry is not None:
            lora, file = entry
            there = look(locate(root, lora.folder).folder / file.filename)
            # What is there and cannot load is no download either: it is named when it is fetched.
            if not there.present:
                found[lora.name, file.precision or "fp32"] = None
    return tuple(found)
