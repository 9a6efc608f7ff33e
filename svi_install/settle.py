"""What an interrupted command left behind is undone or finished, from its journal alone."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from . import destination, files
from .errors import SviError
from .journal import Entry, Journal

RUNNING = "journal"
DONE = "journal.done"
DRAFT = "journal.new"


class Recovery(NamedTuple):
    """What was done about an interrupted command.

    Attributes:
        command: the command that had been interrupted, empty when its journal could not be read.
        action: ``undone`` (the files are as before it) or ``finished`` (it was complete, only its traces were left).
        kept: files that somebody changed since; they were left as they are.
    """

    command: str
    action: Literal["undone", "finished"]
    kept: tuple[str, ...] = ()


def settle(root: Path, folder: Path) -> Recovery | None:
    """Bring what an interrupted command left to an end; the caller holds the lock.

    A journal that the disk damaged is dropped without acting on it: every file is whole at any moment, and which of
    them carry hooks can be seen in the files themselves.

    Args:
        root: the checkout.
        folder: the folder of ours in it.

    Returns:
        What was done, None when there was nothing to do.

    Raises:
        SviError: the disk refused; the journal stays for the next time.
    """
    result = _finish(root, folder)
    try:
        data = files.read(folder / RUNNING)
        if data is not None:
            journal = Journal.from_bytes(data)
            kept = () if journal is None else _undo(root, journal)
            files.remove(folder / RUNNING)
            files.sync_folder(folder)
            result = Recovery("" if journal is None else journal.command, "undone", kept)
        files.remove(folder / DRAFT)
    except OSError as error:
        raise files.plain(error, folder, "clear up") from error
    return result


def sweep(root: Path, folder: Path, journal: Journal) -> bool:
    """Remove the traces of a committed transaction.

    Args:
        root: the checkout.
        folder: the folder of ours in it.
        journal: the committed journal.

    Returns:
        False when the disk refused: the marker of the commit stays, and the next command tries again.
    """
    try:
        outside = destination.outside_roots(root)
        _drop_staged(root, journal, outside)
        for name in journal.sweep:
            _remove_made(destination.resolve(root, name, outside))
        files.remove(folder / DONE)
        files.sync_folder(folder)
    except (OSError, SviError):
        return False
    return True


def _finish(root: Path, folder: Path) -> Recovery | None:
    data = files.read(folder / DONE)
    if data is None:
        return None
    journal = Journal.from_bytes(data)
    if journal is None:
        files.remove(folder / DONE)
        return Recovery("", "finished")
    return Recovery(journal.command, "finished") if sweep(root, folder, journal) else None


def _undo(root: Path, journal: Journal) -> tuple[str, ...]:
    outside = destination.outside_roots(root)
    kept = [entry.path for entry in reversed(journal.entries) if not _restore(root, entry, outside)]
    _drop_staged(root, journal, outside)
    for name in reversed(journal.folders):
        try:
            made = destination.resolve(root, name, outside)
        except SviError:
            continue
        _drop_folder(made)
    return tuple(kept)


def _restore(root: Path, entry: Entry, outside: tuple[Path, ...]) -> bool:
    real = _real_file(root, entry, outside)
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
        files.replace(_old_file(real, entry), real)
    files.sync_folder(real.parent)
    return True


def _old_file(real: Path, entry: Entry) -> Path:
    """Return a complete file with the bytes before, written from the journal where the kept one is lost."""
    old = real.with_name(entry.old)
    data = files.read(old)
    if data is None or files.digest(data) != entry.before:
        files.remove(old)
        files.write_new(old, entry.bytes_before(), real.stat() if real.exists() else None)
    return old


def _drop_staged(root: Path, journal: Journal, outside: tuple[Path, ...]) -> None:
    touched: dict[Path, None] = {}
    for entry in journal.entries:
        real = _real_file(root, entry, outside)
        for name in (entry.new, entry.old):
            if real is not None and name and files.remove(real.with_name(name)):
                touched[real.parent] = None
    # The journal alone knows these names, so they must be gone for good before it goes.
    for folder in touched:
        files.sync_folder(folder)


def _remove_made(folder: Path) -> None:
    if folder.name == "__pycache__" and folder.is_dir():
        for cached in sorted(folder.glob("*.pyc*")):
            files.remove(cached)
    _drop_folder(folder)


def _drop_folder(folder: Path) -> None:
    # Where it is gone already, its parent may be gone too.
    if folder.is_dir() and files.remove_folder(folder):
        files.sync_folder(folder.parent)


def _real_file(root: Path, entry: Entry, outside: tuple[Path, ...]) -> Path | None:
    """Return the real file, or None where a changed link or folder makes it unsafe by now: it is left alone then."""
    try:
        return destination.resolve_file(root, entry.path, outside)
    except SviError:
        return None
