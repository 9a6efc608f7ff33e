"""Judges file contents by their git object: places every hook, on as many processors as the work is worth."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from multiprocessing import get_context, resource_tracker
from pathlib import Path

from ..checkout.inspection import version_in
from ..patching.patchset import Variant
from ..patching.placement import Place, PlacementError, Refusal, place
from ..signals import kept_from_children
from . import repository
from .git_environment import Progress
from .repository import Commit

MAIN_FILE = "wgp.py"
# Starting a process costs as much as judging this many files.
WORTH_A_PROCESS = 60
CHUNK = 16

Variants = Mapping[str, tuple[Variant, ...]]


@dataclass(frozen=True)
class Job:
    """One content to judge: the path decides about the hooks, the blob is git's name of the content."""

    path: str
    blob: str


@dataclass(frozen=True)
class Cause:
    """The upstream commit from which on a hook has no place."""

    hook: str
    commit: Commit


@dataclass(frozen=True)
class FileVerdict:
    """What became of one file.

    ``wrong`` names the hooks that stand elsewhere than the reference patch set puts them; ``broken`` is upstream's own
    syntax error; ``version`` is WanGP's, known from its main file only.
    """

    path: str
    blob: str
    places: tuple[Place, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    broken: str = ""
    wrong: tuple[str, ...] = ()
    version: str = ""
    causes: tuple[Cause, ...] = ()


def judge_text(variants: Variants, job: Job, data: bytes, reference: Variants | None = None) -> FileVerdict:
    """Place every hook in one file.

    Args:
        data: its bytes.
        reference: a patch set that knows better; where both place a hook, they must agree.
    """
    version = (version_in(data) if job.path == MAIN_FILE else None) or ""
    try:
        result = place(variants[job.path], job.path, data)
    except PlacementError as error:
        return FileVerdict(job.path, job.blob, refusals=error.refusals, version=version)
    wrong: tuple[str, ...] = ()
    if reference is not None:
        try:
            best = {item.hook: item.line for item in place(reference[job.path], job.path, data).places}
        except PlacementError:
            best = {}
        wrong = tuple(item.hook for item in result.places if best.get(item.hook) != item.line)
    return FileVerdict(job.path, job.blob, result.places, (), result.broken, wrong, version)


def judge(
    git: Path,
    jobs: Sequence[Job],
    variants: Variants,
    *,
    reference: Variants | None = None,
    progress: Progress | None = None,
    processes: int | None = None,
) -> dict[Job, FileVerdict]:
    """Judge many contents, each once.

    Args:
        jobs: what to judge; neighbours should be neighbours in history, because what they share is compiled once.
        reference: a patch set that knows better, see `judge_text`.
        progress: told how many contents are finished.
        processes: how many to use at most; as many as there are processors when None.

    Raises:
        SviError: the repository is damaged.
    """
    once = list(dict.fromkeys(jobs))
    tell = progress or repository.silent
    count = max(1, min(processes or os.cpu_count() or 1, len(once) // WORTH_A_PROCESS))
    verdicts: dict[Job, FileVerdict] = {}
    plain, best = dict(variants), None if reference is None else dict(reference)
    if count == 1:
        for start in range(0, len(once), CHUNK):
            part = once[start : start + CHUNK]
            verdicts.update(zip(part, _judge_part(git, part, plain, best), strict=True))
            tell("Judging files", len(verdicts), len(once))
        return verdicts
    with ExitStack() as stack:
        # One pool per process keeps each on one stretch of history; fork would copy the threads of a caller. Compiling
        # makes no garbage in cycles, and looking for it takes a sixth of the time.
        spawn = get_context("spawn")
        pools = [stack.enter_context(ProcessPoolExecutor(1, spawn, _begin)) for _ in range(count)]
        for pool in pools:
            # What waits when Ctrl-C comes is not to be done any more.
            stack.callback(pool.shutdown, cancel_futures=True)
        waiting: dict[Future[list[FileVerdict]], list[Job]] = {}
        if sys.platform != "win32":
            # Python's helper for spawned processes; its start would let Ctrl-C through to those that follow.
            resource_tracker.ensure_running()
        with kept_from_children():
            for number, pool in enumerate(pools):
                stretch = once[len(once) * number // count : len(once) * (number + 1) // count]
                for start in range(0, len(stretch), CHUNK):
                    part = stretch[start : start + CHUNK]
                    waiting[pool.submit(_judge_part, git, part, plain, best)] = part
        while waiting:
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                verdicts.update(zip(waiting.pop(future), future.result(), strict=True))
                tell("Judging files", len(verdicts), len(once))
    return verdicts


def _begin() -> None:
    gc.disable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _judge_part(
    git: Path, jobs: list[Job], variants: dict[str, tuple[Variant, ...]], reference: Variants | None
) -> list[FileVerdict]:
    blobs = repository.read_blobs(git, [job.blob for job in jobs])
    return [judge_text(variants, job, data, reference) for job, data in zip(jobs, blobs, strict=True)]


def jobs_of(git: Path, commits: Sequence[str], paths: Sequence[str]) -> list[list[Job | None]]:
    """Look up which content each commit has of each file.

    Returns:
        One list per commit with one job per path, None where the file does not exist.
    """
    found = repository.blob_ids(git, chain.from_iterable([f"{commit}:{path}" for path in paths] for commit in commits))
    jobs = [Job(path, blob) if blob else None for path, blob in zip(list(paths) * len(commits), found, strict=True)]
    return [jobs[start : start + len(paths)] for start in range(0, len(jobs), len(paths))]
