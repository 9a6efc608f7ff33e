"""What planning may ask about a checkout: bytes, presence and times, nothing that writes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from . import destination, files, gitindex, known
from .errors import SviError


class Disk(Protocol):
    """The questions that a plan asks; the tests answer them from memory."""

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file of the checkout, None where there is none."""

    def exists(self, path: str) -> bool:
        """Tell whether a file or folder of the checkout is there."""

    def removable(self, path: str) -> bool:
        """Tell whether a recorded file or folder is still a plain one inside the checkout or its LoRA folders."""

    def mtime_ns(self, path: str) -> int | None:
        """Return the time of last change of a file."""

    def proof(self, path: str, data: bytes) -> str:
        """Return how bytes are proven to be WanGP's: ``published``, ``git``, or ``hooks`` (by our lines alone)."""


class RealDisk(NamedTuple):
    """The checkout as it lies on the disk.

    Attributes:
        root: the checkout.
    """

    root: Path

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file of the checkout, None where there is none."""
        return files.read(self.root / path)

    def exists(self, path: str) -> bool:
        """Tell whether a file or folder of the checkout is there."""
        return (self.root / path).exists()

    def removable(self, path: str) -> bool:
        """Tell whether a recorded file or folder is still a plain one inside the checkout or its LoRA folders."""
        outside = destination.outside_roots(self.root)
        try:
            real = destination.resolve(self.root, path, outside)
            if not real.is_dir():
                destination.resolve_file(self.root, path, outside)
        except SviError:
            return False
        return not (self.root / path).is_symlink()

    def mtime_ns(self, path: str) -> int | None:
        """Return the time of last change of a file."""
        try:
            return (self.root / path).stat().st_mtime_ns
        except OSError:
            return None

    def proof(self, path: str, data: bytes) -> str:
        """Return how bytes are proven to be WanGP's: ``published``, ``git``, or ``hooks`` (by our lines alone)."""
        if known.is_published(path, data):
            return "published"
        return "git" if gitindex.is_committed(self.root, path, data) else "hooks"


class Witness:
    """A disk that remembers what it was asked to read.

    Attributes:
        disk: who answers.
        read_so_far: bytes by path, None where there was no file.
    """

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.read_so_far: dict[str, bytes | None] = {}

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file, and remember them."""
        if path not in self.read_so_far:
            self.read_so_far[path] = self.disk.read(path)
        return self.read_so_far[path]

    def exists(self, path: str) -> bool:
        """Tell whether a file or folder of the checkout is there."""
        return self.disk.exists(path)

    def removable(self, path: str) -> bool:
        """Tell whether a recorded file or folder is still a plain one inside the checkout or its LoRA folders."""
        return self.disk.removable(path)

    def mtime_ns(self, path: str) -> int | None:
        """Return the time of last change of a file."""
        return self.disk.mtime_ns(path)

    def proof(self, path: str, data: bytes) -> str:
        """Return how bytes are proven to be WanGP's: ``published``, ``git``, or ``hooks`` (by our lines alone)."""
        return self.disk.proof(path, data)
