"""Stops or fails a command at its k-th system call that changes the tree."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from svi_install.writing import files

CHANGING = (
    "open",
    "write",
    "fsync",
    "replace",
    "link",
    "unlink",
    "mkdir",
    "rmdir",
    "fchmod",
    "fchown",
    "setxattr",
    "utime",
    "ftruncate",
)
FAULTS = (errno.ENOSPC, errno.EACCES, errno.EIO)
KILLED = 137
LINUX = hasattr(os, "listxattr")


@dataclass(frozen=True)
class Fault:
    """What happens at the k-th changing call.

    Attributes:
        at: which call, counted from 0.
        how: ``before`` and ``after`` end the process there, ``torn`` writes half and ends it, ``fail`` fails this one
            call, ``broken`` fails it and every later one.
        errno: the error of ``fail`` and ``broken``.
    """

    at: int
    how: str
    errno: int = 0


@dataclass
class Layer:
    """Stands in for the `os` module inside `svi_install.writing.files` and counts the calls that change the tree."""

    fault: Fault | None = None
    calls: list[str] = field(default_factory=list)
    counting: threading.Lock = field(default_factory=threading.Lock)

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in CHANGING:
            return real

        def call(*args: Any, **kwargs: Any) -> Any:
            if name == "open" and not args[1] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return real(*args, **kwargs)
            return self._call(name, real, args, kwargs)

        return call

    def _call(self, name: str, real: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with self.counting:
            number = len(self.calls)
            self.calls.append(name)
        fault = self.fault
        if fault is None or number < fault.at or (number > fault.at and fault.how != "broken"):
            return real(*args, **kwargs)
        if fault.how in ("fail", "broken"):
            raise OSError(fault.errno, os.strerror(fault.errno))
        if fault.how == "torn" and name == "write":
            real(args[0], args[1][: len(args[1]) // 2])
        try:
            if fault.how == "after":
                real(*args, **kwargs)
        finally:
            os._exit(KILLED)


@contextlib.contextmanager
def layer(fault: Fault | None = None) -> Iterator[Layer]:
    """Put a layer under the package's writing for a while."""
    stand_in = Layer(fault)
    kept = files.os
    files.os = stand_in  # type: ignore[assignment]
    try:
        yield stand_in
    finally:
        files.os = kept


def in_child(action: Callable[[], object], fault: Fault) -> int:
    """Run something in a child process under a fault.

    Args:
        action: what to run; an exception of any kind counts as the clean failure of a command.
        fault: where it goes wrong.

    Returns:
        0 when it went through, 1 when it failed cleanly, `KILLED` when it was ended.
    """
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        with layer(fault):
            action()
        code = 0
    except Exception:  # noqa: BLE001 (whatever it was, the parent judges the tree)
        code = 1
    finally:
        os._exit(code)


def tree(*roots: Path) -> dict[str, object]:
    """Return everything a person could notice in some folders: names, kinds, modes, owners, attributes, bytes."""
    found: dict[str, object] = {}
    for number, root in enumerate(roots):
        for path in sorted(root.rglob("*")):
            seen = path.lstat()
            key = f"{number}:{path.relative_to(root).as_posix()}"
            if stat.S_ISLNK(seen.st_mode):
                found[key] = ("link", str(path.readlink()))
            elif stat.S_ISDIR(seen.st_mode):
                found[key] = ("folder", oct(seen.st_mode), seen.st_uid)
            elif not stat.S_ISREG(seen.st_mode):
                found[key] = ("special", oct(seen.st_mode))
            else:
                found[key] = ("file", oct(seen.st_mode), seen.st_uid, seen.st_nlink, path.read_bytes())
                if attributes := {name: os.getxattr(path, name) for name in os.listxattr(path)} if LINUX else {}:
                    found[f"{key} attributes"] = attributes
    return found
