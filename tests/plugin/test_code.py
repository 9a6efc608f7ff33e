"""Which functions of a text carry hooks, and what may be exchanged for what."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import pytest

from svi_install.plugin import code

STOCK = '''
"""A text
def nothing():
"""
from __future__ import annotations
import os

class Outer:
    class Inner:
        @staticmethod
        def method(x, *, y=1):
            def within():
                return x + y
            return within()

    def other(self):
        return __class__

def plain(x):
    return [each for each in os.fspath(x)]
'''
HOOK = "            x = x + 10  # svi-install\n"


def loaded(text: str = STOCK) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "module"}
    exec(compile(text, "module.py", "exec", dont_inherit=True), namespace)
    return namespace


def hooked(*lines: tuple[str, str]) -> bytes:
    text = STOCK
    for anchor, hook in lines:
        assert text.count(anchor) == 1
        text = text.replace(anchor, hook + anchor)
    return text.encode()


METHOD = ("            def within():\n", HOOK)
PLAIN = ("    return [each for", "    x = x.upper()  # svi-install\n")


def test_the_functions_that_a_hook_changes() -> None:
    found = code.exchanges("module.py", hooked(METHOD, PLAIN))
    assert [each.name for each in found] == [("Outer", "Inner", "method"), ("plain",)]
    for each in found:
        assert each.stock.co_firstlineno == each.hooked.co_firstlineno
        lines = {line for _, _, line in each.hooked.co_lines() if line}
        assert lines >= {line for _, _, line in each.stock.co_lines() if line} - {None}
        assert max(lines) <= STOCK.count("\n") + 1


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_all_are_exchanged(newline: str) -> None:
    namespace = loaded(STOCK.replace("\n", newline))
    method = namespace["Outer"].Inner.method
    functions = code.swap(namespace, code.exchanges("x", hooked(METHOD, PLAIN).replace(b"\n", newline.encode())))
    assert namespace["Outer"].Inner.method(1) == 12
    assert namespace["Outer"].Inner.method is method is functions[0]
    assert namespace["plain"]("ab") == ["A", "B"]
    assert functions[0].__code__.co_filename == "module.py"
    inner = [each for each in functions[0].__code__.co_consts if isinstance(each, types.CodeType)]
    assert [each.co_filename for each in inner] == ["module.py"]


def test_all_or_none() -> None:
    namespace = loaded()
    before = namespace["Outer"].Inner.method.__code__
    namespace["plain"] = lambda x: x
    with pytest.raises(code.CodeError, match="plain in memory is not the one on the disk"):
        code.swap(namespace, code.exchanges("x", hooked(METHOD, PLAIN)))
    assert namespace["Outer"].Inner.method.__code__ is before


def test_a_hook_outside_of_functions_is_passed_over() -> None:
    assert code.exchanges("x", hooked(("class Outer:\n", "import os  # svi-install\n"))) == ()


def test_a_hook_must_not_define_a_function() -> None:
    with pytest.raises(code.CodeError, match="defines a function"):
        code.exchanges("x", hooked(("class Outer:\n", "def extra(): pass  # svi-install\n")))


@pytest.mark.parametrize("text", [b"def f(:\n", b"x = 1\0\n"])
def test_a_text_that_does_not_compile(text: bytes) -> None:
    with pytest.raises(code.CodeError, match="x does not compile"):
        code.exchanges("x", text)


def keyed(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


WRAPPED: dict[str, Callable[[Callable[..., Any]], Any]] = {
    "functools.wraps": lambda function: functools.wraps(function)(keyed(function)),
    "a closure alone": keyed,
    "twice": lambda function: keyed(functools.wraps(function)(keyed(function))),
    "functools.partial": functools.partial,
    "functools.lru_cache": functools.lru_cache,
    "a partial in a closure": lambda function: keyed(functools.partial(function)),
}


@pytest.mark.parametrize("how", WRAPPED)
def test_it_is_found_below_decorators(how: str) -> None:
    namespace = loaded()
    namespace["plain"] = WRAPPED[how](namespace["plain"])
    code.swap(namespace, code.exchanges("x", hooked(PLAIN)))
    assert namespace["plain"]("ab") == ["A", "B"]


@pytest.mark.parametrize(
    "change",
    [
        lambda namespace: namespace.pop("plain"),
        lambda namespace: namespace.update(plain=None),
        lambda namespace: namespace.update(plain=loaded(STOCK.replace("fspath(x)", "fspath(x) "))["plain"].__doc__),
        lambda namespace: namespace.update(plain=loaded(f"\n{STOCK}")["plain"]),
        lambda namespace: namespace.update(plain=loaded(STOCK.replace("each in os", "each in  os"))["plain"]),
    ],
    ids=["gone", "none", "a text", "another line", "another column"],
)
def test_another_function_is_left_alone(change: Callable[[dict[str, Any]], object]) -> None:
    namespace = loaded()
    change(namespace)
    with pytest.raises(code.CodeError, match=r"no function plain|is not the one on the disk"):
        code.swap(namespace, code.exchanges("x", hooked(PLAIN)))


def test_a_class_that_is_gone() -> None:
    namespace = loaded()
    del namespace["Outer"]
    with pytest.raises(code.CodeError, match=r"no function Outer\.Inner\.method"):
        code.swap(namespace, code.exchanges("x", hooked(METHOD)))


def test_a_function_that_holds_itself() -> None:
    """Cells may be empty or lead in a circle."""
    namespace = loaded()

    def circle() -> Any:
        return circle, never

    namespace["plain"] = circle
    if namespace is None:
        never = 1
    with pytest.raises(code.CodeError, match="is not the one on the disk"):
        code.swap(namespace, code.exchanges("x", hooked(PLAIN)))
