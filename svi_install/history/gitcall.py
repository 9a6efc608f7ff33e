"""The one place that opens a git repository and starts git; install, status, revert and launch never come here.

No `git.Repo`: it reads the configuration itself, fails on a mirror without one, and obeys variables of git's.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import SviError

if TYPE_CHECKING:
    from .client import Client

# Told what is being done, in words, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]

# A terminal prompt would hang a command that nobody watches; words are looked at, so they must be English.
_FIXED = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
# Of git's own variables only those pass that say how to reach a server or whom to trust, or that keep git from looking
# for a repository further up. Every other one may lead it to another repository, index or work tree than the one meant.
_PASS = ("GIT_ASKPASS", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM", "GIT_EXEC_PATH", "GIT_SSH")
_PASS_ALL = (
    *("GIT_SSH_", "GIT_SSL_", "GIT_HTTP_", "GIT_PROXY_", "GIT_PROTOCOL", "GIT_ALLOW_PROTOCOL", "GIT_CURL_"),
    *("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_LFS_"),
    *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"),
)
_PASS_SETTINGS = ("safe.", "http.", "credential.", "url.", "protocol.", "ssh.", "user.")


def environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what every git that svi-install starts gets as its environment.

    Args:
        environ: where it comes from; the environment of this process when None.

    Returns:
        Everything but what would lead git to another repository than the one it is started for.
    """
    environ = os.environ if environ is None else environ
    kept = {name: value for name, value in environ.items() if not name.upper().startswith("GIT_") or _passes(name)}
    settings = [pair for pair in _settings(environ) if pair[0].lower().startswith(_PASS_SETTINGS)]
    if settings:
        kept["GIT_CONFIG_COUNT"] = str(len(settings))
    for number, (key, value) in enumerate(settings):
        kept[f"GIT_CONFIG_KEY_{number}"], kept[f"GIT_CONFIG_VALUE_{number}"] = key, value
    return {**kept, **_FIXED}


def _passes(name: str) -> bool:
    return name in _PASS or name.startswith(_PASS_ALL)


def _settings(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the settings that stand in the environment, as containers have them for ``safe.directory``."""
    count = environ.get("GIT_CONFIG_COUNT", "")
    numbers = range(min(int(count), 1000)) if count.isascii() and count.isdigit() and len(count) < 9 else range(0)
    pairs = ((environ.get(f"GIT_CONFIG_KEY_{n}"), environ.get(f"GIT_CONFIG_VALUE_{n}")) for n in numbers)
    return [(key, value) for key, value in pairs if key is not None and value is not None]


@contextmanager
def applied() -> Iterator[None]:
    """Give this process that environment while it starts a git; GitPython takes what it finds."""
    before, wanted = dict(os.environ), environment()
    try:
        for name in before.keys() - wanted.keys():
            del os.environ[name]
        os.environ.update(wanted)
        yield
    finally:
        for name in wanted.keys() - before.keys():
            os.environ.pop(name, None)
        os.environ.update(before)


@contextmanager
def opened(folder: Path, *, around: bool = True) -> Iterator[Client]:
    """Open the repository of a folder, the one place that does; git's processes end with the block.

    Args:
        folder: a git directory, or a folder with one in it.
        around: take the repository of a folder around it, too.

    Raises:
        SviError: git is missing.
    """
    if shutil.which("git") is None:
        raise no_git("git is not installed")
    try:
        with applied():
            from . import client
    except ImportError as error:
        # GitPython asks git for its version when it is imported.
        raise no_git("git could not be started") from error
    found = client.Client()
    # Given to git itself: where a working folder cannot be entered, GitPython would go on in another one.
    found.set_persistent_git_options(C=str(folder))
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


def no_git(why: str) -> SviError:
    """Return the error for a computer whose git is missing or broken."""
    return SviError(
        "no-git",
        f"This command works with git, and {why}. Nothing was changed.",
        "Install git from https://git-scm.com, then run the same command again.",
    )


def answer(
    folder: Path, *words: str, stdin: bytes = b"", progress: Progress | None = None, around: bool = True
) -> tuple[int, bytes, str]:
    """Run git in a folder.

    Args:
        words: the command and its arguments.
        stdin: what git reads from its standard input.
        progress: told what a transfer does, its number of objects done and of all; only for clone and fetch.
        around: take the repository of a folder around it, too.

    Returns:
        Its exit code, what it wrote, and what it said about it.

    Raises:
        SviError: git is missing.
    """
    with opened(folder, around=around) as client:
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
