"""Waits for a part file that another process has."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from .part import Part
from .part_state import HeldError


def waiting(target: Path, sync: int, pause: float, limit: float) -> Iterator[Part | None]:
    """Open the part file as soon as no other process has it.

    Args:
        target: final path of the file.
        sync: bytes after which they are forced to the disk.
        pause: seconds between two looks.
        limit: seconds after which to give up.

    Yields:
        None each time the part is held by another process, then the part.

    Raises:
        HeldError: the other process did not finish in time.
        OSError: the folder cannot be written.
    """
    until = time.monotonic() + limit
    while True:
        try:
            part = Part(target, sync)
        except HeldError:
            if time.monotonic() > until:
                raise
            yield None
            time.sleep(pause)
            continue
        yield part
        return
