"""Every file change of a command, computed in memory before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Change:
    """One file of a plan.

    Attributes:
        path: relative to the checkout with forward slashes; absolute for a LoRA folder outside the checkout.
        before: the bytes now, None when there is no file.
        after: the bytes to be, None when the file goes.
        mtime_ns: time of last change to give it, None for the time of writing.
    """

    path: str
    before: bytes | None
    after: bytes | None
    mtime_ns: int | None = None


@dataclass(frozen=True)
class Plan:
    """What a command is about to do.

    Attributes:
        command: the command, as in ``install``.
        root: the checkout.
        changes: files in write order.
        places: per patched file where its hooks go.
        notes: what a person should know, one sentence each.
        sweep: folders that go afterwards if they are empty, deepest first; caches of Python in them go too.
    """

    command: str
    root: Path
    changes: tuple[Change, ...]
    places: Mapping[str, tuple[object, ...]]
    notes: tuple[str, ...] = ()
    sweep: tuple[str, ...] = ()
