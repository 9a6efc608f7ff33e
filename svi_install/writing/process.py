"""When another process of this computer started: what tells a living owner of a lock from a recycled number."""

from __future__ import annotations

import sys
from pathlib import Path


def started(pid: int) -> str | None:
    """Return a stable text for the moment a process started.

    Returns:
        The text, or None when no such process runs.
    """
    if sys.platform == "win32":
        return _windows(pid)
    if Path("/proc/self/stat").exists():
        return _proc(pid, Path("/proc"))
    return _ps(pid)


def _proc(pid: int, proc: Path) -> str | None:
    try:
        # The name in field 2 may hold spaces and brackets, so count from its end; field 3 is the state, 22 the start.
        fields = (proc / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _ps(pid: int) -> str | None:
    import subprocess

    command = ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)]
    fixed = {"LC_ALL": "C", "PATH": "/bin:/usr/bin"}
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=fixed)
    state, _, start = answer.stdout.strip().partition(" ")
    return None if state.startswith("Z") else start.strip() or None


if sys.platform == "win32":  # pragma: no cover (the other systems' tests cannot run it)

    def _windows(pid: int) -> str | None:
        import ctypes
        from ctypes import wintypes

        still_active = 259
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = wintypes.HANDLE
        handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
        if not handle:
            return None
        times = [wintypes.FILETIME() for _ in range(4)]
        code = wintypes.DWORD()
        known = kernel.GetProcessTimes(wintypes.HANDLE(handle), *(ctypes.byref(time) for time in times))
        alive = kernel.GetExitCodeProcess(wintypes.HANDLE(handle), ctypes.byref(code)) and code.value == still_active
        kernel.CloseHandle(wintypes.HANDLE(handle))
        return f"{times[0].dwHighDateTime}.{times[0].dwLowDateTime}" if known and alive else None
