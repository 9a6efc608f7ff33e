"""Finds what an interrupted command left behind when its journal cannot be read: names that only svi-install gives."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path, PurePosixPath

from ..errors import SviError
from ..package_data import PATCHED
from . import files, git_folder, receipt
from .journal import STAGED
from .outside import Record, is_outside

RUNTIME = "svi_wangp"
_FOLDERS = (".", files.FOLDER, RUNTIME, "profiles", "loras", "finetunes")
_MADE = re.compile(rb'"folders": (\[[^\]]*\])')


def clear(root: Path, journal: bytes, record: Record | None) -> None:
    """Remove the staged files of an interrupted command, and the folders that it made and left empty.

    Every file of WanGP's is whole at any moment, so what is staged is never the only copy of anything but files of
    ours.

    Args:
        journal: what is left of the journal.
        record: what this computer noted of files outside the checkout.

    Raises:
        OSError: the disk refused.
        SviError: a folder cannot be read.
    """
    base = Path(os.path.realpath(root))
    for folder in _folders(base):
        _clear_folder(folder)
    for path in sorted(record.staged if record else ()):
        if STAGED.fullmatch(Path(path).name) and files.remove(Path(path)):
            files.sync_folder(Path(path).parent)
    for path in sorted(record.paths if record else (), key=len, reverse=True):
        if Path(path).is_dir():
            files.remove_folder(Path(path))
    for name in (*_made(journal), RUNTIME):
        made = base / name
        if made.is_dir() and not made.is_symlink() and not is_outside(base, made.resolve()):
            files.remove_folder(made)


def _folders(base: Path) -> tuple[Path, ...]:
    """Return the folders inside the checkout where something can have been staged."""
    found = {Path(os.path.realpath(base / name)): None for name in _FOLDERS}
    for name in ("profiles", "loras"):
        found.update((Path(os.path.realpath(child)), None) for child in _children(base / name) if child.is_dir())
    if (git := git_folder.find(base)) is not None:
        found.update(dict.fromkeys((git.common, git.common / "info")))
    # A file of WanGP's may be a link to another place of the checkout; what is staged lies where it leads.
    found.update((Path(os.path.realpath(base / name)).parent, None) for name in PATCHED)
    try:
        old = receipt.load(base)
    except SviError:
        old = None
    for path in () if old is None else (*old.added, *old.found):
        found[Path(os.path.realpath(base / path)).parent] = None
    return tuple(folder for folder in found if not is_outside(base, folder))


def _clear_folder(folder: Path) -> None:
    gone = False
    for path in _children(folder):
        if STAGED.fullmatch(path.name) and stat.S_ISREG(path.lstat().st_mode):
            gone = files.remove(path) or gone
    if gone:
        files.sync_folder(folder)


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _made(journal: bytes) -> tuple[str, ...]:
    """Return the folders that a damaged journal still names, deepest first; only empty ones can go anyway."""
    match = _MADE.search(journal)
    names = re.findall(rb'"([A-Za-z0-9_./ -]+)"', match[1]) if match else []
    plain = (name.decode() for name in names)
    safe = [name for name in plain if not name.startswith("/") and ".." not in PurePosixPath(name).parts]
    return tuple(sorted(safe, key=len, reverse=True))
