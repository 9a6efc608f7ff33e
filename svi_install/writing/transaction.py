"""All or nothing: a plan is staged beside the files, journalled, renamed into place, and undone if anything fails.

Whatever needs room on the disk is written before the first file changes; from then on there are only renames, and
taking back is renaming the very files that were there. A link stays a link and the file behind it changes. Of a file
with several names (hard links) this name alone changes: the others, often a backup, keep their bytes.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ..errors import SviError
from ..writing.change import Change, Plan
from . import files, lock, outside, targets
from .files import FOLDER
from .journal import Entry, Journal, pack
from .receipt import TIGHT
from .recovery import DONE, DRAFT, RUNNING, Recovery, settle, sweep


class _Step(NamedTuple):
    change: Change
    entry: Entry
    real: Path


def run(plan: Plan) -> bool:
    """Carry out a plan completely or not at all.

    Args:
        plan: what is to change. A plan without changes touches nothing.

    Returns:
        False when it was done, but what was staged for it could not be removed yet; the next command does that.

    Raises:
        SviError: the plan was refused or a write failed; the files are as they were. Should even taking back fail,
            the message says so, and the next command takes back.
    """
    if not plan.changes and not plan.sweep:
        return True
    with lock.hold(plan.root, plan.command) as folder:
        settle(plan.root, folder)
        try:
            return _carry_out(plan, folder)
        except SviError as error:
            if error.code != "disk-full" or plan.command != "revert":
                raise
            from . import full_disk

            full_disk.run(plan, folder)
            return True


def planned(root: Path, make: Callable[[], Plan]) -> Plan:
    """Make a plan, and make it again if it was refused while another svi-install was half way.

    Args:
        make: makes the plan from what is in the checkout.

    Raises:
        SviError: the plan was refused, or another svi-install is at work there.
    """
    try:
        return make()
    except SviError:
        if not os.path.lexists(root / FOLDER / lock.NAME):
            return make()
    with lock.hold(root, "plan"):
        return make()


def recover(root: Path) -> Recovery | None:
    """Finish or undo a command that was interrupted in this checkout.

    Returns:
        What was done, None when there was nothing to do.

    Raises:
        SviError: another svi-install is at work there, or the disk refused; nothing is lost then, run it again.
    """
    try:
        names = {path.name for path in (root / FOLDER).iterdir()}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise files.plain(error, root / FOLDER, "read") from error
    # An empty folder is what is left of a command that ended just before it took the lock.
    if names and not names & {RUNNING, DONE, DRAFT, TIGHT, lock.NAME}:
        return None
    with lock.hold(root, "recover") as folder:
        return settle(root, folder)


class _Work(NamedTuple):
    """A plan that was looked at closely: nothing of it has been done."""

    steps: tuple[_Step, ...]
    journal: Journal
    token: str
    beyond: tuple[Path, ...]


def _carry_out(plan: Plan, folder: Path) -> bool:
    try:
        work = _prepared(plan)
    except OSError as error:
        raise files.plain(error, Path(error.filename or plan.root), "read") from error
    data = work.journal.to_bytes()
    outside.note(plan.root, work.token, data, work.beyond, _staged_beyond(plan.root, work.steps))
    place = folder
    try:
        for place in _written(plan.root, work, data, folder):  # noqa: B007 - a failure is told with it
            pass
    except BaseException as error:
        _take_back(plan.root, folder, place, error)
        raise
    with contextlib.suppress(OSError):
        files.sync_folder(folder)
    swept = sweep(plan.root, folder, work.journal, frozenset(map(str, work.beyond)))
    if swept:
        _forget(data, work.beyond)
    return swept


def _written(root: Path, work: _Work, journal: bytes, folder: Path) -> Iterator[Path]:
    """Change the tree; yields what it is going to work on, so that a failure can be told with its place."""
    yield folder
    _store(journal, folder)
    for name in work.journal.folders:
        yield root / name
        files.make_folder(root / name)
    files.sync_folders((root / name).parent for name in work.journal.folders)
    with contextlib.ExitStack() as stack:
        staged: list[tuple[Path, int]] = []
        for step in work.steps:
            yield step.real
            _keep_old(step)
            if step.change.after is not None:
                staged.append((step.real, _stage(step, step.change.after)))
                stack.callback(os.close, staged[-1][1])
        for number, refused in files.sync([handle for _, handle in staged]).items():
            yield staged[number][0]
            raise refused
    for step in work.steps:
        if step.entry.new and step.change.mtime_ns is not None:
            yield step.real
            files.set_mtime(step.real.with_name(step.entry.new), step.change.mtime_ns)
    for step, following in zip(work.steps, (*work.steps[1:], None), strict=False):  # a plan may only sweep
        yield step.real
        _apply(step)
        # Each folder before the next one changes: whatever the disk loses, no hook comes before what it calls.
        if following is None or following.real.parent != step.real.parent:
            files.sync_folder(step.real.parent)
    yield folder
    files.replace(folder / RUNNING, folder / DONE)


def _prepared(plan: Plan) -> _Work:
    roots = targets.outside_roots(plan.root)
    for path, expected in plan.relies.items():
        data = files.read(plan.root / path)
        if (None if data is None else files.digest(data)) != expected:
            raise _changed(plan.root / path)
    token = os.urandom(4).hex()
    steps = _steps(plan, roots, token)
    made = _missing_folders(plan)
    reals = [step.real for step in steps]
    reals += [targets.resolve(plan.root, name, roots) for name in (*made, *plan.sweep)]
    beyond = tuple(real for real in reals if outside.is_outside(plan.root, real))
    journal = Journal(plan.command, time.time(), tuple(step.entry for step in steps), made, plan.sweep)
    return _Work(steps, journal, token, beyond)


def _staged_beyond(root: Path, steps: tuple[_Step, ...]) -> list[Path]:
    names = [(step.real, name) for step in steps for name in (step.entry.new, step.entry.old) if name]
    return [real.with_name(name) for real, name in names if outside.is_outside(root, real)]


def _forget(data: bytes, beyond: tuple[Path, ...]) -> None:
    # It is done, and without its journal a note means nothing.
    with contextlib.suppress(SviError):
        record = outside.of_journal(data) if beyond else None
        if record is not None:
            outside.forget(record)


def _steps(plan: Plan, roots: tuple[Path, ...], token: str) -> tuple[_Step, ...]:
    steps: list[_Step] = []
    for number, change in enumerate(plan.changes):
        real = targets.resolve_file(plan.root, change.path, roots)
        if any(os.path.normcase(step.real) == os.path.normcase(real) for step in steps):
            raise SviError(
                "unsafe-path", f"Two of the files to write are one and the same: {real}. Nothing was changed."
            )
        if change.after is None and files.is_link(plan.root / change.path):
            raise SviError("unsafe-path", f"{real} is behind a link; nothing was changed.", "Remove the link.")
        _check_before(change, real)
        entry = Entry(
            change.path,
            None if change.before is None else files.digest(change.before),
            None if change.after is None else files.digest(change.after),
            "" if change.before is None else pack(change.before),
            "" if change.after is None else f".svi-{token}.{number}n",
            "" if change.before is None else f".svi-{token}.{number}o",
        )
        steps.append(_Step(change, entry, real))
    return tuple(steps)


def _check_before(change: Change, real: Path) -> None:
    if files.read(real) != change.before:
        raise _changed(real)
    if change.before is not None and not real.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise SviError(
            "read-only",
            f"{real} is marked read-only. Nothing was changed.",
            "Clear its read-only mark, then run the same command again.",
        )


def _changed(path: Path) -> SviError:
    return SviError(
        "changed-meanwhile",
        f"{path} was changed by another program just now. It was left untouched.",
        "Close WanGP and its updater, then run the same command again.",
    )


def _missing_folders(plan: Plan) -> tuple[str, ...]:
    missing: dict[str, None] = {}
    for change in plan.changes:
        if change.after is not None:
            for parent in reversed(PurePosixPath(change.path).parents):
                if not os.path.lexists(plan.root / parent):
                    missing[str(parent)] = None
    return tuple(missing)


def _store(data: bytes, folder: Path) -> None:
    files.write_new(folder / DRAFT, data)
    files.replace(folder / DRAFT, folder / RUNNING)
    files.sync_folders((folder, folder.parent))


def _keep_old(step: _Step) -> None:
    if step.change.before is not None:
        files.keep_aside(step.real, step.real.with_name(step.entry.old))


def _stage(step: _Step, after: bytes) -> int:
    like = None if step.change.before is None else step.real
    return files.begin_new(step.real.with_name(step.entry.new), after, like)


def _apply(step: _Step) -> None:
    change, entry, real = step.change, step.entry, step.real
    _check_before(change, real)
    if change.after is None:
        files.remove(real)
    else:
        files.replace(real.with_name(entry.new), real)


def _take_back(root: Path, folder: Path, place: Path, error: BaseException) -> None:
    try:
        settle(root, folder)
    except (OSError, SviError) as second:
        raise SviError(
            "not-taken-back",
            f"Could not finish ({_reason(error, place)}) or undo what was written ({_reason(second, folder)}). "
            "Nothing is lost: the old files were kept.",
            f'Once the disk works again, run svi-install --status "{root}": it puts the rest back by itself.',
        ) from error
    if isinstance(error, OSError):
        failure = files.plain(error, place, "write")
        failure.message = f"{failure.message} Every file is as it was before."
        failure.args = (failure.message,)
        raise failure from error


def _reason(error: BaseException, place: Path) -> str:
    if isinstance(error, OSError):
        error = files.plain(error, place, "write")
    return str(error).rstrip(".")
