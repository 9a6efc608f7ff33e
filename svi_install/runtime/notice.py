"""What the person in front of WanGP's form sees: toasts, and a refusal as an error that stays until it is closed.

Outside of the form (``--process``, the API) there is nobody to see them; there the console says the same.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, MutableMapping
from typing import Any

from .console import say

TITLE = "SVI"
# Several of them come at once, and a person reads one after the other.
SECONDS = 30
# The step of Generate that checks the settings and makes tasks of them; it may end in an error of the form.
GENERATE = "process_prompt_and_add_tasks"
_pressed = threading.local()


def wrap(namespace: MutableMapping[str, Any]) -> None:
    """Has a refusal end the press of Generate as an error; WanGP's own refusals are only remarks."""
    original = namespace.get(GENERATE)
    if callable(original):
        namespace[GENERATE] = _wrapper(namespace, original)


def in_form() -> bool:
    """Whether this thread works for somebody at the form."""
    if "gradio" not in sys.modules:
        return False
    try:
        from gradio.context import LocalContext

        return LocalContext.blocks.get() is not None and LocalContext.event_id.get() is not None
    except Exception:  # noqa: BLE001  (another gradio)
        return False


def refuse(namespace: MutableMapping[str, Any], message: str) -> None:
    """Says why nothing is started: an error at Generate, a warning elsewhere in the form, a line of the console."""
    say(f"not started: {message}")
    if getattr(_pressed, "now", False):
        _pressed.refusal = message
    else:
        _toast(namespace, "Warning", message)


def warn(namespace: MutableMapping[str, Any], message: str) -> None:
    """Shows a warning in the form."""
    _toast(namespace, "Warning", message)


def inform(namespace: MutableMapping[str, Any], message: str) -> None:
    """Shows a remark in the form."""
    _toast(namespace, "Info", message)


def _toast(namespace: MutableMapping[str, Any], kind: str, message: str) -> None:
    gradio = namespace.get("gr")
    if gradio is None or not in_form():
        return
    try:
        getattr(gradio, kind)(message, title=TITLE, duration=SECONDS)
    except TypeError:  # a gradio whose toasts have no title
        getattr(gradio, kind)(f"{TITLE}: {message}")


def _error(namespace: MutableMapping[str, Any], message: str) -> Exception:
    gradio = namespace["gr"]
    try:
        # 0: until it is closed. WanGP shows its own errors so too.
        error: Exception = gradio.Error(message, duration=0, title=f"{TITLE} cannot start", print_exception=False)
    except TypeError:
        error = gradio.Error(f"{TITLE} cannot start: {message}")
    return error


def _wrapper(namespace: MutableMapping[str, Any], original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def process_prompt_and_add_tasks(*args: Any, **kwargs: Any) -> Any:
        if not in_form():
            return original(*args, **kwargs)
        _pressed.now, _pressed.refusal = True, None
        try:
            result = original(*args, **kwargs)
        finally:
            _pressed.now = False
        if _pressed.refusal is not None:
            # WanGP has not marked the settings as checked, so the steps behind this one do nothing.
            raise _error(namespace, _pressed.refusal)
        return result

    return process_prompt_and_add_tasks
