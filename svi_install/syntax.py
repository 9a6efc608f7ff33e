"""What Python says about a source text: does it compile, and which function holds a hook.

Compiling ``wgp.py`` takes longer than everything else together, and from one release to the next most of its functions
stay the same. So the text is compiled in blocks of whole top-level statements, and each verdict is remembered.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import CodeType

from .diffs import MARKER

MODULE = "<module>"

_OPTIMIZED = 1  # inspect.CO_OPTIMIZED: set for functions, not for modules and classes; importing inspect costs 5 ms
_TOP_LEVEL = re.compile(rb"\n(?=(?:async )?def |class )")
_STATEMENT = re.compile(rb"([ \t]*)(?:(?:async[ \t]+)?def[ \t]+(\w+)|(class)\b|[A-Za-z_])")


def hook_functions(data: bytes) -> Mapping[int, str] | None:
    """Compile a source text and say which function holds each hook line.

    Args:
        data: the text as bytes, in any newline style.

    Returns:
        For each line that carries our mark and is code, its number and the name of its innermost function, ``<module>``
        outside functions, ``class NAME`` in a class body. None when the text does not compile.
    """
    found: dict[int, str] = {}
    line = 0
    for block in _blocks(data):
        functions = _judge(block)
        if functions is None:
            return _judge(data)
        found.update((line + number, name) for number, name in functions.items())
        line += block.count(b"\n")
    return found


def compile_error(data: bytes) -> str:
    """Compile a source text.

    Args:
        data: the text as bytes.

    Returns:
        What is wrong with it, with the line; empty when it compiles.
    """
    try:
        _compile(data)
    except SyntaxError as error:
        return f"{error.msg} (line {error.lineno})"
    except (ValueError, MemoryError, RecursionError) as error:
        return str(error)
    return ""


def defines(data: bytes, names: tuple[str, ...]) -> bool:
    """Say whether a source text defines a function under one of some names.

    Args:
        data: the text as bytes.
        names: the function names.

    Returns:
        True when there is such a ``def`` at the start of a line.
    """
    return any(
        re.search(rb"^[ \t]*(?:async[ \t]+)?def[ \t]+" + name.encode() + rb"\b", data, re.MULTILINE) for name in names
    )


def function_by_indentation(data: bytes, offset: int, indent: bytes) -> str:
    """Find the function around a place by indentation alone, for a text that does not compile.

    Args:
        data: the text as bytes.
        offset: start of the line in question.
        indent: white space that the line in question starts with.

    Returns:
        The function's name, ``<module>`` outside functions, ``class NAME`` in a class body. Text in column 0 of a
        string makes the answer ``<module>``: too careful, never wrong.
    """
    width = len(indent.expandtabs())
    end = offset
    while width and end > 0:
        start = data.rfind(b"\n", 0, end - 1) + 1
        match = _STATEMENT.match(data, start, end)
        end = start
        if match is None or len(match[1].expandtabs()) >= width:
            continue
        width = len(match[1].expandtabs())
        if match[2]:
            return match[2].decode()
        if match[3]:
            return f"class {data[match.end() : data.find(b':', match.end())].strip().decode(errors='replace')}"
    return MODULE


def _blocks(data: bytes) -> Iterator[bytes]:
    start = 0
    for match in _TOP_LEVEL.finditer(data):
        end = match.end()
        above = data[data.rfind(b"\n", 0, match.start()) + 1 : match.start()]
        if not above.startswith((b"@", b")")):
            yield data[start:end]
            start = end
    yield data[start:]


@lru_cache(maxsize=2048)
def _judge(block: bytes) -> Mapping[int, str] | None:
    try:
        code = _compile(block)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    mark = MARKER.encode()
    wanted = {number for number, line in enumerate(block.split(b"\n"), 1) if mark in line} if mark in block else set()
    found: dict[int, str] = {}
    if wanted:
        _walk(code, wanted, found)
    return found


def _walk(code: CodeType, wanted: set[int], found: dict[int, str]) -> None:
    kind = "" if code.co_flags & _OPTIMIZED or code.co_name == MODULE else "class "
    for _, _, line in code.co_lines():
        if line in wanted:
            found[line] = f"{kind}{code.co_name}"
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            _walk(inner, wanted, found)


def _compile(data: bytes) -> CodeType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compile(data, "WanGP", "exec", dont_inherit=True)
