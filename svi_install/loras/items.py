"""What the store says about a LoRA: before, after, and when something is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from .catalogue import Lora, LoraFile

How = Literal["have", "linked", "copied", "downloaded"]
Proof = Literal["pinned", "published", "layout"]


class Need(NamedTuple):
    """One LoRA and where it stands on this computer.

    Args:
        lora: the LoRA.
        file: the file in the chosen precision.
        target: where WanGP looks for it.
        why: what decided the folder.
        size: bytes of the file as far as known, None when nothing is known.
        present: True when the file is there and could load.
        kept: bytes that an interrupted download has left.
        fault: why the file that is there cannot load, in words that go behind its name; empty otherwise.
    """

    lora: Lora
    file: LoraFile
    target: Path
    why: str
    size: int | None
    present: bool
    kept: int
    fault: str = ""


class Fetched(NamedTuple):
    """One LoRA that is in its place.

    Args:
        name: LoRA as a person calls it.
        path: where it lies.
        how: how it came there.
        size: its bytes.
        sha256: its hash.
        proof: what vouches for its bytes: a hash in the catalogue, one that a hub publishes, or nothing but its layout
            and size.
        fetched: bytes that came over the network in this run.
        resumed: bytes that earlier runs had left.
        host: hub that publishes the hash, empty without one.
    """

    name: str
    path: Path
    how: How
    size: int
    sha256: str
    proof: Proof
    fetched: int = 0
    resumed: int = 0
    host: str = ""

    @property
    def vouched(self) -> str:
        """Who vouches for its bytes, in words."""
        if self.proof == "pinned":
            return "as pinned"
        return f"as published by {self.host or 'the hub'}" if self.proof == "published" else "layout and size only"


class Problem(NamedTuple):
    """A file that is not what it should be.

    Args:
        name: LoRA as a person calls it.
        path: where it lies.
        why: what is wrong with it, in words that go behind its name.
    """

    name: str
    path: Path
    why: str
