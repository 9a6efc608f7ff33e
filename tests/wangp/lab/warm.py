"""Runs WanGP in forks of a Python that has already imported its packages (shim/warm.py), one per set of packages."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

SHIM = Path(__file__).resolve().parent.parent / "shim"
# Read by Python or a package when it starts; what else a run is told, its fork learns.
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "XDG_CACHE_HOME", "OMP_NUM_THREADS", "PYTHONPATH", "PYTHONWARNINGS")
KEPT += ("PYTHONIOENCODING", "HF_HUB_OFFLINE", "GRADIO_ANALYTICS_ENABLED", "PYTHONDONTWRITEBYTECODE", "HF_HOME")

_LOCK = threading.Lock()
_SOCKETS: dict[tuple[str, str], Path] = {}


class Fork:
    """A run as `subprocess.Popen` shows it, as far as `tools.run` asks."""

    def __init__(self, command: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path) -> None:
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(str(_server(command[0], env)))
        self._answers = self._connection.makefile("r")
        asked = {"command": list(command[1:]), "cwd": str(cwd), "env": dict(env), "log": str(log)}
        self._connection.sendall(f"{json.dumps(asked)}\n".encode())
        self.pid = int(self._answers.readline())

    def kill(self) -> None:
        os.kill(self.pid, 9)

    def ended(self) -> tuple[int, int]:
        """Waits; returns the status as `os.wait4` has it, and the peak memory in KiB."""
        with self._connection:
            status, peak = json.loads(self._answers.readline())
        return status, peak


def possible() -> bool:
    """Whether runs are forked here; LAB_WARM=0 starts each one as a person does."""
    return sys.platform == "linux" and os.environ.get("LAB_WARM") != "0"


def _server(python: str, env: Mapping[str, str]) -> Path:
    with _LOCK:
        key = python, env["PYTHONPATH"]
        if key not in _SOCKETS:
            folder = Path(tempfile.mkdtemp(prefix="svi-warm-"))
            kept = {name: env[name] for name in KEPT if name in env}
            command = [python, str(SHIM / "warm.py"), str(folder / "socket")]
            with (folder / "log").open("wb") as log:
                process = subprocess.Popen(command, env=kept, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
            atexit.register(_end, process, folder)
            assert process.stdout
            if not process.stdout.readline():
                raise RuntimeError(f"no warm Python:\n{(folder / 'log').read_text('utf-8', 'replace')[-3000:]}")
            _SOCKETS[key] = folder / "socket"
        return _SOCKETS[key]


def _end(process: subprocess.Popen[bytes], folder: Path) -> None:
    process.kill()
    process.wait()
    shutil.rmtree(folder, ignore_errors=True)
