"""The hooked code of WanGP's three files, from the cache where their bytes are known, else placed and compiled anew."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import marshal
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..package_data import PATCHED

if TYPE_CHECKING:
    from .code import Exchange

CACHE = "cache"
# How many contents are remembered: the release before the last update may come back.
KEPT = 4
_SUM = 32


def read(root: Path) -> dict[str, bytes]:
    """Read the three files of a WanGP folder.

    Raises:
        OSError: one of them cannot be read.
    """
    return {path: (root / path).read_bytes() for path in PATCHED}


def version(wgp: bytes) -> str:
    """Return the version that wgp.py states, empty without one."""
    found = re.search(rb'^WanGP_version\s*=\s*"([^"]*)"', wgp, re.MULTILINE)
    return found[1].decode("utf-8", "replace") if found else ""


def codes(home: Path, files: Mapping[str, bytes]) -> dict[str, tuple[Exchange, ...]]:
    """Return the functions to exchange, by file.

    Args:
        home: the plugin's folder, with the patch set in `patches` and room for the cache.
        files: bytes of WanGP's three files by path, without hooks.

    Raises:
        SviError: a hook has no safe place, or the patch set is damaged.
        CodeError: the code cannot be exchanged.
    """
    file = home / CACHE / f"{_key(home, files)}.bin"
    kept = _load(file)
    if kept is not None:
        return kept
    made = _make(home, files)
    _keep(file, made)
    return made


def _make(home: Path, files: Mapping[str, bytes]) -> dict[str, tuple[Exchange, ...]]:
    from ..patching import known, patchset
    from . import code

    try:
        patches = patchset.load(home / "patches")
    except ImportError as error:
        # What reads diffs need not be in WanGP's Python: they come read already, and these are not those.
        raise code.CodeError("the plugin's patches are damaged; install it again") from error
    placed = {path: known.settle(patches.variants[path], path, data) for path, data in files.items()}
    return {path: code.exchanges(path, each.after) for path, each in placed.items()}


def _key(home: Path, files: Mapping[str, bytes]) -> str:
    """Sum up all that the code depends on: the files, the patch set, this plugin, this Python."""
    digest = hashlib.sha256()
    python = (sys.version, importlib.util.MAGIC_NUMBER.hex(), str(sys.flags.optimize), __version__)
    digest.update("\0".join(python).encode())
    for name in sorted(path.name for path in (home / "patches").iterdir()):
        digest.update(name.encode() + b"\0" + (home / "patches" / name).read_bytes())
    for path, data in files.items():
        digest.update(path.encode() + b"\0" + hashlib.sha256(data).digest())
    return digest.hexdigest()[:32]


def _load(file: Path) -> dict[str, tuple[Exchange, ...]] | None:
    """Read code from the cache; marshal trusts its input, so nothing is read that is not summed up."""
    from .code import Exchange

    try:
        data = file.read_bytes()
        if hashlib.sha256(data[_SUM:]).digest() != data[:_SUM]:
            return None
        stored = marshal.loads(data[_SUM:])
        return {path: tuple(Exchange(*each) for each in entries) for path, entries in stored.items()}
    except (OSError, ValueError, EOFError, TypeError, AttributeError):
        return None


def _keep(file: Path, made: Mapping[str, tuple[Exchange, ...]]) -> None:
    """Remember code for the next start; a folder that cannot be written costs time and nothing else."""
    data = marshal.dumps({path: [tuple(each) for each in entries] for path, entries in made.items()})
    partial = file.with_name(f"{file.stem}.{os.getpid()}")
    with contextlib.suppress(OSError):
        file.parent.mkdir(exist_ok=True)
        partial.write_bytes(hashlib.sha256(data).digest() + data)
        partial.replace(file)
        others = sorted(file.parent.iterdir(), key=lambda each: each.stat().st_mtime, reverse=True)
        for other in others[KEPT:]:
            other.unlink()
