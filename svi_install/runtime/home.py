"""Where the hooks are: in WanGP's files, where svi-install put them, or in memory, where the plugin did."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Home(NamedTuple):
    """How the runtime looks after its hooks.

    Attributes:
        lost: returns the first of WanGP's files that has lost a hook, None when all are there; None for the files.
        remedy: what a person does about it, as the end of a sentence.
    """

    lost: Callable[[], str | None] | None
    remedy: str


_here = Home(None, "run svi-install again")


def move(home: Home) -> None:
    """Have the runtime look elsewhere for its hooks."""
    global _here  # noqa: PLW0603  (one WanGP, one home)
    _here = home


def lost(in_files: Callable[[], str | None]) -> str | None:
    """Return the first of WanGP's files that has lost a hook, None when all are there.

    Args:
        in_files: looks for the hooks in WanGP's files; asked only when they are there.
    """
    return (_here.lost or in_files)()


def remedy() -> str:
    """Return what a person does about a lost hook."""
    return _here.remedy
