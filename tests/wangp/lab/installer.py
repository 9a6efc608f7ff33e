"""Installs SVI into a tree and takes it out again, as a person does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from svi_install.checkout.plugin import NAME


def svi_install(*arguments: object) -> dict[str, Any]:
    """Runs the command line with --json and returns its one object.

    Raises:
        RuntimeError: the exit code was not 0.
    """
    command = [sys.executable, "-m", "svi_install", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\nexit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return json.loads(done.stdout)


def install(tree: Path) -> dict[str, Any]:
    return svi_install("install", tree, "--no-lora", "--yes")


def put_plugin(tree: Path) -> Path:
    """Builds the plugin into a tree and enables it, as WanGP's Plugins tab does."""
    home = tree / "plugins" / NAME
    svi_install("plugin", home)
    config = tree / "wgp_config.json"
    settings = json.loads(config.read_text("utf-8"))
    config.write_text(json.dumps({**settings, "enabled_plugins": [NAME]}, indent=4), "utf-8")
    return home


def revert(tree: Path) -> dict[str, Any]:
    return svi_install("revert", tree, "--yes")
