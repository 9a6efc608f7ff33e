"""The images of a film, under names of their own in its folder: what WanGP opens is what the addresses were made of."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path

from ...errors import SviError
from .store import Store, digest, plainly, regular, usable

FOLDER = "images"
# Beginning of the file, and the ending by which WanGP knows a picture.
KINDS = (
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"RIFF", ".webp"),
    (b"BM", ".bmp"),
    (b"GIF8", ".gif"),
)
LARGEST = 512 * 1024 * 1024


def kind(path: Path) -> str | None:
    """Return the ending that belongs to a picture, None when it is none that WanGP reads.

    Raises:
        SviError: it cannot be read.
    """
    head = content(path)[:16]
    return next((ending for start, ending in KINDS if head.startswith(start)), None)


def address(path: Path) -> str:
    """Return the hash of an image.

    Raises:
        SviError: it cannot be read, or is no file.
    """
    return hashlib.sha256(content(path)).hexdigest()


def content(path: Path) -> bytes:
    """Return the bytes of an image.

    Raises:
        SviError: it cannot be read, or is no file.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise _unreadable(path, "it is not a file but a folder, a device or a pipe")
        if found.st_size > LARGEST:
            raise _unreadable(path, f"it is larger than {LARGEST >> 20} MB")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or str(error)) from error


def keep(store: Store, wanted: Mapping[str, str]) -> Mapping[str, Path]:
    """Copy images into a film's folder.

    WanGP runs in another folder, reads only names with certain endings, and may take hours to come to an image.

    Args:
        wanted: hash of each image by its path.

    Returns:
        The copy of each image by its path.

    Raises:
        SviError: an image has changed since the film was planned, or the disk refuses.
    """
    found = {}
    for path, known in wanted.items():
        copy = store.root / FOLDER / f"{known[:16]}{kind(Path(path)) or Path(path).suffix}"
        found[path] = copy
        with plainly(copy, "write"):
            if regular(copy) is not None and digest(copy) == known:
                continue
            data = content(Path(path))
            if hashlib.sha256(data).hexdigest() != known:
                raise SviError(
                    "image-changed",
                    f"The image {path} changed while this command was starting. Nothing was started.",
                    "Run the same command again.",
                )
            copy.parent.mkdir(parents=True, exist_ok=True)
            partial = copy.with_name(f"{copy.name}.part")
            usable(partial)
            partial.write_bytes(data)
            partial.replace(copy)
    return found


def copy_of(store: Store, known: str) -> Path | None:
    """Return the copy of an image in a film's folder by its hash, None before there is one."""
    found = sorted((store.root / FOLDER).glob(f"{known[:16]}.*"))
    return next((path for path in found if path.suffix != ".part"), None)


def _unreadable(path: Path, why: str) -> SviError:
    return SviError("no-image", f"The image {path} cannot be read: {why}. Nothing was started.")
