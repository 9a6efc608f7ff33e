"""The folder beside a film: a journal of what happened, and one folder per finished segment under its address.

A segment is finished when its ``done.json`` is there; everything else can be made again from it or is thrown away.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SviError
from ..runtime.segment import BEGUN, FRAMES, LATENTS, TAIL_NAME
from ..runtime.segment import DONE as MADE
from ..writing import files
from ..writing.lock import hold
from ..writing.own_files import write_over

FINISHED = "done.json"
JOURNAL = "journal.jsonl"
SEGMENTS = "segments"
# What is said of one segment is some kilobytes; anything near this is damaged.
LARGEST = 16 * 1024 * 1024


@dataclass(frozen=True)
class Store:
    """The folder of one film.

    Args:
        root: ``film.svi`` beside ``film.mp4``.
    """

    root: Path

    def folder(self, number: int, key: str) -> Path:
        """Return the folder of a segment; its name tells a person which segment it is."""
        return self.root / SEGMENTS / f"{number:04d}-{key[:16]}"

    def finished(self, number: int, key: str) -> bool:
        """Tell whether a segment is finished."""
        return bool(self.facts(number, key))

    def made(self, number: int, key: str) -> dict[str, Any] | None:
        """Return what WanGP has left of a segment that only has to be compressed, None when it has to be made."""
        folder = self.folder(number, key)
        facts = read_json(folder / MADE) or {}
        numbers = [facts.get(name) for name in ("frames", "width", "height")]
        if not all(type(each) is int and each > 0 for each in numbers):
            return None
        whole = regular(folder / FRAMES) == math.prod(each for each in numbers if each) * 3
        motion = facts.get("motion_frames")
        motion = motion if type(motion) is int else 0
        tails = (regular(folder / TAIL_NAME.format(back)) for back in range(1, motion + 1))
        return facts if whole and all(tails) else None

    def begun(self, number: int, key: str) -> bool:
        """Tell whether SVI in WanGP has taken a segment."""
        return (self.folder(number, key) / BEGUN).exists()

    def begin(self, number: int, key: str) -> Path:
        """Make an empty folder for a segment, without what an interrupted run has left in it.

        Raises:
            SviError: the disk refuses.
        """
        folder = self.folder(number, key)
        with plainly(folder, "make"):
            remove(folder)
            folder.mkdir(parents=True)
        return folder

    def finish(self, number: int, key: str, facts: Mapping[str, Any], names: Iterable[str] = ()) -> None:
        """Mark a segment as finished; its uncompressed frames are no longer needed.

        Args:
            names: of files in its folder, whose size and hash are kept too.

        Raises:
            SviError: the disk refuses.
        """
        folder = self.folder(number, key)
        with plainly(folder, "write"):
            files = {name: [(folder / name).stat().st_size, digest(folder / name)] for name in names}
            write_json(folder / FINISHED, {**facts, **({"files": files} if files else {})})
            for name in (FRAMES, BEGUN):
                (folder / name).unlink(missing_ok=True)

    def facts(self, number: int, key: str) -> dict[str, Any]:
        """Return what is known of a finished segment, nothing when it is not finished."""
        facts = read_json(self.folder(number, key) / FINISHED) or {}
        return facts if facts.get("key", key) == key else {}

    def damage(self, number: int, key: str, names: Iterable[str]) -> str:
        """Say which file of a finished segment is not as it was when it was finished.

        Args:
            names: of the files that are to be looked at.

        Returns:
            The file and what is wrong with it, empty when nothing is. Of a file whose hash was not kept, only whether
            it is there is known.
        """
        folder = self.folder(number, key)
        kept = self.facts(number, key).get("files")
        kept = kept if isinstance(kept, dict) else {}
        for name in names:
            size = regular(folder / name)
            if size is None:
                return f"{name} is missing" if not _there(folder / name) else f"{name} is not a readable file"
            if name not in kept:
                continue
            known = kept[name] if isinstance(kept[name], list) and len(kept[name]) == 2 else [None, None]
            if size != known[0]:
                return f"{name} has {size} bytes instead of {known[0]}"
            if digest(folder / name) != known[1]:
                return f"{name} has different contents than before"
        return ""

    def forget(self, number: int, key: str) -> None:
        """Throw a segment's result away; its mark first, so that no half of it counts as finished."""
        folder = self.folder(number, key)
        with plainly(folder, "remove"):
            if not folder.is_symlink() and folder.is_dir():
                remove(folder / FINISHED)
            remove(folder)

    def unused(self, keys: Mapping[int, str]) -> tuple[Path, ...]:
        """Return folders of segments that the film no longer has."""
        base = self.root / SEGMENTS
        used = {self.folder(number, key) for number, key in keys.items()}
        return tuple(sorted(path for path in base.iterdir() if path not in used)) if base.is_dir() else ()

    def write(self, event: str, **values: Any) -> None:
        """Add a line to the journal.

        Raises:
            SviError: the disk refuses.
        """
        path = self.root / JOURNAL
        line = json.dumps({"event": event, **values}, ensure_ascii=False) + "\n"
        with plainly(path, "write"):
            self.root.mkdir(parents=True, exist_ok=True)
            usable(path)
            with path.open("ab") as file:
                # A line that a crash has cut off must not swallow this one.
                if file.tell() and not _ends_line(path):
                    file.write(b"\n")
                file.write(line.encode("utf-8", "replace"))
                file.flush()
                os.fsync(file.fileno())

    def journal(self) -> tuple[dict[str, Any], ...]:
        """Return all lines of the journal; a line that a crash has cut off is left out."""
        path = self.root / JOURNAL
        if regular(path) is None:
            return ()
        try:
            lines = path.read_text("utf-8", "replace").splitlines()
        except OSError:
            return ()
        events = []
        for line in lines:
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(event, dict):
                events.append(event)
        return tuple(events)

    def takes(self) -> dict[int, int]:
        """Return for each rejected segment how often it was rejected."""
        found: dict[int, int] = {}
        for event in self.journal():
            number = event.get("segment")
            if event.get("event") == "redo" and type(number) is int:
                found[number] = found.get(number, 0) + 1
        return found

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep a second render of the same film out.

        Raises:
            SviError: another one is at work.
        """
        with plainly(self.root, "make"):
            self.root.mkdir(exist_ok=True)
        with hold(self.root, "render"):
            yield


@contextmanager
def plainly(path: Path, action: str) -> Iterator[None]:
    """Turn what the disk refuses into words for a person.

    Raises:
        SviError: it has refused something.
    """
    try:
        yield
    except OSError as error:
        known = files.plain(error, path, action)
        raise SviError(known.code, f"{known.message} Finished segments are kept.", known.hint) from error


def regular(path: Path) -> int | None:
    """Return the size of a file that can be read without waiting; None where there is none, or a pipe or a device."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) and os.access(path, os.R_OK) else None


def usable(path: Path) -> None:
    """Make sure that a file can be written without waiting.

    Raises:
        OSError: something that is not a file is in its place.
    """
    if _there(path) and regular(path) is None:
        raise FileExistsError(errno.EEXIST, "something that is not a file is in its place")


def remove(path: Path) -> None:
    """Remove whatever has this name: a file, a link, or a folder with all that is in it.

    Raises:
        OSError: the disk refuses.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """Return the sha256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            found.update(piece)
    return found.hexdigest()


def read_json(path: Path) -> dict[str, Any] | None:
    """Return what a JSON file of ours holds, None when it is missing, damaged or no file at all."""
    size = regular(path)
    if size is None or size > LARGEST:
        return None
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def tail_of(folder: Path) -> tuple[Path, ...]:
    """Return the files that the next segment needs of this one."""
    return (*sorted(folder.glob("tail-*.png"), reverse=True), *folder.glob(LATENTS))


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a JSON file so that it is whole or not there.

    Raises:
        SviError: the disk is full or refuses.
    """
    text = json.dumps(data, indent=1)
    with plainly(path, "write"):
        write_over(path, text)


def _there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
