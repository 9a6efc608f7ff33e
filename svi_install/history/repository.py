"""Reads WanGP's history straight from git objects: no checkout, equal contents once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import EXIT_DOWNLOAD, EXIT_USAGE, SviError
from .gitcall import environment

UPSTREAM = "https://github.com/deepbeepmeep/Wan2GP.git"


@dataclass(frozen=True)
class Commit:
    """One commit: full id, seconds since 1970, first line of its message."""

    id: str
    time: int
    subject: str


def open_history(source: str | None, cache: Path | None = None) -> Path:
    """Find or fetch the git repository that a person named.

    Args:
        source: a folder in or of a git repository, or a URL; WanGP's own URL when None.
        cache: where clones of URLs are kept; the platform's cache folder when None.

    Returns:
        The git directory.

    Raises:
        SviError: git is missing, the folder is no repository, or the clone failed.
    """
    if shutil.which("git") is None:
        raise SviError(
            "no-git",
            "This command reads WanGP's git history, and git is not installed.",
            "Install git from https://git-scm.com and run the command again.",
        )
    if source is not None and Path(source).exists():
        found = _git(Path(source), ["rev-parse", "--absolute-git-dir"])
        if found.returncode:
            raise SviError(
                "no-history",
                f"{source} has no git history: it is not a git repository.",
                "Give a git clone of WanGP, or its URL.",
                EXIT_USAGE,
            )
        return Path(os.fsdecode(found.stdout).strip())
    url = source or UPSTREAM
    if "://" not in url and "@" not in url:
        raise SviError(
            "no-history", f"There is no folder {url}, and it is not a URL.", "Give a git clone or a URL.", EXIT_USAGE
        )
    return _mirror(url, cache or _cache_folder())


def _mirror(url: str, cache: Path) -> Path:
    target = cache / (
        "".join(c if c.isalnum() else "-" for c in url.rsplit("://", maxsplit=1)[-1].removesuffix(".git")) + ".git"
    )
    if target.is_dir():
        done = _git(target, ["fetch", "--quiet", "--prune", "origin", "+refs/heads/*:refs/heads/*"])
    else:
        cache.mkdir(parents=True, exist_ok=True)
        half = target.with_suffix(".part")
        shutil.rmtree(half, ignore_errors=True)
        done = _git(cache, ["clone", "--quiet", "--bare", url, str(half)])
        if done.returncode == 0:
            half.rename(target)
    if done.returncode:
        why = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise SviError(
            "download-failed",
            f"{url} could not be read: {why[-1] if why else 'git said nothing'}.",
            "Check the address and the network, or give a folder with a clone.",
            EXIT_DOWNLOAD,
        )
    return target


def _cache_folder() -> Path:
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "svi-install" / "history"


def _git(folder: Path, arguments: Sequence[str], stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], input=stdin, capture_output=True, env=environment(), check=False
    )


def resolve(git: Path, revision: str) -> str:
    """Return the full commit id of a revision.

    Args:
        git: the git directory.
        revision: anything git understands.

    Returns:
        The commit id.

    Raises:
        SviError: there is no such commit.
    """
    done = _git(git, ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"])
    if done.returncode:
        raise SviError("unknown-revision", f"{git} has no revision {revision!r}.", "", EXIT_USAGE)
    return done.stdout.decode().strip()


def tip(git: Path) -> str:
    """Return the newest commit of the main branch, or of HEAD where there is no main branch.

    Args:
        git: the git directory.

    Returns:
        The commit id.

    Raises:
        SviError: the repository is empty.
    """
    for name in ("refs/heads/main", "refs/remotes/origin/main", "HEAD"):
        done = _git(git, ["rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"])
        if done.returncode == 0:
            return done.stdout.decode().strip()
    raise SviError("no-history", f"{git} holds no commits.", "Give a git clone of WanGP, or its URL.", EXIT_USAGE)


def log(
    git: Path, include: Sequence[str], exclude: Sequence[str] = (), paths: Sequence[str] = (), *, walk: bool = True
) -> tuple[Commit, ...]:
    """List commits of the main line, oldest first.

    Args:
        git: the git directory.
        include: commit ids to start from.
        exclude: leave out these commits and what they descend from.
        paths: only commits that change one of these files.
        walk: False describes the commits themselves instead of following their parents.

    Returns:
        The commits.
    """
    how = ["--first-parent", "--reverse"] if walk else ["--no-walk=unsorted"]
    revisions = "\n".join([*include, *(f"^{commit}" for commit in exclude)])
    done = _git(git, ["log", "--stdin", "--format=%H%x09%ct%x09%s", *how, "--", *paths], revisions.encode() + b"\n")
    rows = (line.split("\t", 2) for line in done.stdout.decode("utf-8", "replace").splitlines())
    return tuple(Commit(row[0], int(row[1]), row[2]) for row in rows)


def blob_ids(git: Path, specs: Iterable[str]) -> tuple[str | None, ...]:
    """Look objects up without reading them.

    Args:
        git: the git directory.
        specs: names such as ``COMMIT:PATH``.

    Returns:
        Each object's id; None for those that do not exist.
    """
    done = _git(git, ["cat-file", "--batch-check=%(objectname)"], "".join(f"{spec}\n" for spec in specs).encode())
    return tuple(
        None if line.endswith((b" missing", b" ambiguous")) else line.decode() for line in done.stdout.splitlines()
    )


def read_blobs(git: Path, ids: Iterable[str]) -> Iterator[bytes]:
    """Read objects one after the other through one git process.

    Args:
        git: the git directory.
        ids: object ids, all of which exist.

    Yields:
        Their contents, in the order asked for.

    Raises:
        SviError: an object is missing or the repository is damaged.
    """
    command = ["git", "-C", str(git), "cat-file", "--batch"]
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nowhere, env=environment()) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for name in ids:
            process.stdin.write(f"{name}\n".encode())
            process.stdin.flush()
            head = process.stdout.readline().split()
            if len(head) != 3:
                process.kill()
                raise SviError("damaged-history", f"{git} is damaged or incomplete: it lacks object {name}.")
            yield process.stdout.read(int(head[2]))
            process.stdout.read(1)
        process.stdin.close()


def changed_lines(git: Path, old: str, new: str) -> tuple[tuple[int, int, int, int], ...]:
    """Compare two objects.

    Args:
        git: the git directory.
        old: an object id.
        new: an object id.

    Returns:
        For each difference the first line and the number of lines in the old and in the new text.
    """
    done = _git(git, ["diff", "--no-color", "--no-ext-diff", "-U0", "--patience", old, new])
    found = []
    for line in done.stdout.splitlines():
        if line.startswith(b"@@ "):
            ranges = [part[1:].split(b",") for part in line.split(b" ", 3)[1:3]]
            (start, size), (other, length) = [(int(part[0]), int(part[1]) if part[1:] else 1) for part in ranges]
            found.append((start, size, other, length))
    return tuple(found)
