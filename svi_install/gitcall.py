"""Calls git where a command is about WanGP's own history; install, status and revert never come here."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .errors import SviError

# A terminal prompt would hang a command that nobody watches; words are looked at, so they must be English.
_FIXED = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}


def git(root: Path, *words: str) -> bytes:
    """Run git in a checkout.

    Args:
        root: the checkout.
        words: the command and its arguments.

    Returns:
        What it wrote to its standard output.

    Raises:
        SviError: git is missing or failed; the message holds what it said.
    """
    command = ["git", "-C", str(root), *words]
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, stdin=subprocess.DEVNULL, env={**os.environ, **_FIXED}
        )
    except OSError as error:
        raise SviError(
            "no-git",
            f"git is needed for this and could not be started ({error.strerror}). Nothing was changed.",
            "Install git, or update WanGP with its own updater and run svi-install again.",
        ) from error
    if done.returncode:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().replace("\n", " ")
        raise SviError("git-failed", f"git {words[0]} failed in {root}: {said or 'it gave no reason'}")
    return done.stdout


def line(root: Path, *words: str) -> str:
    """Run git like `git` and return its answer of one line, without the line end."""
    return git(root, *words).decode("utf-8", "replace").strip()


def names(root: Path, *words: str) -> tuple[str, ...]:
    """Run git like `git` with ``-z`` among the words and return the names that it lists."""
    return tuple(os.fsdecode(name) for name in git(root, *words).split(b"\0") if name)
