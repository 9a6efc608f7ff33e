"""Loaded by Dask into each worker: Ctrl-C in a terminal reaches every process, and only one may answer it."""

from __future__ import annotations

import contextlib
import signal


def dask_setup(worker: object) -> None:
    """Leave Ctrl-C to the process that started this one, which then ends it."""
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
