"""What travels between the computer of a person and a worker: one clip to be made, and what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import SviError
from ...runtime.segment import DONE as MADE
from ..archive.store import plainly, tail_of
from ..film.film import PART, Clip
from ..script.variants import Variant


@dataclass(frozen=True)
class Order:
    """A clip to be made.

    Args:
        clip: which one.
        variant: how clips of its film are made.
        images: name of its copy in the film's folder and content of each image, by the path in the clip's settings.
        before: the files that it goes on from, by their name; empty at the beginning of a scene.
        options: for WanGP's command line.
        model: WanGP's model type where it is not the variant's.
        topic: where the worker says how far it is.
    """

    clip: Clip
    variant: Variant
    images: Mapping[str, tuple[str, bytes]]
    before: Mapping[str, bytes]
    options: tuple[str, ...] = ()
    model: str | None = None
    topic: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of an order.

    Args:
        worker: its name.
        facts: what WanGP has said of the clip.
        files: the part of the film, its facts and its tail, by their name.
        hashes: sha256 of each file, taken from the disk of the worker.
        seconds: that WanGP took.
        error: code, message and hint of what went wrong, None when nothing did.
    """

    worker: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    error: tuple[str, str, str] | None = None


def pack(folder: Path) -> dict[str, bytes]:
    """Return the files of a finished clip that travel.

    Raises:
        SviError: one cannot be read.
    """
    found = {}
    for path in (folder / PART, folder / MADE, *tail_of(folder)):
        with plainly(path, "read"):
            found[path.name] = path.read_bytes()
    return found


def tail(folder: Path) -> dict[str, bytes]:
    """Return the files that the next clip goes on from: the last frames, and that the clip is finished.

    Raises:
        SviError: one cannot be read.
    """
    found = {}
    for path in (folder / MADE, *tail_of(folder)):
        with plainly(path, "read"):
            found[path.name] = path.read_bytes()
    return found


def unpack(files: Mapping[str, bytes], folder: Path, hashes: Mapping[str, str] | None = None) -> None:
    """Write files into a folder.

    Args:
        hashes: what their sha256 has to be, None where nothing is known.

    Raises:
        SviError: a file is not what was sent, has a name that leads elsewhere, or the disk refuses.
    """
    for name, data in files.items():
        if Path(name).name != name or (hashes is not None and hashlib.sha256(data).hexdigest() != hashes.get(name)):
            raise SviError("parcel", f"{name} did not arrive as it was sent.", "Run the same command again.")
    for name, data in files.items():
        with plainly(folder / name, "write"):
            (folder / name).write_bytes(data)
