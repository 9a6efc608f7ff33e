"""Stands above WanAny2V.generate. Written for the laboratory; WanGP 13.0 and later have a module of this name.

Read: shared/utils/phase_progress.py between 13.0 and 17.17: generation_progress keeps the method's signature (wraps),
binds every call to it, lets a call inside of a call through, and returns None when the model was interrupted.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

_busy: ContextVar[bool] = ContextVar("busy", default=False)


def generation_progress(method: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(method)

    @functools.wraps(method)
    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _busy.get():
            return method(self, *args, **kwargs)
        signature.bind(self, *args, **kwargs)
        token = _busy.set(True)
        try:
            result = method(self, *args, **kwargs)
        finally:
            _busy.reset(token)
        return None if self._interrupt else result

    return watched
