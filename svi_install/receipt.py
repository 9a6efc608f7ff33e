"""What an install leaves behind: the bytes before, hashes, versions, and which files are ours. Relative paths only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from . import files
from .files import FOLDER

SCHEMA = 1
PATH = f"{FOLDER}/receipt.json"


class Patched(NamedTuple):
    """One file of WanGP's own that carries hooks.

    Attributes:
        path: relative to the checkout, with forward slashes.
        before: sha256 of the pristine bytes.
        after: sha256 of the bytes with hooks.
        pristine: the pristine bytes, compressed and in base64.
        proof: how they were proven pristine: ``published``, ``git`` or ``hooks``.
        mtime_ns: the file's time of last change before the install, None when not known.
        lines: the hook lines without indentation, so that any other svi-install can take them out.
    """

    path: str
    before: str
    after: str
    pristine: str
    proof: str
    mtime_ns: int | None
    lines: tuple[str, ...]

    def pristine_bytes(self) -> bytes | None:
        """Return the pristine bytes, or None when the receipt was damaged."""
        # Imported late, because the status asks for hashes alone and must start fast.
        from .journal import unpack

        try:
            data = unpack(self.pristine)
        except ValueError:
            return None
        return data if files.digest(data) == self.before else None


class Receipt(NamedTuple):
    """What one install did.

    Attributes:
        version: of svi-install.
        patch_set: version of the patch set.
        wangp: WanGP's version then, for people.
        time: when, as ISO text in UTC.
        patched: WanGP's own files with hooks.
        added: sha256 by path of the files that are ours.
        folders: folders that were made, parents first.
    """

    version: str
    patch_set: str
    wangp: str
    time: str
    patched: tuple[Patched, ...]
    added: Mapping[str, str]
    folders: tuple[str, ...]

    def of(self, path: str) -> Patched | None:
        """Return what is known of one patched file."""
        return next((entry for entry in self.patched if entry.path == path), None)

    def to_bytes(self) -> bytes:
        """Return the receipt as it is stored."""
        raw = {
            "schema": SCHEMA,
            "version": self.version,
            "patch_set": self.patch_set,
            "wangp": self.wangp,
            "time": self.time,
            "patched": [entry._asdict() for entry in self.patched],
            "added": dict(self.added),
            "folders": list(self.folders),
        }
        return json.dumps(raw, indent=1).encode() + b"\n"


def parse(data: bytes) -> Receipt | None:
    """Read a stored receipt.

    Args:
        data: its bytes.

    Returns:
        The receipt; None when it is damaged or of a newer kind. Hooks alone are enough to revert, so nothing is lost.
    """
    try:
        raw = json.loads(data)
        if raw["schema"] != SCHEMA:
            return None
        return Receipt(
            str(raw["version"]),
            str(raw["patch_set"]),
            str(raw["wangp"]),
            str(raw["time"]),
            tuple(_patched(entry) for entry in raw["patched"]),
            MappingProxyType({str(path): str(digest) for path, digest in raw["added"].items()}),
            tuple(str(folder) for folder in raw["folders"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _patched(raw: Any) -> Patched:
    mtime = raw["mtime_ns"]
    return Patched(
        str(raw["path"]),
        str(raw["before"]),
        str(raw["after"]),
        str(raw["pristine"]),
        str(raw["proof"]),
        None if mtime is None else int(mtime),
        tuple(str(line) for line in raw["lines"]),
    )


def load(root: Path) -> Receipt | None:
    """Read the receipt of a checkout.

    Args:
        root: the checkout.

    Returns:
        The receipt, None when there is none that can be read.

    Raises:
        SviError: it is there and the disk refuses to give it.
    """
    data = files.read(root / PATH)
    return None if data is None else parse(data)
