"""The folder beside a film: a journal of what happened, and one folder per finished segment under its address.

A segment is finished when its ``done.json`` is there; everything else can be made again from it or is thrown away.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SviError
from ..lock import hold
from ..runtime.segment import BEGUN, FRAMES, LATENTS
from ..runtime.segment import DONE as MADE

FINISHED = "done.json"
JOURNAL = "journal.jsonl"
SEGMENTS = "segments"


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
        return (self.folder(number, key) / FINISHED).is_file()

    def made(self, number: int, key: str) -> dict[str, Any] | None:
        """Return what WanGP has left of a segment that only has to be compressed, None when it has to be made."""
        folder = self.folder(number, key)
        try:
            facts: dict[str, Any] = json.loads((folder / MADE).read_text("utf-8"))
            size = (folder / FRAMES).stat().st_size
            whole = size == facts["frames"] * facts["width"] * facts["height"] * 3
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return facts if whole else None

    def begun(self, number: int, key: str) -> bool:
        """Tell whether SVI in WanGP has taken a segment."""
        return (self.folder(number, key) / BEGUN).exists()

    def begin(self, number: int, key: str) -> Path:
        """Make an empty folder for a segment, without what an interrupted run has left in it."""
        folder = self.folder(number, key)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def finish(self, number: int, key: str, facts: Mapping[str, Any]) -> None:
        """Mark a segment as finished; its uncompressed frames are no longer needed."""
        folder = self.folder(number, key)
        write_json(folder / FINISHED, facts)
        (folder / FRAMES).unlink(missing_ok=True)

    def facts(self, number: int, key: str) -> dict[str, Any]:
        """Return what is known of a finished segment."""
        facts: dict[str, Any] = json.loads((self.folder(number, key) / FINISHED).read_text("utf-8"))
        return facts

    def forget(self, number: int, key: str) -> None:
        """Throw a segment's result away; its mark first, so that no half of it counts as finished."""
        folder = self.folder(number, key)
        (folder / FINISHED).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)

    def unused(self, keys: Mapping[int, str]) -> tuple[Path, ...]:
        """Return folders of segments that the film no longer has."""
        base = self.root / SEGMENTS
        used = {self.folder(number, key) for number, key in keys.items()}
        return tuple(sorted(path for path in base.iterdir() if path not in used)) if base.is_dir() else ()

    def write(self, event: str, **values: Any) -> None:
        """Add a line to the journal."""
        self.root.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"event": event, **values}, ensure_ascii=False) + "\n"
        with (self.root / JOURNAL).open("ab") as file:
            # A line that a crash has cut off must not swallow this one.
            if file.tell() and not _ends_line(self.root / JOURNAL):
                file.write(b"\n")
            file.write(line.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())

    def journal(self) -> tuple[dict[str, Any], ...]:
        """Return all lines of the journal; a line that a crash has cut off is left out."""
        try:
            lines = (self.root / JOURNAL).read_text("utf-8", "replace").splitlines()
        except OSError:
            return ()
        events = []
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                events.append(event)
        return tuple(events)

    def takes(self) -> dict[int, int]:
        """Return for each rejected segment how often it was rejected."""
        found: dict[int, int] = {}
        for event in self.journal():
            if event.get("event") == "redo":
                number = int(event["segment"])
                found[number] = found.get(number, 0) + 1
        return found

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep a second render of the same film out.

        Raises:
            SviError: another one is at work.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with hold(self.root, "render"):
            yield


def tail_of(folder: Path) -> tuple[Path, ...]:
    """Return the files that the next segment needs of this one."""
    return (*sorted(folder.glob("tail-*.png"), reverse=True), *folder.glob(LATENTS))


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a JSON file so that it is whole or not there.

    Raises:
        SviError: the disk is full or refuses.
    """
    partial = path.with_name(path.name + ".part")
    try:
        with partial.open("w", encoding="utf-8") as file:
            json.dump(data, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise SviError("disk", f"{path} cannot be written: {error.strerror}. Finished segments stay.") from error


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
