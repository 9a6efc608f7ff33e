"""The folder of the workers of this computer, and what is left of those whose owner was killed."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ...writing import process
from ...writing.lock import this_computer
from ..archive.store import read_json, remove, write_json

PREFIX = "svi-farm-"
OWNER = "owner.json"


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Make a folder for the time of one run; before that, throw away those of runs that were killed."""
    sweep()
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name:
        owner = {"host": this_computer(), "pid": os.getpid(), "started": process.started(os.getpid())}
        write_json(Path(name, OWNER), owner)
        yield Path(name)


def sweep(base: Path | None = None) -> None:
    """Throw away folders of ours whose owner is dead.

    Args:
        base: where they lie, None for this computer's place for temporary files.
    """
    for path in sorted((base or Path(tempfile.gettempdir())).glob(f"{PREFIX}*")):
        # The place is everybody's: what is a link, or lies in a folder of somebody else, is not touched.
        with contextlib.suppress(OSError):
            if path.is_symlink() or not path.is_dir() or not _mine(path):
                continue
            owner = read_json(path / OWNER) or {}
            pid, started = owner.get("pid"), owner.get("started")
            # Containers may share the place, and know nothing of each other's processes.
            if type(pid) is not int or pid < 1 or type(started) is not str or owner.get("host") != this_computer():
                continue
            if process.started(pid) != started:
                remove(path)


def _mine(path: Path) -> bool:
    return not hasattr(os, "getuid") or path.stat().st_uid == os.getuid()
