"""Copies of a LoRA that are on this computer already: in WanGP's folders and in the hub's cache."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from . import hashing
from .catalogue import LoraFile
from .destination import known_folders
from .naming import move

_BLOB = re.compile(r"[0-9a-f]{64}")
# A safetensors header of 800 tensors takes about 100 KB.
_HEADER_ROOM = 4 * 1024 * 1024
_COPY = 8 * 1024 * 1024


def candidates(root: Path, file: LoraFile, target: Path, caches: tuple[Path, ...]) -> tuple[Path, ...]:
    """List files that may be the one that is wanted, judged by size and name.

    Args:
        root: WanGP's folder.
        file: what is wanted.
        target: where it is wanted; never a candidate.
        caches: the hub's cache folders.

    Returns:
        Paths, each once; most often none.
    """
    found: list[Path] = []
    for path in [*_in_caches(file, caches), *_in_folders(root, file)]:
        with contextlib.suppress(OSError):
            real = path.resolve()
            if real.is_file() and real != target.resolve() and real not in found and _fits(file, real):
                found.append(real)
    return tuple(found)


def blob_hash(path: Path) -> str:
    """Tell which hash the hub's cache claims for a file.

    Args:
        path: a file.

    Returns:
        The sha256 that the name of a cached large file is, empty for every other file.
    """
    return path.name if path.parent.name == "blobs" and _BLOB.fullmatch(path.name) else ""


def take(source: Path, target: Path, sha256: str, wait: Callable[[int], None]) -> Literal["linked", "copied", ""]:
    """Put a file that is here already where it is wanted.

    Args:
        source: the copy.
        target: where it is wanted; must not exist.
        sha256: hash it must have.
        wait: called with the bytes that are read so far.

    Returns:
        ``linked`` or ``copied``, empty when the copy is not the right file.

    Raises:
        FileExistsError: something has that name by now and is left alone.
        OSError: the disk refuses.
    """
    before = source.stat()
    if hashing.of_file(source, wait) != sha256:
        return ""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        pass
    else:
        after = target.lstat()
        if not os.path.samestat(before, after) or _written(before) != _written(after):
            # Somebody wrote to it while it was hashed.
            target.unlink()
            return ""
        return "linked"
    fresh = target.with_name(target.name + ".part.copy")
    fresh.unlink(missing_ok=True)
    try:
        with source.open("rb") as reader, fresh.open("xb") as writer:
            shutil.copyfileobj(reader, writer, _COPY)
            writer.flush()
            os.fsync(writer.fileno())
        copied = fresh.lstat()
        if hashing.of_file(fresh, wait) != sha256 or _written(copied) != _written(fresh.lstat()):
            return ""
        move(fresh, target)
    finally:
        fresh.unlink(missing_ok=True)
    return "copied"


def _written(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _in_caches(file: LoraFile, caches: tuple[Path, ...]) -> Iterator[Path]:
    for cache in caches:
        for place in (file.place, *file.mirrors):
            folder = cache / f"models--{place.repository.replace('/', '--')}"
            if file.sha256:
                yield folder / "blobs" / file.sha256
            yield from sorted(folder.glob(f"snapshots/*/{place.path}"))


def _in_folders(root: Path, file: LoraFile) -> Iterator[Path]:
    for folder in known_folders(root):
        for path in sorted(folder.rglob("*.safetensors")):
            # Without a known size only the name tells which of many LoRAs is worth hashing.
            if file.size is not None or file.tensor_bytes is not None or path.name == file.filename:
                yield path


def _fits(file: LoraFile, path: Path) -> bool:
    size = path.stat().st_size
    if file.size is not None:
        return size == file.size
    if file.tensor_bytes is not None:
        return file.tensor_bytes < size < file.tensor_bytes + _HEADER_ROOM
    return True
