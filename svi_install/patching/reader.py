"""What planning may ask about a checkout: bytes, presence and times, nothing that writes."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from ..checkout import git_index
from ..errors import SviError
from ..writing import files, targets
from . import known


class Reader:
    """Reads a checkout, each file once, and remembers what it read.

    Attributes:
        root: the checkout.
        read_so_far: bytes by path, None where there was no file.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.read_so_far: dict[str, bytes | None] = {}

    @functools.cached_property
    def _roots(self) -> tuple[Path, ...]:
        return targets.outside_roots(self.root)

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file of the checkout, None where there is none."""
        if path not in self.read_so_far:
            self.read_so_far[path] = files.read(self.root / path)
        return self.read_so_far[path]

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
        if known.is_published(path, data):
            return "published"
        return "git" if git_index.is_committed(self.root, path, data) else "hooks"


def _is_folder(path: Path) -> bool:
    return files.kind(path) == "folder"
