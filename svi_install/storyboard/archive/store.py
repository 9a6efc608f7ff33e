"""The folder beside a film: results under the address of what went into them, takes, and a journal of what happened.

A result is looked up by its key alone (`task.key_of`: the hash of everything that decides how the clip looks), never by
where it is in a film. So one clip may be in the film twice, move within it, or leave it and come back.

    segments/KEY/      what WanGP and ffmpeg made; finished when its `done.json` is there (`facts`)
    takes/KEY.json     of the clip whose first take has this key: how far takes were counted, which one is picked
    journal.jsonl      what happened, for people

Nothing here knows a film: whoever makes clips on several machines, or picks takes from elsewhere, needs only keys.
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import SviError
from ...runtime.segment import BEGUN, FRAMES, LATENTS, TAIL_NAME
from ...runtime.segment import DONE as MADE
from ...writing import files
from ...writing.lock import hold
from ...writing.own_files import write_over
from ..script.story import MOST_TAKES, SEEDS, TAKE_STRIDE

FINISHED = "done.json"
JOURNAL = "journal.jsonl"
SEGMENTS = "segments"
TAKES = "takes"
# Of a key in a file's name: enough to tell all clips of a film apart, and short enough for the paths of Windows.
DIGITS = 16
# What is said of one segment is some kilobytes; anything near this is damaged.
LARGEST = 16 * 1024 * 1024


@dataclass(frozen=True)
class Takes:
    """The takes of one clip: equal in everything but the seed.

    Args:
        first: seed of the first one; each further one adds `TAKE_STRIDE`.
        picked: number of the one that is in the film, from 1 on.
        known: how many there are; those that were never made count too.
    """

    first: int
    picked: int = 1
    known: int = 1

    def seed(self, number: int) -> int:
        """Return the seed of a take."""
        return (self.first + TAKE_STRIDE * (number - 1)) % SEEDS


@dataclass(frozen=True)
class Store:
    """The folder of one film.

    Args:
        root: ``film.svi`` beside ``film.mp4``.
        elsewhere: folders that still have another name, by the first digits of their key (`earlier`).
    """

    root: Path
    elsewhere: Mapping[str, Path] = field(default_factory=dict)

    def folder(self, key: str) -> Path:
        """Return the folder of a result, whether it is there or not."""
        return self.elsewhere.get(key[:DIGITS]) or self.root / SEGMENTS / key[:DIGITS]

    def finished(self, key: str) -> bool:
        """Tell whether a result is finished."""
        return bool(self.facts(key))

    def made(self, key: str) -> dict[str, Any] | None:
        """Return what WanGP has left of a clip that only has to be compressed, None when it has to be made."""
        folder = self.folder(key)
        facts = read_json(folder / MADE) or {}
        numbers = [facts.get(name) for name in ("frames", "width", "height")]
        if not all(type(each) is int and each > 0 for each in numbers):
            return None
        whole = regular(folder / FRAMES) == math.prod(each for each in numbers if each) * 3
        motion = facts.get("motion_frames")
        motion = motion if type(motion) is int else 0
        tails = (regular(folder / TAIL_NAME.format(back)) for back in range(1, motion + 1))
        return facts if whole and all(tails) else None

    def begun(self, key: str) -> bool:
        """Tell whether SVI in WanGP has taken a clip."""
        return (self.folder(key) / BEGUN).exists()

    def begin(self, key: str) -> Path:
        """Make an empty folder for a result, without what an interrupted run has left in it.

        Raises:
            SviError: the disk refuses.
        """
        folder = self.folder(key)
        with plainly(folder, "make"):
            remove(folder)
            folder.mkdir(parents=True)
        return folder

    def finish(self, key: str, facts: Mapping[str, Any], names: Iterable[str] = ()) -> None:
        """Mark a result as finished; its uncompressed frames are no longer needed.

        Args:
            facts: what is to be known of it later.
            names: of files in its folder, whose size and hash are kept too.

        Raises:
            SviError: the disk refuses.
        """
        folder = self.folder(key)
        with plainly(folder, "write"):
            kept = {name: [(folder / name).stat().st_size, digest(folder / name)] for name in names}
            write_json(folder / FINISHED, {**facts, **({"files": kept} if kept else {})})
            for name in (FRAMES, BEGUN):
                (folder / name).unlink(missing_ok=True)

    def facts(self, key: str) -> dict[str, Any]:
        """Return what is known of a finished result, nothing when it is not finished."""
        facts = read_json(self.folder(key) / FINISHED) or {}
        return facts if facts.get("key", key) == key else {}

    def damage(self, key: str, names: Iterable[str]) -> str:
        """Say which file of a finished result is not as it was when it was finished.

        Args:
            names: of the files that are to be looked at.

        Returns:
            The file and what is wrong with it, empty when nothing is. Of a file whose hash was not kept, only whether
            it is there is known.
        """
        folder = self.folder(key)
        kept = self.facts(key).get("files")
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

    def forget(self, key: str) -> None:
        """Throw a result away; its mark first, so that no half of it counts as finished."""
        folder = self.folder(key)
        with plainly(folder, "remove"):
            if not folder.is_symlink() and folder.is_dir():
                remove(folder / FINISHED)
            remove(folder)

    def unused(self, keys: Iterable[str]) -> tuple[Path, ...]:
        """Return the folders of results that have none of these keys."""
        base = self.root / SEGMENTS
        used = {self.folder(key) for key in keys}
        return tuple(sorted(path for path in base.iterdir() if path not in used)) if base.is_dir() else ()

    def takes(self, key: str) -> Takes | None:
        """Return the takes of a clip, None while there is only the one that the story asks for.

        Args:
            key: of its first take, with the seed that the story gives it.
        """
        found = read_json(self._takes(key)) or {}
        numbers = [value for name in ("first", "picked", "known") if type(value := found.get(name)) is int]
        if found.get("key") != key or len(numbers) < 3:
            return None
        takes = Takes(*numbers)
        return takes if 0 <= takes.first < SEEDS and 1 <= takes.picked <= takes.known <= MOST_TAKES else None

    def keep_takes(self, key: str, takes: Takes) -> None:
        """Remember the takes of a clip, and which one is picked. None is ever thrown away.

        Args:
            key: of its first take, with the seed that the story gives it.

        Raises:
            SviError: the disk refuses.
        """
        path = self._takes(key)
        with plainly(path, "write"):
            path.parent.mkdir(parents=True, exist_ok=True)
            usable(path)
        write_json(path, {"key": key, "first": takes.first, "picked": takes.picked, "known": takes.known})

    def _takes(self, key: str) -> Path:
        return self.root / TAKES / f"{key[:DIGITS]}.json"

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
