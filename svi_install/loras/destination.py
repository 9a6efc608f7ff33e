"""Where this WanGP looks for LoRAs: its config, its start scripts, its release."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .catalogue import Folder

CONFIG = "wgp_config.json"
_OPTION = re.compile(
    r"(?<![\w-])--(loras|config|lora-config|lora-dir-wan-i2v|lora-dir-i2v|lora-dir-wan|lora-dir)(?:=|[ \t]+)"
    r"(?:\"([^\"\r\n]+)\"|'([^'\r\n]+)'|([^\s\"']+))"
)
_COMMENT = re.compile(r"^\s*(#|::|//|rem\b)", re.IGNORECASE)
_SCRIPTS = ("*.bat", "*.cmd", "*.sh", "*.ps1", "*.command")
_LARGEST_SCRIPT = 256 * 1024


class Destination(NamedTuple):
    """A LoRA folder of one WanGP.

    Args:
        folder: where WanGP looks; it need not exist yet.
        why: what decided it, for people.
    """

    folder: Path
    why: str


def locate(root: Path, folder: Folder) -> Destination:
    """Find the folder in which this WanGP looks for a kind of LoRA.

    Args:
        root: WanGP's folder.
        folder: ``wan_i2v`` for Wan 2.1 image-to-video, ``wan`` for Wan 2.2.

    Returns:
        The folder and what decided it.
    """
    release = _release(root)
    options = _options(root)
    names: tuple[str, ...] = ()
    if release.old:
        # Before 9.72 the folders stood beside each other, and --lora-dir also moved the one for image-to-video.
        names = ("lora-dir", "lora-dir-i2v") if folder == "wan_i2v" else ("lora-dir",)
        for name in names:
            if name in options:
                return Destination(_under(root, options[name]), f"--{name} in a start script")
        base = root / ("loras_i2v" if folder == "wan_i2v" else "loras")
        inner = base / "14B"
        return Destination(inner if inner.is_dir() else base, "this release's own folder")
    if release.one_file:
        named = _from_file(root, options["lora-config"], folder) if "lora-config" in options else None
        if named is not None:
            return named
    else:
        names = ("lora-dir-wan-i2v", "lora-dir-i2v") if folder == "wan_i2v" else ("lora-dir-wan", "lora-dir")
    for name in names:
        if name in options:
            return Destination(_under(root, options[name]), f"--{name} in a start script")
    if release.configurable:
        if "loras" in options:
            return Destination(_under(root, options["loras"]) / folder, "--loras in a start script")
        configured = _configured_root(_under(root, options["config"]) if "config" in options else root)
        if configured:
            return Destination(_under(root, configured) / folder, f"loras_root in {CONFIG}")
    return Destination(root / "loras" / folder, "WanGP's own folder")


def known_folders(root: Path) -> tuple[Path, ...]:
    """List every existing folder of this WanGP that may already hold a LoRA.

    Args:
        root: WanGP's folder.

    Returns:
        Folders, each once, the ones that WanGP uses first.
    """
    found: list[Path] = []
    bases = [locate(root, "wan_i2v").folder, locate(root, "wan").folder]
    for base in [*bases, *(path.parent for path in bases), root / "loras", root / "loras_i2v"]:
        if base != root and base.is_dir() and base not in found:
            found.append(base)
    return tuple(found)


class _Release(NamedTuple):
    old: bool
    configurable: bool
    # From 13.0 on one JSON file, --lora-config, takes the place of the --lora-dir options.
    one_file: bool


def _release(root: Path) -> _Release:
    try:
        text = (root / "wgp.py").read_bytes()
    except OSError:
        return _Release(old=False, configurable=True, one_file=False)
    return _Release(
        old=b'root_lora_dir = "loras_i2v"' in text,
        configurable=b'"loras_root"' in text,
        one_file=b"args.lora_config" in text,
    )


def _options(root: Path) -> dict[str, str]:
    """Collect LoRA options of the start scripts; an option with two different values counts as none."""
    found: dict[str, set[str]] = {}
    fixed: dict[str, str] = {}
    for script in _scripts(root):
        for name, value in _options_of(script):
            found.setdefault(name, set()).add(value)
            if script.name == "args.txt":
                fixed[name] = value
    return {name: next(iter(values)) for name, values in found.items() if len(values) == 1} | fixed


def _scripts(root: Path) -> Iterator[Path]:
    yield from (path for path in (root / "scripts" / "args.txt", root / "args.txt") if path.is_file())
    # Pinokio keeps its start script in the folder above the checkout.
    pinokio = root.parent / "start.js"
    if root.name == "app" and pinokio.is_file():
        yield pinokio
    for pattern in _SCRIPTS:
        yield from sorted(root.glob(pattern))


def _options_of(script: Path) -> Iterator[tuple[str, str]]:
    try:
        if script.stat().st_size > _LARGEST_SCRIPT:
            return
        text = script.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        if not _COMMENT.match(line) and ("wgp.py" in line or script.name == "args.txt"):
            for match in _OPTION.finditer(line):
                value = match[2] or match[3] or match[4]
                # A value that only the shell can work out is no folder name.
                if not any(sign in value for sign in "$%!{`"):
                    yield match[1], value


def _from_file(root: Path, value: str, folder: Folder) -> Destination | None:
    """Read the folder out of a --lora-config; None where the file cannot be read or does not name it.

    Its keys are the names of the folders below the root, its values lie beside the file where they are relative (WanGP
    13.0, docs/CLI.md).
    """
    file = _under(root, value)
    try:
        named = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    given = named.get(folder) if isinstance(named, dict) else None
    if not isinstance(given, str) or not given.strip():
        return None
    return Destination(_under(file.parent, given.strip()), f"--lora-config {file.name} in a start script")


def _configured_root(folder: Path) -> str:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    value = config.get("loras_root") if isinstance(config, dict) else None
    return value.strip() if isinstance(value, str) else ""


def _under(root: Path, value: str) -> Path:
    return Path(os.path.normpath(root / Path(value).expanduser()))
