"""Processes of svi-install by the dozen: forks from one that has imported everything, each with outputs of its own.

A process that is started anew spends most of its time on imports; from the fork on, these are what those are: their
standard streams are made as Python makes them at its start, and their buffers are flushed as at its end.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent
SVI = (sys.executable, "-m", "svi_install")


class Ended(NamedTuple):
    """How a process ended."""

    code: int
    out: str
    err: str

    def object(self) -> dict[str, Any]:
        """Return the one JSON object that was printed, on the standard output or else on the error output."""
        data: dict[str, Any] = json.loads((self.out or self.err).splitlines()[-1])
        assert {"schema", "command", "status", "changes", "error"} <= set(data)
        return data


def environment(home: Path, **further: str) -> dict[str, str]:
    """Return variables that keep a process away from this machine's settings and from the network."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ}
    own = {"HOME": str(home), "SVI_INSTALL_HOME": str(home / "data"), "HF_HUB_OFFLINE": "1", "HF_HOME": str(home)}
    return {**kept, **own, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1", **further}


class Hatchery:
    """Starts the processes one after the other."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )

    def run(self, words: Sequence[str], place: Path, *, out: str = "file", err: str = "file") -> Ended:
        """Run one.

        Args:
            words: the command line, without the program.
            place: a folder for its outputs; ``home`` in it is where it runs.
            out: what the standard output is: ``file``, ``full`` disk, ``closed``, or a pipe whose reader is ``gone``.
            err: the same for the error output.

        Returns:
            How it ended.
        """
        home = place / "home"
        home.mkdir(exist_ok=True)
        asked = {"words": list(words), "home": str(home), "env": environment(home), "outputs": [out, err]}
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        said = [path.read_text("utf-8") if path.exists() else "" for path in (home / "1", home / "2")]
        return Ended(code, *said)

    def close(self) -> None:
        """End the process that the others are forked from."""
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()


def _serve() -> tuple[list[str], int]:
    """Fork for each request; returns in the child, with the command line and what to end with for the parent."""
    import svi_install

    for module in pkgutil.walk_packages(svi_install.__path__, "svi_install."):
        if not module.name.startswith("svi_install.runtime") and "__main__" not in module.name:
            import_module(module.name)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(asked)
            return asked["words"], 0
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    return [], 1


def _become(asked: Mapping[str, Any]) -> None:
    os.chdir(asked["home"])
    os.environ.clear()
    os.environ.update(asked["env"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as Python opens it
    streams = [_stream(number, kind) for number, kind in enumerate(asked["outputs"], 1)]
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = streams  # type: ignore[misc, assignment]


def _stream(number: int, kind: str) -> Any:
    if kind == "closed":
        os.close(number)
        return None
    if kind == "gone":
        reader, handle = os.pipe()
        os.close(reader)
    else:
        handle = os.open("/dev/full" if kind == "full" else str(number), os.O_WRONLY | os.O_CREAT)
    os.dup2(handle, number)
    os.close(handle)
    buffering = -1 if number == 1 else 1
    return open(number, "w", buffering, "utf-8", "backslashreplace", closefd=False)


if __name__ == "__main__":
    words, done = _serve()
    if not done:
        from svi_install.__main__ import main

        sys.argv[1:] = words
        code = main()
        for stream in (sys.stdout, sys.stderr):
            try:
                if stream is not None:
                    stream.flush()
            except OSError:
                code = 120
        # The rest of Python's end, which is the same for all, would take most of the time.
        os._exit(code)
