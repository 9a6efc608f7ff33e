"""The way in: what is wanted, what is there, what has to come."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .catalogue import Catalogue, load
from .inventory import Fetched, Need, Places, Problem, look
from .progress import Report, no_report

if TYPE_CHECKING:
    from .settings import Settings


class PrefetchResult(NamedTuple):
    """What a pre-fetch did."""

    files: tuple[Fetched, ...]
    seconds: float

    @property
    def fetched(self) -> int:
        """Bytes that came over the network."""
        return sum(file.fetched for file in self.files)


def needs(
    root: Path, names: Sequence[str] | None, *, precision: str = "fp32", catalogue: Catalogue | None = None
) -> tuple[Need, ...]:
    """Say what a pre-fetch would have to do, without asking the network or reading more than the head of a file.

    Raises:
        SviError: a name is unknown.
    """
    found = []
    places = Places(root)
    for lora in (catalogue or load()).select(names):
        file = lora.file(precision)
        where = places.of(lora.folder)
        target = where.folder / file.filename
        there = look(target)
        size = there.size if there.size is not None else file.size or file.tensor_bytes
        found.append(Need(lora, file, target, where.why, size, there.present, _kept(target), there.fault))
    return tuple(found)


def _kept(target: Path) -> int:
    """Tell how many bytes an earlier run has left; what reads them is imported only where something is."""
    if not os.path.lexists(f"{target}.part.state"):
        return 0
    from .part_state import left_over

    return left_over(target)


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
    """Bring LoRAs into the folders where this WanGP looks for them.

    Raises:
        SviError: with the exit code for downloads; every file that is complete stays, what has arrived of the others
            waits for the next run, and nothing else in WanGP was changed.
    """
    # Imported late: a list needs no network code.
    from .fetching import Run
    from .hub import from_environment

    began = time.monotonic()
    run = Run(root, settings or from_environment(), report, pause)
    wanted = needs(root, names, precision=precision, catalogue=catalogue)
    _require_room(wanted)
    files = tuple(run.bring(need) for need in wanted)
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
    """Hash the files that are there again and compare them.

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


def _require_room(wanted: Sequence[Need]) -> None:
    """Refuse before the first byte when all that is missing does not fit together."""
    from .failures import existing_parent, require_room

    missing = [need for need in wanted if not need.present and not need.fault]
    disks: dict[int, list[Need]] = {}
    for need in missing:
        with contextlib.suppress(OSError):
            disks.setdefault(existing_parent(need.target.parent).stat().st_dev, []).append(need)
    for group in disks.values():
        left = sum(max(0, (need.size or 0) - need.kept) for need in group)
        require_room(group[0].target.parent, left, ", ".join(need.file.filename for need in group))
