"""What this computer knows of LoRA files: which file is which, and the hash each had when it was first seen."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .own import ForeignError
from .part_state import HeldError, open_locked

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


def default_path(environ: Mapping[str, str]) -> Path:
    """Find the place of the ledger.

    Args:
        environ: environment of the process.

    Returns:
        A file in the person's own application data, outside every WanGP.
    """
    if sys.platform == "win32":
        base = Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return base / "svi-install" / "loras.json"


def read(ledger: Path) -> dict[str, Entry]:
    """Read all entries.

    Args:
        ledger: file of the ledger.

    Returns:
        Entries by the path of the file they are about; none when the ledger cannot be read.
    """
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
    """Find what is known of a file.

    Args:
        ledger: file of the ledger.
        path: the file.

    Returns:
        The entry, None when there is none or the file was written since.
    """
    entry = read(ledger).get(_key(path))
    try:
        now = path.stat()
    except OSError:
        return None
    return entry if entry and (entry.size, entry.mtime_ns) == (now.st_size, now.st_mtime_ns) else None


def first_seen(ledger: Path, path: Path) -> Entry | None:
    """Find what was first recorded of a file, whatever became of it since.

    Args:
        ledger: file of the ledger.
        path: the file.

    Returns:
        The entry, None when the file was never recorded.
    """
    return read(ledger).get(_key(path))


def record(ledger: Path, path: Path, url: str, sha256: str, proof: str, *, host: str = "") -> None:
    """Remember a file.

    The ledger only saves work and catches changes; a ledger that cannot be written must not fail a download.

    Args:
        ledger: file of the ledger.
        path: the file, complete and proven.
        url: address of the file in a profile.
        sha256: its hash.
        proof: what vouches for it.
        host: who publishes the hash, empty without one.
    """
    with contextlib.suppress(OSError, ForeignError, HeldError):
        status = path.stat()
        ledger.parent.mkdir(parents=True, exist_ok=True)
        with _locked(ledger):
            entries = read(ledger)
            entries[_key(path)] = Entry(url, sha256, status.st_size, status.st_mtime_ns, proof, host)
            text = json.dumps({"files": {name: entry._asdict() for name, entry in sorted(entries.items())}}, indent=1)
            fresh = ledger.with_name(f"{ledger.name}.new")
            fresh.unlink(missing_ok=True)
            fresh.write_text(text + "\n", encoding="utf-8")
            fresh.replace(ledger)


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
