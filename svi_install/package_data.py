"""Where the package keeps what it installs, and where it remembers things on this computer."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from .errors import SviError

_PACKAGE = Path(__file__).resolve().parent
RUNTIME_FOLDER = "svi_wangp"
# WanGP's files that get hooks, and the end of every line that is put into them.
PATCHED = ("wgp.py", "models/wan/any2video.py", "models/wan/modules/model.py")
MARKER = "# svi-install"


def state_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder for what svi-install remembers on this computer, outside every WanGP; it need not exist.

    Raises:
        RuntimeError: the environment does not say where the person's home is.
    """
    if sys.platform == "win32":
        base = Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return base / "svi-install"


def page_address(environ: Mapping[str, str]) -> str:
    """Return the address of the page that the scheduled workflow publishes, empty where this build does not know it.

    Args:
        environ: its SVI_INSTALL_PAGE goes before the address in the package's own metadata.
    """
    if named := environ.get("SVI_INSTALL_PAGE"):
        return named
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        addresses = metadata("svi-install").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    named_so = (row.partition(",")[2].strip() for row in addresses if row.startswith("Compatibility,"))
    return next(named_so, "")


def data_folder(name: str) -> Path:
    """Return one of the package's data folders.

    Args:
        name: ``patches`` or ``profiles``.

    Returns:
        The folder; a wheel carries it inside the package, a source tree beside the package.

    Raises:
        SviError: the package is damaged.
    """
    for folder in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise SviError(
        "damaged-package",
        f"svi-install itself is incomplete: the folder {name} is missing from {_PACKAGE}. Nothing was changed.",
        "Install svi-install again.",
    )


def runtime_files() -> dict[str, bytes]:
    """Return what an install adds for the hooks to call.

    Returns:
        Bytes by path relative to the checkout, in the order in which they are written: the module that WanGP imports
        comes last.
    """
    folder = _PACKAGE / "runtime"
    found = (name for name in os.listdir(folder) if name.endswith(".py"))  # noqa: PTH208 - names are enough
    names = sorted(found, key=lambda name: (name == "__init__.py", name))
    return {f"{RUNTIME_FOLDER}/{name}": (folder / name).read_bytes() for name in names}
