"""Says what to do where the packages that measuring needs are missing; imports none of them."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from pathlib import Path

from ..bootstrap import EXTRA_STAMP
from ..errors import SviError, quoted

# By the name that Python imports; the extra ``drift`` of pyproject.toml has the same.
PACKAGES = {"av": "av", "numpy": "numpy", "scipy": "scipy", "skimage": "scikit-image", "PIL": "pillow"}


def check() -> None:
    """Refuse to go on without the packages.

    Raises:
        SviError: some are missing.
    """
    missing = [package for name, package in PACKAGES.items() if importlib.util.find_spec(name) is None]
    if not missing:
        return
    what = f"Measuring a video needs packages that are not here: {', '.join(missing)}. Nothing was measured."
    if os.environ.get("SVI_INSTALL_SOURCE"):
        # The start scripts believe their stamp; without it they bring the packages again.
        with contextlib.suppress(OSError):
            (Path(sys.prefix) / EXTRA_STAMP).unlink()
        raise SviError("no-drift-packages", what, "Run the same command again: it fetches them.")
    raise SviError("no-drift-packages", what, f"{quoted(Path(sys.executable))} -m pip install {' '.join(missing)}")
