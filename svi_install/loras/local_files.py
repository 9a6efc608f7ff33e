"""What this computer has already: copies of LoRAs in other folders, and the ledger of the hashes of known files."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..writing.own_files import ForeignError, HeldError, move, open_locked, write_over
from . import hub
from .catalogue import LoraFile
from .inventory import known_folders
from .proof import of_file

_BLOB = re.compile(r"[0-9a-f]{64}")
# A safetensors header of 800 tensors takes about 100 KB.
_HEADER_ROOM = 4 * 1024 * 1024
_COPY = 8 * 1024 * 1024


def candidates(root: Path, file: LoraFile, target: Path, cache: Path | None) -> tuple[Path, ...]:
    """List files that may be the one that is wanted, judged by size and name."""
    found: list[Path] = []
    for path in [*_in_cache(file, cache), *_in_folders(root, file)]:
        with contextlib.suppress(OSError):
            real = path.resolve()
            if real.is_file() and real != target.resolve() and real not in found and _fits(file, real):
                found.append(real)
    return tuple(found)


def blob_hash(path: Path) -> str:
    """Tell which hash the hub's cache claims for a file."""
    return path.name if path.parent.name == "blobs" and _BLOB.fullmatch(path.name) else ""


def take(source: Path, target: Path, sha256: str, wait: Callable[[int], None]) -> Literal["linked", "copied", ""]:
    """Put a file that is here already where it is wanted."""
    before = source.stat()
    if of_file(source, wait) != sha256:
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
        if of_file(fresh, wait) != sha256 or _written(copied) != _written(fresh.lstat()):
            return ""
        move(fresh, target)
    finally:
        fresh.unlink(missing_ok=True)
    return "copied"


def _written(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _in_cache(file: LoraFile, cache: Path | None) -> Iterator[Path]:
    # Where nobody uses the hub's own client, it need not be asked where it would keep a file.
    if cache is not None and cache.is_dir():
        for place in (file.place, *file.mirrors):
            yield from hub.cached(place, cache, file.sha256)


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


# A writer is done in milliseconds; one that is not is stuck, and the ledger is worth no waiting.
_PATIENCE = 20.0
_LOOK_AGAIN = 0.005


class Entry(NamedTuple):
    """One file as it was when it was proven.

    Args:
        url: address of the file in a profile.
        sha256: its hash.
        size: its bytes.
        mtime_ns: when it was last written.
        proof: ``pinned``, ``published`` or ``layout``.
        host: who publishes the hash, empty without one.
    """

    url: str
    sha256: str
    size: int
    mtime_ns: int
    proof: str
    host: str = ""


def read(ledger: Path) -> dict[str, Entry]:
    """Read all entries."""
    try:
        files = json.loads(ledger.read_text(encoding="utf-8"))["files"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    found = {path: _entry(fields) for path, fields in files}
    return {path: entry for path, entry in found.items() if entry is not None}


def _entry(fields: Any) -> Entry | None:
    """Read one entry; one that is damaged, or of a later svi-install, takes no other with it."""
    if not isinstance(fields, dict):
        return None
    defaults: dict[str, Any] = Entry._field_defaults
    values: dict[str, Any] = {name: fields.get(name, defaults.get(name)) for name in Entry._fields}
    entry = Entry(**values)
    texts, numbers = (entry.url, entry.sha256, entry.proof, entry.host), (entry.size, entry.mtime_ns)
    sound = all(isinstance(text, str) for text in texts) and all(type(number) is int for number in numbers)
    return entry if sound else None


def lookup(ledger: Path, path: Path) -> Entry | None:
    """Find what is known of a file."""
    entry = read(ledger).get(_key(path))
    try:
        now = path.stat()
    except OSError:
        return None
    return entry if entry and (entry.size, entry.mtime_ns) == (now.st_size, now.st_mtime_ns) else None


def first_seen(ledger: Path, path: Path) -> Entry | None:
    """Find what was first recorded of a file, whatever became of it since."""
    return read(ledger).get(_key(path))


def record(ledger: Path, path: Path, url: str, sha256: str, proof: str, *, host: str = "") -> None:
    """Remember a file.

    The ledger only saves work and catches changes; a ledger that cannot be written must not fail a download.
    """
    with contextlib.suppress(OSError, ForeignError, HeldError):
        status = path.stat()
        ledger.parent.mkdir(parents=True, exist_ok=True)
        with _locked(ledger):
            entries = read(ledger)
            entries[_key(path)] = Entry(url, sha256, status.st_size, status.st_mtime_ns, proof, host)
            text = json.dumps({"files": {name: entry._asdict() for name, entry in sorted(entries.items())}}, indent=1)
            write_over(ledger, text + "\n")


@contextlib.contextmanager
def _locked(ledger: Path) -> Iterator[None]:
    """Let one writer at a time read, change and write the ledger."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            held, instead = open_locked(ledger.with_name(f"{ledger.name}.lock"))
            break
        except HeldError:
            if time.monotonic() > until:
                raise
            time.sleep(_LOOK_AGAIN)
    try:
        yield
    finally:
        os.close(held)
        if instead is not None:
            os.close(instead)


def _key(path: Path) -> str:
    # `resolve` stumbles over links that lead to themselves.
    return os.path.realpath(path)
