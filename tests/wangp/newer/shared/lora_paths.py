"""Where LoRAs lie, by one JSON file. Written for the laboratory; WanGP 13.0 and later have a module of this name.

Read: docs/CLI.md after 13.0 ("JSON keys match the exact subfolder names", "relative values resolve beside the JSON
file", other keys lie below the root), shared/cli_args.py of 17.x (load_lora_config is the type of --lora-config), and
wgp.py 13.0 and 17.17, get_lora_dir (resolve_lora_dir(key, root, config)). The module itself was not read.
"""

from __future__ import annotations

import json
import os
from argparse import ArgumentTypeError
from pathlib import Path


def load_lora_config(file: str) -> dict[str, str]:
    """The folders that a file names, as absolute paths."""
    path = Path(file).expanduser()
    try:
        named = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ArgumentTypeError(f"{file}: {error}") from None
    if not isinstance(named, dict) or not all(isinstance(folder, str) for folder in named.values()):
        raise ArgumentTypeError(f"{file}: not a JSON object of folder names and paths")
    beside = path.resolve().parent
    return {key: str(beside / Path(folder).expanduser()) for key, folder in named.items()}


def resolve_lora_dir(key: str, root: str, config: dict[str, str]) -> str:
    """The folder for a key, made when it is missing."""
    folder = config.get(key) or os.path.join(root, key)  # noqa: PTH118 (WanGP compares it with its own strings)
    Path(folder).mkdir(parents=True, exist_ok=True)
    return folder
