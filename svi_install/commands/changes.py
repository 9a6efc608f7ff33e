"""What the commands say about a plan, and the end of a command that was interrupted earlier."""

from __future__ import annotations

import hashlib

from ..plan import Plan
from ..result import FileChange, HookPlace
from ..unified import unified


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


def diff_of(plan: Plan) -> str:
    """Return a plan as one unified diff."""
    parts = (unified(change.path, change.before, change.after) for change in plan.changes)
    return b"".join(parts).decode("utf-8", "surrogateescape")


def _digest(data: bytes | None) -> str | None:
    return None if data is None else hashlib.sha256(data).hexdigest()
