"""What a command may touch outside the checkout, noted in the person's own data folder before it does.

A journal lies in the checkout, where anybody may put one: a download, a shared disk, a repository. Recovery writes and
removes outside the checkout only what a record of this computer names for that very journal.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import SviError
from ..package_data import state_folder
from . import files


class Record(NamedTuple):
    """One transaction that touches files outside its checkout.

    Attributes:
        file: where the record lies.
        root: the real path of the checkout.
        journal: sha256 of the journal, empty when the record itself is damaged.
        paths: real paths of files and folders that it touches outside.
        staged: real paths of the files that it stages beside those.
    """

    file: Path
    root: str
    journal: str
    paths: frozenset[str] = frozenset()
    staged: frozenset[str] = frozenset()


def is_outside(root: Path, real: Path) -> bool:
    """Tell whether a resolved path lies outside the checkout."""
    return not real.is_relative_to(os.path.realpath(root))


def note(root: Path, token: str, journal: bytes, paths: Sequence[Path], staged: Sequence[Path]) -> None:
    """Write the record of a transaction, and bring it to the disk.

    Args:
        token: what tells this transaction from others.
        journal: the journal as it is going to be stored.
        paths: real files and folders outside the checkout that it touches; without any, nothing is written.
        staged: the files that it stages beside those.

    Raises:
        SviError: there is no place for the record; nothing was changed.
    """
    if not paths:
        return
    real = os.path.realpath(root)
    for record in _all():
        if record.root == real:
            forget(record)
    raw = {
        "root": real,
        "journal": files.digest(journal),
        "paths": sorted(map(str, paths)),
        "staged": sorted(map(str, staged)),
    }
    folder = _folder()
    try:
        missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        for parent in reversed(missing):
            files.make_folder(parent)
        files.write_new(folder / f"{token}.json", json.dumps(raw).encode())
        files.sync_folder(folder)
    except OSError as error:
        failure = files.plain(error, folder, "write to")
        raise SviError(
            failure.code,
            f"{failure.message} It is the record of what is written outside this WanGP, to {paths[0].parent}. "
            "Nothing was changed.",
            "Make that folder writable, or set XDG_STATE_HOME to one that is, then run the same command again.",
        ) from error


def of_journal(data: bytes) -> Record | None:
    """Return the record of a stored journal, None when this computer has none.

    Raises:
        SviError: the notes are there and cannot be read.
    """
    wanted = files.digest(data)
    return next((record for record in _all() if record.journal == wanted), None)


def of_checkout(root: Path) -> Record | None:
    """Return the record of what was last on its way in a checkout, None when there is none.

    Raises:
        SviError: the notes are there and cannot be read.
    """
    real = os.path.realpath(root)
    return next((record for record in _all() if record.root == real), None)


def forget(record: Record) -> None:
    """Remove a record; where that fails it stays and means nothing, because its journal is gone."""
    try:
        files.remove(record.file)
    except OSError:
        return


def _folder() -> Path:
    try:
        return state_folder(os.environ) / "outside"
    except RuntimeError as error:
        raise SviError(
            "no-home",
            "Your home folder could not be found. Nothing was changed.",
            "Set HOME, or XDG_STATE_HOME to a folder that you can write to, then run the same command again.",
        ) from error


def _all() -> tuple[Record, ...]:
    try:
        found = sorted(path for path in _folder().iterdir() if path.suffix == ".json")
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except SviError:  # without a folder of one's own there are no notes in it
        return ()
    except OSError as error:
        raise files.plain(error, _folder(), "read") from error
    return tuple(record for file in found if (record := _read(file)) is not None)


def _read(file: Path) -> Record | None:
    try:
        raw = json.loads(files.read(file) or b"")
        return Record(file, str(raw["root"]), str(raw["journal"]), frozenset(raw["paths"]), frozenset(raw["staged"]))
    except SviError as error:
        if error.code != "not-a-file":
            raise
        return None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
