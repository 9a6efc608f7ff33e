"""What the commands and the tests share: the environment of a WanGP process, its configuration, and running it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import warm

FOLDER = Path(__file__).resolve().parent.parent
SHIM = FOLDER / "shim"
ENVIRONMENT = FOLDER.parent.parent / ".venv-wangp"
SETUP = "python tests/wangp/setup_lab.py"

# The least configuration that every release since 9.91 starts with; without it a first start would write its
# own and choose quantised files that the tiny checkpoints lack.
CONFIG: Mapping[str, Any] = {
    "attention_mode": "sdpa",
    "transformer_types": [],
    "transformer_quantization": "bf16",
    "text_encoder_quantization": "bf16",
    "vae_precision": "32",
    "save_path": "outputs",
    "image_save_path": "outputs",
    "compile": "",
    "metadata_type": "metadata",
    "boost": 1,
    "clear_file_list": 5,
    "vae_config": 0,
    "profile": 4,
    "preload_model_policy": [],
    "UI_theme": "default",
    "checkpoints_paths": ["ckpts", "."],
    "queue_color_scheme": "pastel",
    "model_hierarchy_type": 1,
    "notification_sound_enabled": 0,
}
FORCED = ("attention_mode", "transformer_quantization", "text_encoder_quantization", "vae_precision")


@dataclass(frozen=True)
class Ended:
    """How a process ended; code is None when it was stopped after the timeout."""

    code: int | None
    seconds: float
    peak_mib: int | None


def default_environment() -> Path:
    """The folder that LAB_VENV names, else .venv-wangp in the repository root."""
    return Path(os.environ.get("LAB_VENV") or ENVIRONMENT)


def python_of(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def mmgp_pin(tree: Path) -> str | None:
    """The mmgp version that wgp.py itself insists on, None in releases that do not check it."""
    found = re.search(r'^target_mmgp_version\s*=\s*["\']([^"\']+)', (tree / "wgp.py").read_text("utf-8"), re.M)
    return found.group(1) if found else None


def mmgp_overlay(environment: Path, version: str | None) -> Path | None:
    """The folder with just that mmgp, installed on first need; None when the environment has it."""
    packages = [*environment.glob("lib/python*/site-packages"), environment / "Lib/site-packages"]
    if version is None or any((p / f"mmgp-{version}.dist-info").is_dir() for p in packages):
        return None
    folder = environment / "mmgp" / version
    if not (folder / "mmgp").is_dir():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        pip = [str(python_of(environment)), "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--target", str(partial), f"mmgp=={version}"], check=True, stdout=sys.stderr)
        partial.rename(folder)
    return folder


def variables(tree: Path, environment: Path, **lab: object) -> dict[str, str]:
    """The variables of a WanGP process; each keyword becomes LAB_<NAME>, None leaves one out."""
    chosen = {name: value for name, value in os.environ.items() if not name.startswith(("LAB_", "COV_", "PYTEST_"))}
    overlay = mmgp_overlay(environment, mmgp_pin(tree))
    chosen |= {
        # "Denormal numbers are zero" holds in one thread only: a second one makes the tiny VAE six times slower.
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(str(path) for path in (SHIM, overlay) if path),
        "LAB_TREE": str(tree),
        "HF_HUB_OFFLINE": "1",
        "GIT_ALLOW_PROTOCOL": "file",  # 9.x fetches plugins when its form starts for the first time
        "GRADIO_ANALYTICS_ENABLED": "False",
        "PYTHONWARNINGS": "ignore",
        "PYTHONIOENCODING": "utf-8",
    }
    return chosen | {f"LAB_{name}": str(value) for name, value in lab.items() if value is not None}


def prepare(tree: Path, environment: Path, parity: bool = False) -> None:
    """Writes what the tree needs to start: tiny checkpoints into ckpts/, and wgp_config.json."""
    for folder in ("ckpts", "ckpts/parity") if parity else ("ckpts",):
        if not (tree / folder / "lab_complete").is_file():
            make_checkpoints(tree, environment, folder != "ckpts")
    configure(tree)


def make_checkpoints(tree: Path, environment: Path, parity: bool) -> None:
    command = [str(python_of(environment)), str(SHIM / "tiny_checkpoints.py"), *(["--parity"] if parity else [])]
    chosen = variables(tree, environment, TINY="parity" if parity else 1)
    made = subprocess.run(command, cwd=tree, env=chosen, capture_output=True, check=False)
    if made.returncode:
        raise RuntimeError(f"no tiny checkpoints for {tree}:\n{made.stderr.decode('utf-8', 'replace')[-3000:]}")


def configure(tree: Path, **extra: object) -> None:
    """Completes wgp_config.json; keyword arguments are further keys of it."""
    path = tree / "wgp_config.json"
    before = path.read_text("utf-8") if path.is_file() else ""
    config = {**CONFIG, **json.loads(before or "{}"), **{name: CONFIG[name] for name in FORCED}, **extra}
    after = json.dumps(config, indent=1)
    if after != before:
        path.write_text(after, "utf-8")


def run(command: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path, timeout: float) -> Ended:
    """Runs a command with all of its output in a file, and measures its time and peak memory."""
    start, late = time.monotonic(), threading.Event()
    with log.open("wb") as out:
        process: warm.Fork | subprocess.Popen[bytes]
        if warm.possible() and command[0].endswith("python"):
            process = warm.Fork(command, cwd, env, log)
        else:
            process = subprocess.Popen(
                command, cwd=cwd, env=env, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(timeout, stop)
        timer.start()
        peak = None
        if isinstance(process, warm.Fork):
            status, size = process.ended()
            code, peak = os.waitstatus_to_exitcode(status), round(size / 1024)
        elif hasattr(os, "wait4"):
            _, status, usage = os.wait4(process.pid, 0)
            code = process.returncode = os.waitstatus_to_exitcode(status)
            peak = round(usage.ru_maxrss / 1024)
        else:
            code = process.wait()
        timer.cancel()
    return Ended(None if late.is_set() else code, round(time.monotonic() - start, 1), peak)


def console_lines(log: Path) -> list[str]:
    """The lines of a log; progress bars end in a carriage return, so both kinds of line end count."""
    return [line.strip() for line in re.split(r"[\r\n]+", log.read_text("utf-8", "replace")) if line.strip()]
