"""Whether a LoRA is there: only a file that could load counts. Reads heads, never a whole file."""

from __future__ import annotations

import functools
import stat
from pathlib import Path
from typing import NamedTuple

from .catalogue import Catalogue, Folder, Lora, LoraFile, load
from .destination import Destination, locate


class Look(NamedTuple):
    """What lies where a LoRA belongs.

    Args:
        present: True when it could load.
        size: bytes of the file, None when there is none.
        fault: why the file that is there cannot load, in words that go behind its name; empty otherwise.
    """

    present: bool
    size: int | None = None
    fault: str = ""


class Seen(NamedTuple):
    """One LoRA and the file of it that is in WanGP's folder.

    Args:
        lora: the LoRA.
        file: the file, the preferred one when none is there.
        path: where it lies or belongs.
        look: what is there.
    """

    lora: Lora
    file: LoraFile
    path: Path
    look: Look


def look(path: Path) -> Look:
    """Look at the place of a LoRA.

    What could load counts, also when it is another LoRA than the published one: it may be a person's own, and `fetch`
    says so.

    Args:
        path: where it belongs.

    Returns:
        What is there.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Look(present=False, fault="is a link to a file that is not there" if path.is_symlink() else "")
    except OSError as error:
        return Look(present=False, fault=f"cannot be read ({error.strerror or error})")
    size = status.st_size if stat.S_ISREG(status.st_mode) else None
    fault = _fault(path, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
    return Look(not fault, size, fault)


@functools.lru_cache(maxsize=256)
def _fault(path: Path, _stamp: tuple[int, int, int, int]) -> str:
    """Say why a file cannot load. An install asks once for each profile, which need not read the head again."""
    # Where no LoRA is there, nothing that reads one has to be imported.
    from .header import lora_file

    return lora_file.problem(path) or ""


class Places:
    """Finds the folders of one WanGP, each looked for only once.

    Args:
        root: WanGP's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._found: dict[Folder, Destination] = {}

    def of(self, folder: Folder) -> Destination:
        """Return the folder for a kind of LoRA and what decided it."""
        if folder not in self._found:
            self._found[folder] = locate(self._root, folder)
        return self._found[folder]


def seen(root: Path, catalogue: Catalogue | None = None) -> tuple[Seen, ...]:
    """Look at the place of every LoRA.

    Args:
        root: WanGP's folder.
        catalogue: None for the built-in one.

    Returns:
        Every file that is there, and for each LoRA of the default set that is not there in any precision its preferred
        file; in the order of the catalogue.

    Raises:
        SviError: a folder or file that says where LoRAs belong cannot be read.
    """
    try:
        return _seen(root, catalogue or load())
    except OSError as error:
        from ..writing.files import plain

        raise plain(error, Path(error.filename or root), "read") from error


def _seen(root: Path, known: Catalogue) -> tuple[Seen, ...]:
    places = Places(root)
    found: list[Seen] = []
    for lora in known.loras:
        folder = places.of(lora.folder).folder
        looks = [Seen(lora, file, path, look(path)) for file in lora.files for path in (folder / file.filename,)]
        there = [one for one in looks if one.look.present or one.look.fault]
        found += there or (looks[:1] if lora.name in known.default else [])
    return tuple(found)
