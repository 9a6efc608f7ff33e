"""What this computer knows of LoRA files: which file is which, and the hash each had when it was first seen."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Entry(NamedTuple):
    """One file as it was when it was proven.

    Args:
        url: address of the file in a profile.
        sha256: its hash.
        size: its bytes.
        mtime_ns: when it was last written.
        proof: ``pinned``, ``published`` or ``first-use``.
    """

    url: str
    sha256: str
    size: int
    mtime_ns: int
    proof: str


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
        data = json.loads(ledger.read_text(encoding="utf-8"))
        return {path: Entry(**fields) for path, fields in data["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


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


def record(ledger: Path, path: Path, url: str, sha256: str, proof: str) -> None:
    """Remember a file.

    The ledger only saves work and catches changes; a ledger that cannot be written must not fail a download.

    Args:
        ledger: file of the ledger.
        path: the file, complete and proven.
        url: address of the file in a profile.
        sha256: its hash.
        proof: what it was compared with.
    """
    with contextlib.suppress(OSError):
        status = path.stat()
        entries = read(ledger)
        entries[_key(path)] = Entry(url, sha256, status.st_size, status.st_mtime_ns, proof)
        text = json.dumps({"files": {name: entry._asdict() for name, entry in sorted(entries.items())}}, indent=1)
        ledger.parent.mkdir(parents=True, exist_ok=True)
        fresh = ledger.with_name(f"{ledger.name}.{os.getpid()}")
        fresh.write_text(text + "\n", encoding="utf-8")
        fresh.replace(ledger)


def _key(path: Path) -> str:
    return str(path.resolve())
