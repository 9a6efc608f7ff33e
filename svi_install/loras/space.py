"""Room on the disk that a download goes to."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..errors import EXIT_DOWNLOAD, SviError
from .progress import human_size

# Windows and WanGP itself need room to breathe.
RESERVE = 256 * 1024 * 1024


def existing_parent(folder: Path) -> Path:
    """Find the folder whose disk will hold another folder.

    Args:
        folder: a folder that need not exist.

    Returns:
        The folder itself or its nearest parent that exists.
    """
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def free(folder: Path) -> int:
    """Tell how much room there is.

    Args:
        folder: a folder that need not exist.

    Returns:
        Free bytes on its disk.

    Raises:
        OSError: the disk cannot be asked.
    """
    return shutil.disk_usage(existing_parent(folder)).free


def require(folder: Path, needed: int, what: str) -> None:
    """Make sure that something fits.

    Args:
        folder: where it goes.
        needed: bytes that are still to be written.
        what: what is to be written, for people.

    Raises:
        SviError: there is not enough room.
    """
    try:
        room = free(folder)
    except OSError:
        return
    if room < needed + RESERVE:
        raise SviError(
            "disk-full",
            f"{what} needs {human_size(needed)} on the disk of {folder}, {human_size(RESERVE)} more must stay free, "
            f"but only {human_size(room)} are free. Nothing was downloaded.",
            "Free some space, or point WanGP's loras_root to another disk. Then run the same command again.",
            EXIT_DOWNLOAD,
        )
