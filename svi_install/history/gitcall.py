"""The one place that opens a git repository and starts git; install, status, revert and launch never come here.

But one: an install that is to take another patch set out of a file, of which only git has what was there before.

No `git.Repo`: it reads the configuration itself, fails on a mirror without one, and obeys variables of git's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import SviError
from . import git_program
from .git_environment import Progress, applied, no_git

if TYPE_CHECKING:
    from .client import Client


@contextmanager
def opened(
    folder: Path, *, around: bool = True, filtered: bool = False, settings: Sequence[str] = ()
) -> Iterator[Client]:
    """Open the repository of a folder, the one place that does; git's processes end with the block.

    Args:
        folder: a git directory, or a folder with one in it.
        around: take the repository of a folder around it, too.
        filtered: let our filter work. It is for the git of others: what this package starts sees the hooks that are
            there, and puts none in.
        settings: of git, for this once, such as ``user.name=a``.

    Raises:
        SviError: git is missing.
    """
    if git_program.folder() is None:
        raise no_git("git is not installed")
    try:
        with applied():
            from . import client
    except ImportError as error:
        # GitPython asks git for its version when it is imported.
        raise no_git("git could not be started") from error
    found = client.Client()
    # Given to git itself: where a working folder cannot be entered, GitPython would go on in another one.
    off = () if filtered else (f"filter.svi-install.{way}=" for way in ("clean", "smudge"))
    found.set_persistent_git_options(C=str(folder), c=[*off, *settings])
    if not around:
        # Where the folder's own .git is damaged, git must not take that of a folder around it.
        above = str(Path(os.path.realpath(folder)).parent)
        ceilings = filter(None, (above, os.environ.get("GIT_CEILING_DIRECTORIES")))
        found.update_environment(GIT_CEILING_DIRECTORIES=os.pathsep.join(ceilings))
    try:
        yield found
    finally:
        # A git that is gone takes no farewell.
        with suppress(BrokenPipeError):
            found.clear_cache()


def answer(
    folder: Path,
    *words: str,
    stdin: bytes = b"",
    progress: Progress | None = None,
    around: bool = True,
    filtered: bool = False,
    settings: Sequence[str] = (),
) -> tuple[int, bytes, str]:
    """Run git in a folder.

    Args:
        words: the command and its arguments.
        stdin: what git reads from its standard input.
        progress: told what a transfer does, its number of objects done and of all; only for clone and fetch.
        around: take the repository of a folder around it, too.
        filtered: as for `opened`, and so are the settings.

    Returns:
        Its exit code, what it wrote, and what it said about it.

    Raises:
        SviError: git is missing.
    """
    with opened(folder, around=around, filtered=filtered, settings=settings) as client:
        from .client import follow, run

        code, out, said = follow(client, words, progress) if progress else run(client, words, stdin)
        return code, out, said.decode("utf-8", "replace").strip()


def git(root: Path, *words: str, stdin: bytes = b"", progress: Progress | None = None) -> bytes:
    """Run git like `answer`, but in this folder's own repository, and return what it wrote.

    Raises:
        SviError: git is missing or failed; the message holds what it said.
    """
    code, out, said = answer(root, *words, stdin=stdin, progress=progress, around=False)
    if code:
        said = (said or out.decode("utf-8", "replace").strip()).replace("\n", " ")
        raise SviError("git-failed", f"git {words[0]} failed in {root}: {said or 'it gave no reason'}")
    return out


def line(root: Path, *words: str) -> str:
    """Run git like `git` and return its answer of one line, without the line end."""
    return git(root, *words).decode("utf-8", "replace").strip()


def names(root: Path, *words: str) -> tuple[str, ...]:
    """Run git like `git` with ``-z`` among the words and return the names that it lists."""
    return tuple(os.fsdecode(name) for name in git(root, *words).split(b"\0") if name)
