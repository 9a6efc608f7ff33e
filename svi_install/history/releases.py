"""Chooses releases and commits of WanGP and judges them: does every hook have a safe place in each of them?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from ..errors import EXIT_USAGE, SviError
from ..patching.patchset import PatchSet
from ..patching.placement import Refusal
from . import repository
from .git_environment import Progress
from .judge import MAIN_FILE, Cause, FileVerdict, Job, Variants, jobs_of, judge
from .repository import Commit

How = Literal["exact", "moved", "reduced", "refused"]


@dataclass(frozen=True)
class Verdict:
    """What became of one release or commit."""

    version: str
    commit: Commit
    files: tuple[FileVerdict, ...]

    @property
    def patchable(self) -> bool:
        """Whether every hook has its place."""
        return not any(item.refusals for item in self.files)

    @property
    def how(self) -> How:
        """The least certain way in which a hook was placed."""
        if not self.patchable:
            return "refused"
        ways = {item.how for file in self.files for item in file.places}
        return "reduced" if "reduced" in ways else "moved" if "moved" in ways else "exact"

    @property
    def day(self) -> str:
        """The day of the commit, as in 2026-08-19."""
        return datetime.fromtimestamp(self.commit.time, timezone.utc).date().isoformat()


@dataclass(frozen=True)
class _Candidate:
    version: str
    commit: Commit


def releases(
    git: Path, patchset: PatchSet, since: str | None = None, revision: str | None = None, all_commits: bool = False
) -> tuple[_Candidate, ...]:
    """Choose what to judge.

    Args:
        patchset: its table names the commits of the known releases.
        since: start at this release; at the oldest known one when None.
        all_commits: take every commit of the main line instead of one per release.

    Returns:
        The commits, oldest first. Those after the last known release have no version yet: `check` reads it.

    Raises:
        SviError: there is no such release or revision.
    """
    if revision is not None:
        return tuple(
            _Candidate("", item) for item in repository.log(git, [repository.resolve(git, revision)], walk=False)
        )
    known = list(patchset.commits.items())
    if since is not None:
        if since not in patchset.commits:
            raise SviError(
                "unknown-release",
                f"The patch set does not list WanGP {since!r}.",
                f"Name one of its releases, from {known[0][0]} to {known[-1][0]}.",
                EXIT_USAGE,
            )
        known = known[list(patchset.commits).index(since) :]
    there = repository.blob_ids(git, [f"{commit}^{{commit}}" for _, commit in known])
    known = [entry for entry, found in zip(known, there, strict=True) if found]
    tip = repository.tip(git)
    if all_commits or not known:
        first = [f"{known[0][1]}^@"] if known else []
        versions = {commit: version for version, commit in known}
        return tuple(_Candidate(versions.get(item.id, ""), item) for item in repository.log(git, [tip], first))
    described = repository.log(git, [commit for _, commit in known], walk=False)
    news = repository.log(git, [tip], [commit for _, commit in known], [MAIN_FILE])
    old = [_Candidate(version, item) for (version, _), item in zip(known, described, strict=True)]
    return (*old, *(_Candidate("", item) for item in news))


def check(
    git: Path,
    patchset: PatchSet,
    candidates: Sequence[_Candidate],
    *,
    all_commits: bool = False,
    reference: PatchSet | None = None,
    progress: Progress | None = None,
    processes: int | None = None,
) -> tuple[Verdict, ...]:
    """Judge releases or commits.

    Args:
        all_commits: keep every commit; otherwise the first one of each version.
        reference: a patch set that knows better; placements that differ from its own count as wrong.
        progress: told how many contents are finished.
        processes: how many to use at most.

    Returns:
        The verdicts in the same order; a refusal names the upstream commit that caused it where git knows.
    """
    rows = jobs_of(git, [item.commit.id for item in candidates], patchset.paths)
    # Contents of one file stand together, so that neighbours share most of what has to be compiled.
    jobs = [row[number] for number in range(len(patchset.paths)) for row in rows]
    better = None if reference is None else reference.variants
    found = judge(
        git,
        [job for job in jobs if job],
        patchset.variants,
        reference=better,
        progress=progress,
        processes=processes,
    )
    verdicts = []
    seen = {item.version for item in candidates}
    for item, row in zip(candidates, rows, strict=True):
        files = tuple(found[job] if job else _missing(path) for path, job in zip(patchset.paths, row, strict=True))
        version = item.version or next((file.version for file in files if file.version), "unknown")
        if all_commits or item.version or version not in seen:
            verdicts.append(Verdict(version, item.commit, files))
        seen.add(version)
    return _with_causes(git, patchset.variants, verdicts)


def _missing(path: str) -> FileVerdict:
    return FileVerdict(path, "", refusals=(Refusal(path, "", "the file does not exist", "", ()),))


def _with_causes(git: Path, variants: Variants, verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    judged: dict[tuple[str, str], tuple[Cause, ...]] = {}
    done = []
    for number, verdict in enumerate(verdicts):
        files = []
        for column, file in enumerate(verdict.files):
            if file.refusals and (file.path, file.blob) not in judged:
                before = (item.commit.id for item in reversed(verdicts[:number]) if not item.files[column].refusals)
                judged[file.path, file.blob] = causes(git, variants, file, next(before, ""), verdict.commit.id)
            files.append(replace(file, causes=judged.get((file.path, file.blob), ())))
        done.append(replace(verdict, files=tuple(files)))
    return tuple(done)


def causes(git: Path, variants: Variants, file: FileVerdict, good: str, bad: str) -> tuple[Cause, ...]:
    """Find the upstream commits from which on hooks have no place.

    Args:
        file: the verdict with the refusals.
        good: an earlier commit in which every hook of the file has a place; empty when there is none.
        bad: the commit of the verdict.

    Returns:
        One cause per refused hook that had a place before.
    """
    if not good:
        return ()
    wanted = {refusal.hook for refusal in file.refusals}
    found: dict[str, Cause] = {}
    line = repository.log(git, [bad], [good], [file.path])
    jobs: list[Job | None] = [row[0] for row in jobs_of(git, [item.id for item in line], [file.path])]
    verdicts = judge(git, [job for job in jobs if job], variants, processes=1)
    for commit, job in zip(line, jobs, strict=True):
        refused = {refusal.hook for refusal in verdicts[job].refusals} if job else wanted
        for hook in wanted & refused:
            found.setdefault(hook, Cause(hook, commit))
        for hook in wanted - refused:
            found.pop(hook, None)
    return tuple(found.values())
