"""Plays a power cut: rebuilds the tree that a disk may hold when what was not synced is lost."""

# It stands in for the os module, call by call.
# ruff: noqa: PTH102, PTH105, PTH106, PTH108

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svi_install.writing import files

_NAMES = ("open", "replace", "link", "unlink", "mkdir", "rmdir")


@dataclass(frozen=True)
class Step:
    """One call that changes the tree, with paths relative to it instead of file descriptors.

    Attributes:
        name: the call.
        path: the file or folder that changes, for `replace` and `link` the new name.
        source: the other path of `replace` and `link`.
        value: bytes of `write`, mode of `fchmod`, flags of `open`, name and value of `setxattr`.
        file: number of the open file, so that bytes follow a file through renames.
    """

    name: str
    path: str
    source: str = ""
    value: Any = None
    file: int = -1


class _Recorder:
    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root))
        self.steps: list[Step] = []
        self.open_files: dict[int, tuple[str, int, bool]] = {}
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _name(self, path: Any) -> str:
        return os.path.relpath(os.path.realpath(Path(path).parent), self.root) + "/" + Path(path).name

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        handle = os.open(path, flags, mode)
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR))
        self.count += 1
        name = self._name(path) if writes else os.path.relpath(os.path.realpath(path), self.root)
        self.open_files[handle] = (name, self.count, writes)
        if writes:
            self.steps.append(Step("open", name, value=flags, file=self.count))
        return handle

    def write(self, handle: int, data: Any) -> int:
        name, number, _ = self.open_files[handle]
        self.steps.append(Step("write", name, value=bytes(data), file=number))
        return os.write(handle, data)

    def ftruncate(self, handle: int, length: int) -> None:
        name, number, _ = self.open_files[handle]
        self.steps.append(Step("ftruncate", name, file=number))
        os.ftruncate(handle, length)

    def fchmod(self, handle: int, mode: int) -> None:
        name, number, _ = self.open_files[handle]
        self.steps.append(Step("fchmod", name, value=mode, file=number))
        os.fchmod(handle, mode)

    def setxattr(self, handle: int, attribute: str, value: bytes) -> None:
        name, number, _ = self.open_files[handle]
        self.steps.append(Step("setxattr", name, value=(attribute, value), file=number))
        os.setxattr(handle, attribute, value)

    def fsync(self, handle: int) -> None:
        name, number, writes = self.open_files[handle]
        self.steps.append(Step("fsync" if writes else "fsync-folder", name, file=number))
        os.fsync(handle)

    def replace(self, source: Any, target: Any) -> None:
        self.steps.append(Step("replace", self._name(target), self._name(source)))
        os.replace(source, target)

    def link(self, source: Any, target: Any) -> None:
        self.steps.append(Step("link", self._name(target), self._name(source)))
        os.link(source, target)

    def unlink(self, path: Any) -> None:
        if os.path.lexists(path):
            self.steps.append(Step("unlink", self._name(path)))
        os.unlink(path)

    def mkdir(self, path: Any) -> None:
        os.mkdir(path)
        self.steps.append(Step("mkdir", self._name(path)))

    def rmdir(self, path: Any) -> None:
        os.rmdir(path)
        self.steps.append(Step("rmdir", self._name(path)))


def recorded(action: Callable[[], object], root: Path) -> list[Step]:
    """Run something and return every change that it made below ``root``."""
    recorder = _Recorder(root)
    kept = files.os
    files.os = recorder  # type: ignore[assignment]
    try:
        action()
    finally:
        files.os = kept
    return recorder.steps


@dataclass(frozen=True)
class Cut:
    """The power goes after ``at`` calls and the disk loses ``bytes``, ``names`` or ``both`` that were not synced."""

    steps: tuple[Step, ...]
    at: int
    loses: str

    def replay(self, root: Path) -> None:
        """Make the same changes again below another copy of the tree, without what is lost."""
        done = self.steps[: self.at]
        synced = {step.file: number for number, step in enumerate(done) if step.name == "fsync"}
        folders = {step.path: number for number, step in enumerate(done) if step.name == "fsync-folder"}
        handles: dict[int, int] = {}
        for number, step in enumerate(done):
            name_lost = self.loses != "bytes" and step.name in _NAMES
            if name_lost and number > folders.get(os.path.normpath(step.path.rpartition("/")[0] or "."), -1):
                continue
            if step.name in ("write", "ftruncate", "fchmod", "setxattr"):
                bytes_lost = self.loses != "names" and number > synced.get(step.file, -1)
                if step.file in handles and not bytes_lost:
                    _change(handles[step.file], step)
                continue
            with contextlib.suppress(FileNotFoundError):  # the folder that it needs was lost
                _rename(root, step, handles)
        for handle in handles.values():
            os.close(handle)


def _change(handle: int, step: Step) -> None:
    if step.name == "write":
        os.write(handle, step.value)
    elif step.name == "fchmod":
        os.fchmod(handle, step.value)
    elif step.name == "setxattr":
        os.setxattr(handle, *step.value)
    else:
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)


def _rename(root: Path, step: Step, handles: dict[int, int]) -> None:
    target, source = root / step.path, root / step.source
    if step.name == "open":
        handles[step.file] = os.open(target, os.O_WRONLY | os.O_CREAT, 0o666)
    elif step.name == "replace":
        os.replace(source, target)
    elif step.name == "link":
        os.link(source, target)
    elif step.name == "unlink":
        target.unlink(missing_ok=True)
    elif step.name == "mkdir":
        target.mkdir()
    elif step.name == "rmdir":
        shutil.rmtree(target)  # a folder takes with it what was in it, synced or not


def cuts(steps: list[Step]) -> Iterator[Cut]:
    """Return a cut of each kind before the first and after every call."""
    for at in range(len(steps) + 1):
        for loses in ("bytes", "names", "both"):
            yield Cut(tuple(steps), at, loses)
