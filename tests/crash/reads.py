"""Fails the k-th look at a tree: what a command reads, lists or asks about may be refused at any moment."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from svi_install.errors import SviError

LOOKING = ("stat", "lstat", "open", "listdir", "scandir", "readlink", "listxattr", "getxattr")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
DONE, REFUSED, UNEXPECTED = 0, 1, 2


class Looks:
    """Counts the looks at some folders and fails one of them, or one and every later one.

    Attributes:
        calls: the names of the calls so far.
    """

    def __init__(self, folders: tuple[Path, ...], at: int = -1, number: int = 0, *, broken: bool = False) -> None:
        self.folders = tuple(map(str, folders))
        self.at = at
        self.number = number
        self.broken = broken
        self.calls: list[str] = []

    def stand_in(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            path = args[0] if args and isinstance(args[0], str | Path) else ""
            writes = name == "open" and len(args) > 1 and isinstance(args[1], int) and args[1] & WRITING
            if str(path).startswith(self.folders) and not writes:
                number = len(self.calls)
                self.calls.append(name)
                if number == self.at or (self.broken and number > self.at >= 0):
                    raise OSError(self.number, os.strerror(self.number), str(path))
            return real(*args, **kwargs)

        return call


@contextlib.contextmanager
def looking(looks: Looks) -> Iterator[Looks]:
    """Put it between Python and the disk for a while."""
    kept = {name: getattr(os, name) for name in LOOKING if hasattr(os, name)}
    opened = io.open
    for name, real in kept.items():
        setattr(os, name, looks.stand_in(name, real))
    io.open = looks.stand_in("open", opened)  # type: ignore[assignment]
    try:
        yield looks
    finally:
        for name, real in kept.items():
            setattr(os, name, real)
        io.open = opened


def in_child(action: Callable[[], object], looks: Looks) -> tuple[int, str]:
    """Run something in a child process under a fault; return how it ended and what it said."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read().decode()
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said
    code, text = UNEXPECTED, ""
    try:
        with looking(looks):
            action()
        code = DONE
    except SviError as error:
        code, text = REFUSED, str(error)
    except BaseException as error:  # noqa: BLE001 (whatever it was, the parent judges it)
        text = f"{type(error).__name__}: {error}"
    finally:
        os.write(writing, text.encode()[:4000])
        os._exit(code)
