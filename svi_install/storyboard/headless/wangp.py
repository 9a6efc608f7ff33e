"""A person's WanGP as `render` needs it: its own Python, its ways to run headless, whether SVI is in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...checkout.inspection import inspect
from ...errors import EXIT_UNSUPPORTED, SviError
from ...writing import files
from . import svi_files

PYTHON_VARIABLE = "WANGP_PYTHON"
CONFIG = "wgp_config.json"
# What WanGP writes into a new configuration.
USUAL_PROFILE = 4.0
# setup.py of WanGP, its manual, Pinokio and portable builds.
ENVIRONMENTS = ("env", "venv", ".venv", "env_venv", "env_uv", "env_conda", "python_embeded", "python")
Headless = Literal["api", "process"]
_HEADLESS = re.compile(rb"\bargs\.process\b")
_API = re.compile(rb"^    def submit_task\(", re.MULTILINE)
_FIELDS = re.compile(rb"^def get_model_custom_settings\(", re.MULTILINE)
_HALF_PROFILE = re.compile(rb"\bprofile == ([34]\.5)\b")
_ASK_MMGP = "import importlib.util, sys; sys.exit(importlib.util.find_spec('mmgp') is None)"


@dataclass(frozen=True)
class WanGP:
    """One WanGP that can render.

    Args:
        root: its folder.
        version: its version, for people.
        python: the Python that it runs with.
        headless: how it is run: one process that takes tasks one by one, or batches of tasks.
        profiles: memory profiles that it knows.
        gguf: whether it reads GGUF files of transformers.
        fields: whether a task says in fields of the form what SVI is to do.
        says_begun: whether the SVI in it leaves a mark as soon as it has taken a clip.
    """

    root: Path
    version: str
    python: Path
    headless: Headless
    profiles: tuple[float, ...]
    gguf: bool
    fields: bool = False
    says_begun: bool = False

    def memory_profile(self) -> float:
        """Return the memory profile of this WanGP's own configuration: for videos, or for everything."""
        try:
            config = json.loads((self.root / CONFIG).read_text("utf-8"))
        except (OSError, ValueError):
            config = None
        named = [config.get(key) for key in ("video_profile", "profile")] if isinstance(config, dict) else []
        return float(next((each for each in named if isinstance(each, (int, float)) and each > 0), USUAL_PROFILE))


def find(root: Path, python: Path | None = None, env: Mapping[str, str] = os.environ) -> WanGP:
    """Look at a WanGP.

    Args:
        python: its Python, None to look for it.
        env: environment variables; WANGP_PYTHON names its Python too.

    Returns:
        What `render` needs of it.

    Raises:
        SviError: it cannot run headless, SVI is not in it, or its Python is not found.
    """
    checkout = inspect(root)
    text = (root / "wgp.py").read_bytes()
    if not _HEADLESS.search(text):
        raise SviError(
            "no-headless",
            f"WanGP {checkout.version} in {root} cannot run without its browser window (it has no --process). "
            "Nothing was started.",
            "Update WanGP to 9.8 or newer, then run this command again.",
            EXIT_UNSUPPORTED,
        )
    why = svi_files.lacking(checkout.root)
    if why:
        raise SviError(
            "not-installed",
            f"SVI cannot run in the WanGP in {root}: {why}. Nothing was started.",
            svi_files.next_command(checkout.root),
        )
    return WanGP(
        checkout.root,
        checkout.version,
        python_of(checkout.root, python, env),
        "api" if _has_api(root) else "process",
        profiles=(1, 2, 3, 4, 5, *(float(found) for found in sorted(set(_HALF_PROFILE.findall(text))))),
        gguf=b"shared.qtypes.gguf" in text,
        fields=bool(_FIELDS.search(text)),
        says_begun=b"BEGUN" in (files.read(svi_files.films(checkout.root)) or b""),
    )


def has_fields(root: Path) -> bool:
    """Tell whether a WanGP takes what SVI is to do from fields of its form, headless too (10.80 and later)."""
    return bool(_FIELDS.search((root / "wgp.py").read_bytes()))


def python_of(root: Path, python: Path | None, env: Mapping[str, str]) -> Path:
    """Find the Python that a WanGP runs with.

    Args:
        python: what the person gave, None to look for it.

    Raises:
        SviError: the given one does not exist, or none was found.
    """
    given = python or (Path(env[PYTHON_VARIABLE]) if env.get(PYTHON_VARIABLE) else None)
    if given is not None:
        if given.is_file():
            return given.absolute()
        raise SviError(
            "no-python", f"{given} does not exist. Nothing was started.", "Give WanGP's Python: --python FILE"
        )
    found = next(_inside(root), None)
    if found is not None:
        return found
    for program in (sys.executable, shutil.which("python"), shutil.which("python3")):
        if program and _has_mmgp(program):
            return Path(program)
    raise SviError(
        "no-python",
        f"The Python that runs the WanGP in {root} was not found: not in {', '.join(ENVIRONMENTS[:3])} there, and the "
        "one on the PATH has no mmgp. Nothing was started.",
        "Activate WanGP's environment (conda activate ...) and run this command again, or give its path: --python FILE",
    )


def _inside(root: Path) -> Iterator[Path]:
    names = [*_active(root), *ENVIRONMENTS]
    for name in names:
        for program in ("bin/python", "Scripts/python.exe", "python.exe"):
            path = root / name / program
            if path.is_file():
                yield path


def _active(root: Path) -> list[str]:
    """The environment that WanGP's own installer calls the active one."""
    try:
        data = json.loads((root / "envs.json").read_text("utf-8"))
        return [str(data["envs"][data["active"]]["path"])]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _has_mmgp(program: str) -> bool:
    try:
        return subprocess.run([program, "-c", _ASK_MMGP], capture_output=True, check=False, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _has_api(root: Path) -> bool:
    try:
        return bool(_API.search((root / "shared" / "api.py").read_bytes()))
    except OSError:
        return False
