"""How much an exhaustive test tries: a part of its cases, or with SVI_TEST_ALL=1, as each night, every one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

ALL = bool(os.environ.get("SVI_TEST_ALL"))
T = TypeVar("T")


def some(cases: Sequence[T], step: int, first: int = 0) -> list[T]:
    """Every step-th case from the given one on, and the last, where new things break; all where all are wanted."""
    return list(cases) if ALL else [*cases[first:-1:step], *cases[-1:]]
