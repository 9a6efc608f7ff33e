"""Says what to do where Dask is missing."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from pathlib import Path

from ...errors import SviError, quoted


def check() -> None:
    """Refuse to go on without Dask, and keep it from writing its log between our lines.

    Raises:
        SviError: it is missing.
    """
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "critical")
    if importlib.util.find_spec("distributed") is None:
        raise SviError(
            "no-dask",
            "Films on several cards need the package distributed (Dask), which is not here. Nothing was started.",
            f"{quoted(Path(sys.executable))} -m pip install distributed",
        )
    import distributed  # noqa: F401

    for name in ("asyncio", *logging.root.manager.loggerDict):
        if name.partition(".")[0] in {"distributed", "tornado", "asyncio"}:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
