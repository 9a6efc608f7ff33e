"""Where WanGP usually lies: names, folders and patterns, decided by pure functions of paths."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import TypeVar

P = TypeVar("P", bound=PurePath)

# Folder names that people and WanGP's documentation use; Pinokio names its own after the repository.
NAMES = ("Wan2GP", "WanGP", "Wan2GP-main", "wan2gp", "wangp")
# What Windows makes of "Extract all": a folder of the archive's name around the one in the archive.
UNPACKED = "Wan2GP-main/Wan2GP-main"
PINOKIO_APPS = "wan*.git"
_CLOUDS = ("OneDrive", "OneDriveConsumer", "OneDriveCommercial")


def usual_places(home: P, drives: Iterable[P], clouds: Iterable[P] = (), pinokios: Iterable[P] = ()) -> tuple[P, ...]:
    """List the places where WanGP usually lies, as patterns whose last parts may hold ``*``.

    Args:
        drives: drive roots, empty where there are none.
        clouds: OneDrive's folders, into which Windows may have moved the desktop.
        pinokios: the folders that Pinokio was told to keep its things in.

    Returns:
        The patterns, most usual first, without repetition.
    """
    drives = tuple(drives)
    bases = [home]
    bases += [base / name for base in (home, *clouds) for name in ("Desktop", "Documents")]
    bases += [home / "Downloads", *drives]
    patterns = [base / name for base in bases for name in (*NAMES, UNPACKED)]
    pinokio = [base / folder for base in (home, *drives) for folder in ("pinokio", "Pinokio")]
    patterns += [base / "api" / PINOKIO_APPS / "app" for base in (*pinokios, *pinokio)]
    patterns += [drive / folder / name for drive in drives for folder in ("AI", "StabilityMatrix") for name in NAMES]
    return tuple(dict.fromkeys(patterns))


def cloud_folders(home: Path, env: Mapping[str, str]) -> tuple[Path, ...]:
    """Return OneDrive's folders that are there: Windows names them, and the usual one bears its name."""
    named = [*(Path(env[name]) for name in _CLOUDS if env.get(name)), home / "OneDrive"]
    return tuple(folder for folder in dict.fromkeys(named) if folder.is_dir())


def pinokio_homes(home: Path, env: Mapping[str, str], platform: str = sys.platform) -> tuple[Path, ...]:
    """Return where Pinokio keeps its things, from its own settings (electron-store's config.json, key ``home``)."""
    if platform == "win32":
        base = Path(env.get("APPDATA") or home / "AppData" / "Roaming")
    elif platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(env.get("XDG_CONFIG_HOME") or home / ".config")
    try:
        folder = json.loads((base / "Pinokio" / "config.json").read_bytes())["home"]
        return (Path(folder),) if folder and Path(folder).is_absolute() else ()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ()
