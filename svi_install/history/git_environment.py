"""What every git that svi-install starts is given as its environment, and what it says where there is none."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from ..errors import SviError
from . import git_program

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
    if beside := git_program.folder(environ):
        kept["PATH"] = os.pathsep.join(filter(None, (environ.get("PATH"), beside)))
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


def no_git(why: str) -> SviError:
    """Return the error for a computer whose git is missing or broken."""
    return SviError(
        "no-git",
        f"This command works with git, and {why}. Nothing was changed.",
        "Install git from https://git-scm.com, then run the same command again.",
    )
