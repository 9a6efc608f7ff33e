"""What the commands say about a plan, and the end of a command that was interrupted earlier."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from ..errors import SviError
from ..report.result import FileChange, HookPlace, Result
from ..writing import files, transaction
from ..writing.change import Plan
from .interrupted import LATER

Committed = Callable[[Result], None]


def file_changes(plan: Plan) -> tuple[FileChange, ...]:
    """Return the files of a plan with their sums."""
    return tuple(FileChange(change.path, _digest(change.before), _digest(change.after)) for change in plan.changes)


def hook_places(plan: Plan) -> tuple[HookPlace, ...]:
    """Return where the hooks of a plan are."""
    return tuple(
        HookPlace(path, place.hook, place.line, place.how, place.offset)
        for path, places in plan.places.items()
        for place in places
    )


def diff_of(plan: Plan, paths: Sequence[str]) -> str:
    """Return what a plan changes in WanGP's own files as one unified diff.

    Args:
        paths: WanGP's own files; the others come and go whole, and nobody reads a receipt as a diff.
    """
    from ..patching.unified import unified  # late: only a dry run shows a diff

    parts = (unified(change.path, change.before, change.after) for change in plan.changes if change.path in paths)
    return b"".join(parts).decode("utf-8", "surrogateescape")


def carry_out(plan: Plan, result: Result, committed: Committed) -> Result:
    """Write what a plan changes, and tell the moment it is done, even when Ctrl-C comes just then.

    Args:
        result: what the command has done then.
        committed: is told the result when, and only when, the files are changed.

    Returns:
        The result, with a note where something of the transaction could not be cleared away yet.

    Raises:
        SviError: a write failed; then nothing is changed.
    """
    try:
        if not transaction.run(plan):
            result = result._replace(notes=(*result.notes, LATER))
        committed(result)
    except BaseException as error:
        if plan.changes and _is_there(plan):
            committed(result)
        if isinstance(error, KeyboardInterrupt):
            # What the transaction put aside, or a lock just taken, need not wait for the next command.
            with contextlib.suppress(OSError, SviError):
                transaction.recover(plan.root)
        raise
    return result


def _is_there(plan: Plan) -> bool:
    try:
        return all(files.read(plan.root / change.path) == change.after for change in plan.changes)
    except (OSError, SviError):
        return False


def _digest(data: bytes | None) -> str | None:
    return None if data is None else files.digest(data)
