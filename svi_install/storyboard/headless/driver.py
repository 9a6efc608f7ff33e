"""Runs inside WanGP's own Python: passes tasks to WanGP and says what becomes of them.

    driver.py api|process ROOT OUT [OPTION ...]

Only the standard library, and nothing of svi-install: WanGP's environment has none of it. Tasks come as JSON lines on
the standard input (api), or as a file among the options (process). When the standard input ends, whoever started
this is gone, and so is WanGP at once: nobody would fetch what it makes.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import queue
import runpy
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

MARK = "\x1esvi "
STOPPED = 130


def main(arguments: list[str]) -> None:
    """Run WanGP.

    Args:
        arguments: mode, WanGP's folder, folder for its videos, further options of WanGP.
    """
    mode, root, out, *options = arguments
    # The folder of this file is not WanGP's and would hide modules of it.
    sys.path[0] = root
    os.chdir(root)
    lines: queue.Queue[str] = queue.Queue()
    # A program that WanGP starts must not read what is meant for this one.
    own = os.fdopen(os.dup(0), encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    threading.Thread(target=_listen, args=(own, lines), daemon=True).start()
    if mode == "process":
        sys.argv = ["wgp.py", "--output-dir", out, *options]
        runpy.run_path(str(Path(root, "wgp.py")), run_name="__main__")
    else:
        _serve(root, out, options, lines)


def _listen(source: TextIO, lines: queue.Queue[str]) -> None:
    for line in source:
        lines.put(line)
    os._exit(STOPPED)


def _serve(root: str, out: str, options: list[str], lines: queue.Queue[str]) -> None:
    import importlib

    tell = _teller()
    api: Any = importlib.import_module("shared.api")
    session = api.init(root=root, output_dir=out, cli_args=options, console_isatty=False)
    tell("ready")
    while True:
        task = json.loads(lines.get())
        if task is None:
            os._exit(0)
        job = session.submit_task(task)
        for event in job.events.iter(timeout=0.2):
            if event.kind == "progress" and event.data.total_steps:
                tell("progress", step=event.data.current_step, steps=event.data.total_steps)
        result = job.result()
        tell("done", ok=bool(result.success), errors=[str(error) for error in result.errors])
        # The finished video is in the job's memory until this.
        if hasattr(job, "release_output_payload"):
            job.release_output_payload()
        del job, result
        _free()


def _teller() -> Any:
    """A function that writes events past WanGP, which catches what is printed."""
    target = os.dup(1)

    def tell(event: str, **values: Any) -> None:
        os.write(target, f"\n{MARK}{json.dumps({'event': event, **values})}\n".encode())

    return tell


def _free() -> None:
    gc.collect()
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        # WanGP's threads come and go with each task; what they have freed stays with the process otherwise.
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


if __name__ == "__main__":
    main(sys.argv[1:])
