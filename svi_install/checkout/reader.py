"""What planning may ask about a checkout: bytes, presence and times, nothing that writes."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Protocol

from ..errors import SviError
from ..patching import published
from ..writing import files, targets
from . import git_index


class Disk(Protocol):
    """The questions that a plan asks; the tests answer them from memory."""

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file of the checkout, None where there is none."""

    def exists(self, path: str) -> bool:
        """Tell whether a file or folder of the checkout is there."""

    def is_file(self, path: str) -> bool:
        """Tell whether a regular file of the checkout is there."""

    def in_the_way(self, path: str) -> str | None:
        """Return what is no folder, or a link to none, where a file needs a folder; None when the way is free."""

    def removable(self, path: str) -> bool:
        """Tell whether a recorded file or folder is still a plain one inside the checkout or its LoRA folders."""

    def away(self, path: str) -> bool:
        """Tell whether a recorded file lies outside the checkout in a folder that is not there, as on a drive."""

    def mtime_ns(self, path: str) -> int | None:
        """Return the time of last change of a file."""

    def proof(self, path: str, data: bytes) -> str:
        """Return how bytes are proven to be WanGP's: ``published``, ``git``, or ``hooks`` (by our lines alone)."""


class RealDisk:
    """The checkout as it lies on the disk.

    Attributes:
        root: the checkout.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @functools.cached_property
    def _roots(self) -> tuple[Path, ...]:
        return targets.outside_roots(self.root)

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file of the checkout, None where there is none."""
        return files.read(self.root / path)

    def exists(self, path: str) -> bool:
        """Tell whether a file or folder of the checkout is there."""
        return files.kind(self.root / path) != "nothing"

    def is_file(self, path: str) -> bool:
        """Tell whether a regular file of the checkout is there."""
        return files.kind(self.root / path) == "file"

    def in_the_way(self, path: str) -> str | None:
        """Return what is no folder, or a link to none, where a file needs a folder; None when the way is free."""
        parents = [parent for parent in (self.root / path).parents if self.root in parent.parents]
        blocked = (str(parent) for parent in reversed(parents) if os.path.lexists(parent) and not _is_folder(parent))
        return next(blocked, None)

    def removable(self, path: str) -> bool:
        """Tell whether a recorded file or folder is still a plain one inside the checkout or its LoRA folders."""
        try:
            real = targets.resolve(self.root, path, self._roots)
            if files.kind(real) != "folder":
                targets.resolve_file(self.root, path, self._roots)
        except SviError as error:
            if error.code != "unsafe-path":
                raise
            return False
        return not files.is_link(self.root / path)

    def away(self, path: str) -> bool:
        """Tell whether a recorded file lies outside the checkout in a folder that is not there, as on a drive."""
        real = Path(os.path.realpath(self.root / path))
        return not real.is_relative_to(os.path.realpath(self.root)) and files.kind(real.parent) == "nothing"

    def mtime_ns(self, path: str) -> int | None:
        """Return the time of last change of a file."""
        file = self.root / path
        try:
            return file.stat().st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise files.plain(error, file, "read") from error

    def proof(self, path: str, data: bytes) -> str:
        """Return how bytes are proven to be WanGP's: ``published``, ``git``, or ``hooks`` (by our lines alone)."""
        if published.is_published(path, data):
            return "published"
        return "git" if git_index.is_committed(self.root, path, data) else "hooks"


def _is_folder(path: Path) -> bool:
    return files.kind(path) == "folder"


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

    def is_file(self, path: str) -> bool:
        """Tell whether a regular file of the checkout is there."""
        return self.disk.is_file(path)

    def in_the_way(self, path: str) -> str | None:
        """Return what is no folder, or a link to none, where a file needs a folder; None when the way is free."""
        return self.disk.in_the_way(path)

    def removable(self, path: str) -> bool:
        """Tell whether a recorded file or folder is still a plain one inside the checkout or its LoRA folders."""
        return self.disk.removable(path)

    def away(self, path: str) -> bool:
        """Tell whether a recorded file lies outside the checkout in a folder that is not there, as on a drive."""
        return self.disk.away(path)

    def mtime_ns(self, path: str) -> int | None:
        """Return the time of last change of a file."""
        return self.disk.mtime_ns(path)

    def proof(self, path: str, data: bytes) -> str:
        """Return how bytes are proven to be WanGP's: ``published``, ``git``, or ``hooks`` (by our lines alone)."""
        return self.disk.proof(path, data)
