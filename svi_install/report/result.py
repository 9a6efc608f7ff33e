"""What a command returns; `report` alone turns it into text or JSON."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from ..checkout.inspection import Checkout
from ..errors import EXIT_DONE

SCHEMA = 1

Status = Literal["done", "unchanged", "planned"]

# A line for a person: pieces of text, each with the name of a style or an empty one.
Line = tuple[tuple[str, str], ...]


class FileChange(NamedTuple):
    """One file that a command changed or would change, with sha256 sums; None stands for a file that is not there."""

    path: str
    before: str | None
    after: str | None


class HookPlace(NamedTuple):
    """Where a hook is: file, line, how it was placed, and how far from the place that the patch names."""

    path: str
    hook: str
    line: int
    how: str = "exact"
    offset: int = 0


class Result(NamedTuple):
    """What a command did.

    Args:
        command: its name.
        status: ``done``, ``unchanged`` when there was nothing to do, ``planned`` for a dry run.
        headline: one line for a person.
        checkout: the WanGP folder, None for commands without one.
        state: state of the checkout after the command.
        changes: the files, in the order of writing.
        hooks: where the hooks are.
        notes: what a person should know, one line each.
        todo: what is left to do, one line each.
        next_command: the one command that a person may want next.
        diff: unified diff of a dry run.
        extra: further values for the JSON object, by key.
        exit_code: exit code of the process.
        body: further lines for a person, in color; programs find the same in ``extra``.
        answer: nothing but this report was asked for, so the command failed when it cannot be printed.
    """

    command: str
    status: Status
    headline: str
    checkout: Checkout | None = None
    state: str = ""
    changes: tuple[FileChange, ...] = ()
    hooks: tuple[HookPlace, ...] = ()
    notes: tuple[str, ...] = ()
    todo: tuple[str, ...] = ()
    next_command: str = ""
    diff: str = ""
    extra: Mapping[str, Any] = MappingProxyType({})
    exit_code: int = EXIT_DONE
    body: tuple[Line, ...] = ()
    answer: bool = False

    @property
    def only_says(self) -> bool:
        """Nothing was changed, and nothing but this report was asked for."""
        return self.answer or self.status == "planned"
