"""Has WanGP list the plugin's own profiles, without a copy of them: they come and go with the plugin."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Any

# What WanGP from 12.22 on keeps per architecture: the folders in which it looks for profiles.
ROOTS = "model_profile_roots_by_architecture"
FOLDER = "profiles"


def show(namespace: MutableMapping[str, Any], home: Path, architectures: Iterable[str]) -> None:
    """Add the plugin's folder to those in which WanGP looks for the profiles of some architectures."""
    roots = _roots(namespace)
    folder = str(home / FOLDER)
    for architecture in architectures:
        known = roots.get(architecture)
        if isinstance(known, list) and folder not in known:
            known.insert(0, folder)


def hide(namespace: MutableMapping[str, Any], home: Path) -> None:
    """Take the plugin's folder out again; WanGP's definitions of its models hold the very same lists."""
    folder = str(home / FOLDER)
    for known in _roots(namespace).values():
        if isinstance(known, list) and folder in known:
            known.remove(folder)


def _roots(namespace: MutableMapping[str, Any]) -> dict[str, Any]:
    roots = namespace.get(ROOTS)
    return roots if isinstance(roots, dict) else {}
