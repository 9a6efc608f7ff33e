"""A Gradio that keeps what a page is made of and what its buttons do, without a browser."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

SKIP = object()


class Part:
    """One component, and what happens when somebody uses it."""

    def __init__(self, kind: str, words: tuple[Any, ...], further: dict[str, Any]) -> None:
        self.kind, self.words, self.further = kind, words, further
        self.calls: dict[str, tuple[Callable[..., Any], list[Any], list[Any]]] = {}

    def __enter__(self) -> Part:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def __getattr__(self, event: str) -> Any:
        if event not in ("click", "input", "then", "tick"):
            raise AttributeError(event)

        def on(call: Callable[..., Any], inputs: Any = (), outputs: Any = (), **further: Any) -> Part:
            self.calls[event] = (call, _listed(inputs), _listed(outputs))
            return Part("event", (), {})

        return on


class Gradio:
    """Stands in for the module."""

    def __init__(self) -> None:
        self.parts: list[Part] = []

    def __getattr__(self, kind: str) -> Callable[..., Part]:
        def make(*words: Any, **further: Any) -> Part:
            self.parts.append(Part(kind, words, further))
            return self.parts[-1]

        return make

    def skip(self) -> object:
        return SKIP

    def update(self, **changed: Any) -> dict[str, Any]:
        return changed

    def of(self, name: str) -> Part:
        """The component of that elem_id."""
        return next(each for each in self.parts if each.further.get("elem_id") == name)

    def said(self) -> list[str]:
        """What stands on the page as text."""
        return [str(each.words[0]) for each in self.parts if each.kind == "Markdown" and each.words]


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, (list, tuple)) else [given]
