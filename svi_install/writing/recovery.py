"""What an interrupted command left behind is undone or finished, from its journal alone."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Literal, NamedTuple

from ..errors import SviError
from . import files, git_folder, outside, targets
from .journal import Entry, Journal
from .outside import is_outside
from .receipt import TIGHT

RUNNING = "journal"
DONE = "journal.done"
DRAFT = "journal.new"


class Recovery(NamedTuple):
    """What was done about an interrupted command.

    Attributes:
        command: the command that had been interrupted, empty when its journal could not be read.
        action: ``undone`` (the files are as before it), ``finished`` (it was complete, only its traces were left),
            ``cleared`` (its journal was damaged: its traces were removed, and each file is the old or the new one) or
            ``mended`` (it was a revert on a full disk: every file is whole, and what is left goes with the next one).
        kept: files that somebody changed since; they were left as they are.
        strange: files outside the checkout that no record of this computer names; they were left alone.
    """

    command: str
    action: Literal["undone", "finished", "cleared", "mended"]
    kept: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()


class _Reach(NamedTuple):
    """Where recovery may go: inside the checkout, and outside only to what this computer noted for this journal."""

    root: Path
    roots: tuple[Path, ...]
    known: frozenset[str]

    def real(self, path: str) -> Path | None:
        """Return what is really behind a planned path, None where it is not safe or not known."""
        try:
            real = targets.resolve(self.root, path, self.roots)
        except SviError:
            return None
        return None if is_outside(self.root, real) and str(real) not in self.known else real

    def file(self, path: str) -> Path | None:
        """Return the real file behind a planned path like `real`; None also where something else is there by now.

        Raises:
            SviError: the disk did not let it be looked at.
        """
        try:
            targets.resolve_file(self.root, path, self.roots)
        except SviError as error:
            if error.code != "unsafe-path":
                raise
            return None
        return self.real(path)

    def strange(self, path: str) -> bool:
        """Tell whether a path leads outside, to what no record of this computer names."""
        try:
            real = targets.resolve(self.root, path, self.roots)
        except SviError:
            return False
        return is_outside(self.root, real) and str(real) not in self.known


def settle(root: Path, folder: Path) -> Recovery | None:
    """Bring what an interrupted command left to an end; the caller holds the lock.

    A journal that the disk damaged is not acted on: every file is whole at any moment, and which of them carry hooks
    can be seen in the files themselves. What was staged is removed then, told by its name.

    Args:
        folder: the folder of ours in it.

    Returns:
        What was done, None when there was nothing to do.

    Raises:
        SviError: the disk refused; the journal stays for the next time.
    """
    result = None
    try:
        for name, way in ((DONE, _finish), (RUNNING, _undo)):
            data = _read(folder / name)
            if data is None:
                continue
            journal = Journal.from_bytes(data)
            if journal is None:
                _clear(root, data)
                result = Recovery("", "cleared")
            else:
                done = way(root, folder, journal, _known(root, journal, data))
                if done is None:
                    continue
                result = done
            files.remove(folder / name)
            files.sync_folder(folder)
            _forget(data, root)
        files.remove(folder / DRAFT)
        if (folder / TIGHT).exists():
            from . import full_disk

            full_disk.mend(root, folder)
            result = Recovery("revert", "mended")
    except OSError as error:
        raise files.plain(error, folder, "clear up") from error
    return result


def sweep(root: Path, folder: Path, journal: Journal, known: frozenset[str]) -> bool:
    """Remove the traces of a committed transaction.

    Args:
        folder: the folder of ours in it.
        known: real paths outside the checkout that the transaction touched.

    Returns:
        False when the disk refused: the marker of the commit stays, and the next command tries again.
    """
    try:
        reach = _Reach(root, targets.outside_roots(root), known)
        _drop_staged(reach, journal)
        for name in journal.sweep:
            if (made := reach.real(name)) is not None:
                _remove_made(made)
        files.remove(folder / DONE)
        files.sync_folder(folder)
    except (OSError, SviError):
        return False
    return True


def _read(path: Path) -> bytes | None:
    """Return the bytes of a journal; a pipe or a device under its name counts as a damaged one."""
    try:
        return files.read(path)
    except SviError as error:
        if error.code != "not-a-file" or path.is_dir():
            raise
        return b""


def _clear(root: Path, data: bytes) -> None:
    # Imported late, because only a damaged disk or a hand brings anybody here.
    from . import leftovers

    # Where nothing of this checkout lies outside, a folder of notes that cannot be read is no hindrance.
    git = git_folder.find(root)
    beyond = targets.outside_roots(root) or (git is not None and is_outside(root, git.common))
    leftovers.clear(root, data, outside.of_checkout(root) if beyond else None)


def _known(root: Path, journal: Journal, data: bytes) -> frozenset[str]:
    """Return what outside the checkout this computer's own notes name for a journal."""
    paths = (*(entry.path for entry in journal.entries), *journal.folders, *journal.sweep)
    if not any(is_outside(root, Path(os.path.realpath(root / path))) for path in paths if "\0" not in path):
        return frozenset()
    record = outside.of_journal(data)
    return frozenset() if record is None else record.paths


def _forget(data: bytes, root: Path) -> None:
    # The journal is gone, and without it a note means nothing.
    with contextlib.suppress(SviError):
        record = outside.of_journal(data) or outside.of_checkout(root)
        if record is not None:
            outside.forget(record)


def _finish(root: Path, folder: Path, journal: Journal, known: frozenset[str]) -> Recovery | None:
    return Recovery(journal.command, "finished") if sweep(root, folder, journal, known) else None


def _undo(root: Path, folder: Path, journal: Journal, known: frozenset[str]) -> Recovery:
    reach = _Reach(root, targets.outside_roots(root), known)
    undone = [(entry, _restore(reach, entry)) for entry in reversed(journal.entries)]
    _drop_staged(reach, journal)
    for name in reversed(journal.folders):
        if (made := reach.real(name)) is not None:
            _drop_folder(made)
    left = [entry.path for entry, done in undone if not done]
    strange = tuple(path for path in left if reach.strange(path))
    return Recovery(journal.command, "undone", tuple(path for path in left if path not in strange), strange)


def _restore(reach: _Reach, entry: Entry) -> bool:
    real = reach.file(entry.path)
    if real is None:
        return False
    data = files.read(real)
    current = None if data is None else files.digest(data)
    if current == entry.before:
        return True
    if current != entry.after:
        return False
    if entry.before is None:
        files.remove(real)
    else:
        try:
            old = _old_file(real, entry)
        except ValueError:  # nobody has those bytes any more
            return False
        files.replace(old, real)
    files.sync_folder(real.parent)
    return True


def _old_file(real: Path, entry: Entry) -> Path:
    """Return a complete file with the bytes before, written from the journal where the kept one is lost."""
    old = real.with_name(entry.old)
    data = files.read(old)
    if data is None or files.digest(data) != entry.before:
        files.remove(old)
        files.write_new(old, entry.bytes_before(), real if real.exists() else None)
    return old


def _drop_staged(reach: _Reach, journal: Journal) -> None:
    touched: dict[Path, None] = {}
    for entry in journal.entries:
        real = reach.real(entry.path)
        for name in (entry.new, entry.old):
            if real is not None and name and files.remove(real.with_name(name)):
                touched[real.parent] = None
    # The journal alone knows these names, so they must be gone for good before it goes.
    files.sync_folders(touched)


def _remove_made(folder: Path) -> None:
    if folder.name == "__pycache__" and folder.is_dir():
        for cached in sorted(folder.glob("*.pyc*")):
            files.remove(cached)
    _drop_folder(folder)


def _drop_folder(folder: Path) -> None:
    # Where it is gone already, its parent may be gone too.
    if folder.is_dir() and files.remove_folder(folder):
        files.sync_folder(folder.parent)
