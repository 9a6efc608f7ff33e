"""Where git keeps what it knows of a checkout: the folder of this work tree, and the one that all of them share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

# What an install adds lines to in the common folder; nothing else of git's is ever written with a plan.
CONFIG, ATTRIBUTES, EXCLUDE = "config", "info/attributes", "info/exclude"


class GitFolder(NamedTuple):
    """Git's two folders, absolute, often one: ``own`` has HEAD and the index, ``common`` settings and objects."""

    own: Path
    common: Path


def find(root: Path) -> GitFolder | None:
    """Find git's folders of a checkout, as ``.git`` names them: a folder, or the file of a work tree or a submodule.

    Returns:
        The folders, None where there is no git or what ``.git`` names is not there.
    """
    try:
        own = root / ".git"
        if own.is_file():
            own = root / own.read_text("utf-8").removeprefix("gitdir:").strip()
        own = Path(os.path.realpath(own))
        common = own
        if (own / "commondir").is_file():
            common = Path(os.path.realpath(own / (own / "commondir").read_text("utf-8").strip()))
    except (OSError, ValueError):
        return None
    return GitFolder(own, common) if own.is_dir() and (common / "objects").is_dir() else None


def planned_path(root: Path, git: GitFolder, name: str) -> str:
    """Return how a plan names a file of the common folder: relative where it lies in the checkout, else absolute."""
    base = Path(os.path.realpath(root))
    real = git.common / name
    return real.relative_to(base).as_posix() if real.is_relative_to(base) else real.as_posix()


def may_write(root: Path, path: str) -> bool:
    """Tell whether a plan's path names one of the few files of git's that an install adds lines to, or their folder."""
    names = (CONFIG, "info", ATTRIBUTES, EXCLUDE)
    git = find(root) if path.endswith(names) else None
    return git is not None and any(path == planned_path(root, git, name) for name in names)
