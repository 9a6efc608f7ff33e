"""Reads WanGP's history straight from git objects: no checkout, equal contents once."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bootstrap import cache_folder
from ..errors import EXIT_DOWNLOAD, EXIT_USAGE, SviError
from . import gitcall
from .git_environment import Progress

if TYPE_CHECKING:
    from .client import Client

UPSTREAM = "https://github.com/deepbeepmeep/Wan2GP.git"


@dataclass(frozen=True)
class Commit:
    """One commit: full id, seconds since 1970, first line of its message."""

    id: str
    time: int
    subject: str


def silent(what: str, done: int, total: int) -> None:
    """Tell nobody how far something has come."""


def open_history(source: str | None, cache: Path | None = None, progress: Progress = silent) -> Path:
    """Find or fetch the git repository that a person named.

    Args:
        source: a folder in or of a git repository, or a URL; WanGP's own URL when None.
        cache: where clones of URLs are kept; the platform's cache folder when None.
        progress: told how far a transfer has come.

    Raises:
        SviError: git is missing, the folder is no repository, or the clone failed.
    """
    if source is not None and Path(source).exists():
        code, found, said = gitcall.answer(Path(source), "rev-parse", "--absolute-git-dir")
        if code:
            raise SviError(
                "no-history",
                f"{source} has no git history that can be read ({said.partition(chr(10))[0]}). Nothing was changed.",
                "Give a git clone of WanGP, or its URL.",
                EXIT_USAGE,
            )
        return Path(os.fsdecode(found).rstrip("\r\n"))
    url = source or UPSTREAM
    if "://" not in url and "@" not in url:
        raise SviError(
            "no-history",
            f"There is no folder {url}, and it is not a URL. Nothing was changed.",
            "Give a git clone of WanGP, or a URL.",
            EXIT_USAGE,
        )
    return _mirror(url, cache or cache_folder(sys.platform, os.environ, Path.home()) / "history", progress)


def _mirror(url: str, cache: Path, progress: Progress) -> Path:
    name = "".join(sign if sign.isalnum() else "-" for sign in url.rsplit("://", maxsplit=1)[-1].removesuffix(".git"))
    target = cache / f"{name}.git"
    if target.is_dir():
        fetch = ("fetch", "--progress", "--prune", "origin", "+refs/heads/*:refs/heads/*")
        code, _, said = gitcall.answer(target, *fetch, progress=progress, around=False)
    else:
        cache.mkdir(parents=True, exist_ok=True)
        half = target.with_suffix(".part")
        shutil.rmtree(half, ignore_errors=True)
        clone = ("clone", "--progress", "--bare", "--", url, str(half))
        code, _, said = gitcall.answer(cache, *clone, progress=progress)
        if code == 0:
            half.rename(target)
    if code:
        lines = said.splitlines()
        why = next((line for line in lines if line.startswith("fatal:")), lines[-1] if lines else "git said nothing")
        raise SviError(
            "download-failed",
            f"{url} could not be read: {why.removeprefix('fatal:').strip().rstrip('.')}. Nothing was changed.",
            "Check the address and the network, or give a folder with a clone.",
            EXIT_DOWNLOAD,
        )
    return target


def resolve(git: Path, revision: str) -> str:
    """Return the full commit id of a revision, which may be anything that git understands.

    Raises:
        SviError: there is no such commit.
    """
    words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    code, found, _ = gitcall.answer(git, *words, around=False)
    if code:
        raise SviError("unknown-revision", f"{git} has no revision {revision!r}. Nothing was changed.", "", EXIT_USAGE)
    return found.decode().strip()


def tip(git: Path) -> str:
    """Return the newest commit of the main branch, or of HEAD where there is no main branch.

    Raises:
        SviError: the repository is empty.
    """
    names = [f"{name}^{{commit}}" for name in ("refs/heads/main", "refs/remotes/origin/main", "HEAD")]
    found = next(filter(None, blob_ids(git, names)), None)
    if found is None:
        raise SviError(
            "no-history",
            f"{git} holds no commits. Nothing was changed.",
            "Give a git clone of WanGP, or its URL.",
            EXIT_USAGE,
        )
    return found


def log(
    git: Path, include: Sequence[str], exclude: Sequence[str] = (), paths: Sequence[str] = (), *, walk: bool = True
) -> tuple[Commit, ...]:
    """List commits of the main line, oldest first.

    Args:
        include: commit ids to start from.
        exclude: leave out these commits and what they descend from.
        paths: only commits that change one of these files.
        walk: False describes the commits themselves instead of following their parents.

    Raises:
        SviError: a commit is missing or the repository is damaged.
    """
    how = ["--first-parent", "--reverse"] if walk else ["--no-walk=unsorted"]
    revisions = "\n".join([*include, *(f"^{commit}" for commit in exclude), ""])
    words = ("log", "--stdin", "--format=%H%x09%ct%x09%s", *how, "--", *paths)
    text = gitcall.git(git, *words, stdin=revisions.encode()).decode("utf-8", "replace")
    rows = (line.split("\t", 2) for line in text.split("\n") if line)
    return tuple(Commit(row[0], int(row[1]), row[2]) for row in rows)


def blob_ids(git: Path, specs: Iterable[str]) -> tuple[str | None, ...]:
    """Look objects up without reading them.

    Args:
        specs: names such as ``COMMIT:PATH``.

    Returns:
        Each object's id; None for those that do not exist.

    Raises:
        SviError: git cannot read the repository.
    """
    with gitcall.opened(git, around=False) as client:
        return tuple(_object_id(client, git, spec) for spec in specs)


def _object_id(client: Client, git: Path, spec: str) -> str | None:
    try:
        found: Any = client.get_object_header(spec)[0]  # bytes, whatever GitPython's types say
    except (ValueError, OSError) as error:
        # GitPython repeats what git answered; where git has ended, there is no answer or nobody to ask.
        if str(error).rstrip("'\"").endswith((" missing", " ambiguous")):
            return None
        raise _damaged(git, spec) from error
    return found.decode() if isinstance(found, bytes) else str(found)


def read_blobs(git: Path, ids: Iterable[str]) -> Iterator[bytes]:
    """Read objects one after the other, in the order asked for, through one git process.

    Raises:
        SviError: an object is missing or the repository is damaged.
    """
    with gitcall.opened(git, around=False) as client:
        for name in ids:
            try:
                *_, size, data = client.get_object_data(name)
            except (ValueError, OSError) as error:
                raise _damaged(git, name) from error
            if len(data) != size:
                raise _damaged(git, name)
            yield data


def _damaged(git: Path, name: str) -> SviError:
    _, _, said = gitcall.answer(git, "rev-parse", "--git-dir", around=False)
    why = f" ({said.partition(chr(10))[0]})" if said else ""
    return SviError(
        "damaged-history",
        f"{git} is damaged or incomplete: git could not read {name}{why}. Nothing was changed.",
        "Give another clone of WanGP, or its URL.",
    )


def changed_lines(git: Path, old: str, new: str) -> tuple[tuple[int, int, int, int], ...]:
    """Compare two objects by their ids.

    Returns:
        For each difference the first line and the number of lines in the old and in the new text.
    """
    text = gitcall.git(git, "diff", "--no-color", "--no-ext-diff", "-U0", "--patience", old, new)
    found = []
    for line in text.splitlines():
        if line.startswith(b"@@ "):
            ranges = [part[1:].split(b",") for part in line.split(b" ", 3)[1:3]]
            (start, size), (other, length) = [(int(part[0]), int(part[1]) if part[1:] else 1) for part in ranges]
            found.append((start, size, other, length))
    return tuple(found)
