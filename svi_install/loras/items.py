"""What the store says about a LoRA: before, after, and when something is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from .catalogue import Lora, LoraFile

How = Literal["have", "linked", "copied", "downloaded"]
Proof = Literal["pinned", "published", "first-use"]


class Need(NamedTuple):
    """One LoRA and where it stands on this computer.

    Args:
        lora: the LoRA.
        file: the file in the chosen precision.
        target: where WanGP looks for it.
        why: what decided the folder.
        size: bytes of the file as far as known, None when nothing is known.
        present: True when a file of that name is there.
        kept: bytes that an interrupted download has left.
    """

    lora: Lora
    file: LoraFile
    target: Path
    why: str
    size: int | None
    present: bool
    kept: int


class Fetched(NamedTuple):
    """One LoRA that is in its place.

    Args:
        name: LoRA as a person calls it.
        path: where it lies.
        how: how it came there.
        size: its bytes.
        sha256: its hash.
        proof: what the hash was compared with; ``first-use`` when there was nothing to compare it with.
        fetched: bytes that came over the network in this run.
        resumed: bytes that earlier runs had left.
    """

    name: str
    path: Path
    how: How
    size: int
    sha256: str
    proof: Proof
    fetched: int = 0
    resumed: int = 0


class Problem(NamedTuple):
    """A file that is not what it should be.

    Args:
        name: LoRA as a person calls it.
        path: where it lies.
        why: what is wrong with it, for people.
    """

    name: str
    path: Path
    why: str
