"""What there is of SVI's plugin in a WanGP: its folder, whether it is enabled, who brought it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from ..package_data import PATCHED
from ..writing import files

# The name of its repository, and so of its folder; those that begin with wan2gp- git ignores in WanGP's.
NAME = "wan2gp-endless"
HOME = f"plugins/{NAME}"
CONFIG = "wgp_config.json"
ENABLED = "enabled_plugins"
# In wgp.py of every release that loads plugins of models, from 12.22 on.
LOADS = b"discover_plugin_model_extensions"


class Seen(NamedTuple):
    """What there is of the plugin in a WanGP.

    Attributes:
        there: its folder is there, with what WanGP looks for.
        enabled: WanGP's configuration names it.
        cloned: it came through WanGP's Plugins tab, which updates it.
        version: of the plugin, empty where it does not say.
    """

    there: bool
    enabled: bool
    cloned: bool
    version: str


def can_load(root: Path) -> bool:
    """Tell whether this WanGP loads plugins of models."""
    return LOADS in (files.read(root / PATCHED[0]) or b"")


def look(root: Path) -> Seen:
    """Say what there is of the plugin in a WanGP; a folder that WanGP cannot load counts as none."""
    home = root / HOME
    try:
        info = json.loads((home / "plugin_info.json").read_bytes())
        version = str(info["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return Seen(False, False, False, "")
    return Seen(True, NAME in enabled(files.read(root / CONFIG)), (home / ".git").exists(), version)


def enabled(config: bytes | None) -> list[Any]:
    """Return the plugins that a configuration enables."""
    try:
        listed = json.loads(config or b"")[ENABLED]
    except (ValueError, KeyError, TypeError):
        return []
    return listed if isinstance(listed, list) else []
