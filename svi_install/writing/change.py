"""What a command is about to change, as data: nothing here reads or writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple


class Place(NamedTuple):
    """Where a hook went: ``line`` is the first inserted line in the result, ``offset`` how far the anchor has moved."""

    hook: str
    line: int
    how: Literal["exact", "moved", "reduced"]
    offset: int
    variant: str


class Placement(NamedTuple):
    """All hooks of a file in place; ``broken`` says why the file did not compile before, empty when it did."""

    path: str
    places: tuple[Place, ...]
    after: bytes
    broken: str = ""


class Change(NamedTuple):
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


class Plan(NamedTuple):
    """What a command is about to do.

    Attributes:
        command: the command, as in ``install``.
        root: the checkout.
        changes: files in write order.
        places: per patched file where its hooks go.
        notes: what a person should know, one sentence each.
        sweep: folders that go afterwards if they are empty, deepest first; caches of Python in them go too.
        relies: sha256 by path of the files that were read and stay as they are, None where there was none.
        away: files of ours that could not be removed, because their folder outside the checkout is not there now.
    """

    command: str
    root: Path
    changes: tuple[Change, ...]
    places: Mapping[str, tuple[Place, ...]]
    notes: tuple[str, ...] = ()
    sweep: tuple[str, ...] = ()
    relies: Mapping[str, str | None] = MappingProxyType({})
    away: tuple[str, ...] = ()
