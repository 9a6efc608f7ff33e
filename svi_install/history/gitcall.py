"""Calls git where a command is about WanGP's own history; install, status and revert never come here."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ..errors import SviError

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
    env = environment()
    # Where the checkout's own .git is damaged, git must not take that of a folder around it.
    around = str(Path(os.path.realpath(root)).parent)
    env["GIT_CEILING_DIRECTORIES"] = os.pathsep.join(filter(None, (around, env.get("GIT_CEILING_DIRECTORIES"))))
    try:
        done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL, env=env)
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
