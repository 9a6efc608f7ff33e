"""From patched text to code objects: which functions of a file carry hooks, and how they are exchanged in memory.

The lines of the code are mapped back to the file on the disk, so that a traceback shows what stands there. A function
is exchanged only while it is, bytecode for bytecode, the one that the file on the disk compiles to: an update between
the start of WanGP and now, or another plugin that has exchanged the same function, is noticed and nothing is done.
"""

from __future__ import annotations

import ast
import functools
import inspect
import warnings
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from ..package_data import MARKER

_MARK = MARKER.encode()


class CodeError(Exception):
    """Code that cannot be exchanged; the text says why, as the end of a sentence."""


class Exchange(NamedTuple):
    """One function of a file.

    Attributes:
        name: the classes that it stands in, then its own name.
        stock: its code as WanGP's file compiles to.
        hooked: its code with the hooks, with the line numbers of WanGP's file.
    """

    name: tuple[str, ...]
    stock: CodeType
    hooked: CodeType


def exchanges(path: str, after: bytes) -> tuple[Exchange, ...]:
    """Compile a file with and without its hooks, and return the functions that they change.

    Both are compiled as a whole: what Python makes of a function depends on what its module imports.

    Args:
        path: of the file, for its tracebacks.
        after: its text with the hooks; hooks outside of functions are passed over.

    Raises:
        CodeError: the text does not compile, or the hooks change more than functions.
    """
    rows = after.split(b"\n")
    numbers: list[int] = []
    line = 1
    for row in rows:
        numbers.append(line)
        line += _MARK not in row
    text: Any = after
    try:
        tree = ast.parse(text, path)
        for node in ast.walk(tree):
            for key in ("lineno", "end_lineno"):
                number = getattr(node, key, None)
                if number is not None:
                    setattr(node, key, numbers[number - 1])
        stock = _compile(b"\n".join(row for row in rows if _MARK not in row), path)
        return tuple(_differences((), stock, _compile(tree, path)))
    except (SyntaxError, ValueError) as error:
        raise CodeError(f"{path} does not compile: {error}") from error


def _compile(source: Any, path: str) -> CodeType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code: CodeType = compile(source, path, "exec", dont_inherit=True)
    return code


def _differences(way: tuple[str, ...], stock: CodeType, hooked: CodeType) -> Iterator[Exchange]:
    """Yield the outermost functions whose code differs; a class is looked into."""
    before, after = ([each for each in code.co_consts if isinstance(each, CodeType)] for code in (stock, hooked))
    if [each.co_name for each in before] != [each.co_name for each in after]:
        raise CodeError("a hook defines a function")
    for one, other in zip(before, after, strict=True):
        if one == other:
            continue
        name = (*way, one.co_name)
        if one.co_flags & inspect.CO_OPTIMIZED:
            yield Exchange(name, one, other)
        else:
            yield from _differences(name, one, other)


def find(namespace: Mapping[str, Any], wanted: Exchange) -> FunctionType:
    """Find a function under its name: itself, or below what decorators and other plugins have put around it.

    Args:
        namespace: of the module.

    Raises:
        CodeError: it is not there as the file on the disk has it.
    """
    holder: Any = namespace
    *classes, name = wanted.name
    for each in classes:
        holder = vars(holder[each]) if each in holder else {}
    if name not in holder:
        raise CodeError(f"this WanGP has no function {'.'.join(wanted.name)}")
    for function in _below(holder[name]):
        if function.__code__ == wanted.stock:
            return function
    raise CodeError(f"{'.'.join(wanted.name)} in memory is not the one on the disk")


def _below(outer: Any) -> Iterator[FunctionType]:
    todo, seen = [outer], set[int]()
    while todo:
        each = todo.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, FunctionType):
            yield each
            todo += [cell.cell_contents for cell in each.__closure__ or () if _filled(cell)]
        for attribute in ("__func__", "__wrapped__", "func", "_torchdynamo_orig_callable"):
            inner = getattr(each, attribute, None)
            if callable(inner):
                todo.append(inner)


def _filled(cell: Any) -> bool:
    try:
        return isinstance(cell.cell_contents, FunctionType | functools.partial | staticmethod | classmethod)
    except ValueError:
        return False


def swap(namespace: Mapping[str, Any], wanted: Iterable[Exchange]) -> list[FunctionType]:
    """Exchange the code of functions, all of them or none.

    Returns:
        The functions, in the order of `wanted`.

    Raises:
        CodeError: one of them is not there as the file on the disk has it.
    """
    pairs = [(find(namespace, each), each) for each in wanted]
    for function, each in pairs:
        function.__code__ = _at(each.hooked, function.__code__.co_filename)
    return [function for function, _ in pairs]


def _at(code: CodeType, filename: str) -> CodeType:
    inner = tuple(_at(each, filename) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_filename=filename, co_consts=inner)
