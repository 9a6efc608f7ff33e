"""What Python says about a source text: does it compile, which function holds a hook, which names does it find there.

Compiling ``wgp.py`` takes longer than everything else together, and from one release to the next most of its functions
stay the same. So the text is taken in blocks of whole top-level statements, each verdict is remembered, and blocks
without a hook go through Python's parser and symbol table alone: what its compiler finds beyond no hook has caused.
"""

from __future__ import annotations

import builtins
import hashlib
import re
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple

from ..package_data import MARKER

MODULE = "<module>"

_OPTIMIZED = 1  # inspect.CO_OPTIMIZED: set for functions, not for modules and classes; importing inspect costs 5 ms
_TOP_LEVEL = re.compile(rb"\n(?=(?:async )?def |class )")
_WORD = re.compile(rb"\w")
_STATEMENT = re.compile(rb"([ \t]*)(?:(?:async[ \t]+)?def[ \t]+(\w+)|(class)\b|[A-Za-z_])")


class Site(NamedTuple):
    """Where a hook line is.

    ``function`` is the name of the innermost function, ``<module>`` outside functions, ``class NAME`` in a class body;
    ``names`` are the function's parameters and variables, ``first`` and ``last`` its lines.
    """

    function: str
    names: frozenset[str]
    first: int
    last: int


def hook_sites(data: bytes, proven: Collection[str] = ()) -> Mapping[int, Site] | None:
    """Compile a source text and say where each hook line is.

    Args:
        data: the text as bytes, in any newline style.
        proven: `block_id` of blocks without a hook that are known to compile.

    Returns:
        For each line that carries our mark and is code its number and its site; None when the text does not compile.
    """
    found: dict[int, Site] = {}
    line = 0
    for block in blocks(data):
        sites = {} if proven and block_id(block) in proven else _judge(block)
        if sites is None:
            return _judge(data)
        for number, site in sites.items():
            found[line + number] = Site(site.function, site.names, line + site.first, line + site.last)
        line += block.count(b"\n")
    return found


def compile_error(data: bytes) -> str:
    """Return what is wrong with a source text, with the line; empty when it compiles."""
    try:
        _compile(data)
    except SyntaxError as error:
        return f"{error.msg} (line {error.lineno})"
    except (ValueError, MemoryError, RecursionError) as error:
        return str(error)
    return ""


def defines(data: bytes, names: tuple[str, ...]) -> bool:
    """Tell whether a source text defines a function under one of some names, at any depth."""
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


def block_id(block: bytes) -> str:
    """Return 64 bits of a block's sha256, in hex, whatever its line ends."""
    return hashlib.sha256(block.replace(b"\r\n", b"\n")).hexdigest()[:16]


def compiles_alone(block: bytes) -> bool:
    """Tell whether a block carries no hook and consists of whole statements."""
    return MARKER.encode() not in block and _judge(block) is not None


def blocks(data: bytes) -> Iterator[bytes]:
    """Split a source text before top-level functions and classes; a block may be cut within a text, then it fails."""
    start = 0
    for match in _TOP_LEVEL.finditer(data):
        end = match.end()
        above = data[data.rfind(b"\n", 0, match.start()) + 1 : match.start()]
        if not above.startswith((b"@", b")")):
            yield data[start:end]
            start = end
    yield data[start:]


def missing_name(data: bytes, lines: Sequence[bytes], site: Site, number: int, added: tuple[str, ...]) -> str:
    """Look for a name that hook lines use and that is not there, because upstream renamed or dropped it.

    Args:
        data: the text with the hook.
        lines: the same text, split at its newlines.

    Returns:
        The first such name; empty when all are there.
    """
    read, stored = _used_names(added)
    for name in sorted(read - site.names - set(dir(builtins))):
        # At the top level: the word or what stands before it in its line begins in column 0.
        if not any(before[:1] not in (b" ", b"\t", b"#") for before in _word(data, name)):
            return name
    if site.function == MODULE:
        return ""
    rest = b"\n".join([*lines[site.first - 1 : number - 1], *lines[number - 1 + len(added) : site.last]])
    return next((name for name in sorted((read | stored) & site.names) if next(_word(rest, name), None) is None), "")


def _word(data: bytes, name: str) -> Iterator[bytes]:
    """Yield the start of each line before a whole word; several times faster than a regular expression."""
    word = name.encode()
    start = data.find(word)
    while start >= 0:
        end = start + len(word)
        if not _WORD.match(data[end : end + 1]) and not _WORD.match(data[max(start - 1, 0) : start]):
            yield data[data.rfind(b"\n", 0, start) + 1 : start]
        start = data.find(word, end)


@lru_cache(maxsize=64)
def _used_names(added: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names that hook lines read from around them, and those that they set."""
    import ast
    import textwrap

    nodes = list(ast.walk(ast.parse(textwrap.dedent("\n".join(added)))))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    own = {node.asname or node.name for node in nodes if isinstance(node, ast.alias)}
    own |= {node.name for node in nodes if isinstance(node, ast.ExceptHandler) and node.name}
    read = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    return frozenset(read - own), frozenset(node.id for node in names if isinstance(node.ctx, ast.Store)) - own


@lru_cache(maxsize=2048)
def _judge(block: bytes) -> Mapping[int, Site] | None:
    mark = MARKER.encode()
    try:
        if mark not in block:
            _parse(block)
            return {}
        code = _compile(block)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    found: dict[int, Site] = {}
    _walk(code, {number for number, line in enumerate(block.split(b"\n"), 1) if mark in line}, found)
    return found


def _walk(code: CodeType, wanted: set[int], found: dict[int, Site]) -> None:
    kind = "" if code.co_flags & _OPTIMIZED or code.co_name == MODULE else "class "
    lines = {line for _, _, line in code.co_lines() if line}
    here = wanted & lines
    if here:
        names = frozenset([*code.co_varnames, *code.co_cellvars, *code.co_freevars])
        site = Site(f"{kind}{code.co_name}", names, code.co_firstlineno, max(lines))
        found.update((line, site) for line in here)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            _walk(inner, wanted, found)


def _parse(data: bytes) -> None:
    import symtable

    source: Any = data  # taken like the source of compile; the type stubs know of text alone
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        symtable.symtable(source, "WanGP", "exec")


def _compile(data: bytes) -> CodeType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compile(data, "WanGP", "exec", dont_inherit=True)
