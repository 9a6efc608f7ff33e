"""Whether a file could load as a LoRA, judged by its head alone: bounded in memory and in time, whatever it holds.

The head of a safetensors file is eight bytes, the length of the list of tensors, lowest byte first; then the list as
JSON that begins with ``{``, each name once, with dtype, shape and where the tensor begins and ends; then the data, one
tensor after the other, without a gap and with nothing behind (huggingface/safetensors, README, "Format"). The head of a
GGUF file is described in ggml-org/ggml, docs/gguf.md. Nothing but the standard library is used here.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

# The list of 800 tensors takes about 100 KB, the notes of a trainer some more; safetensors itself stops at 100 MB.
LARGEST_LIST = 4 * 1024 * 1024
# The vocabulary of a text encoder takes 6 MB.
LARGEST_GGUF_HEAD = 16 * 1024 * 1024
_MOST_TENSORS = 100_000
_MOST_SIDES = 8
_LONGEST_SIDE = 1 << 48
_LONG = re.compile(rb"[0-9]{19}")
_BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
# Name, values in a block and bytes of a block, by the number that stands in a GGUF file.
_QUANTS = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
}  # fmt: skip
_GGUF = b"GGUF"
# Bytes of a value, by the number of its kind; 8 is a text and 9 a list.
_VALUES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_TEXT, _LIST, _U32 = 8, 9, 4
_ALIGNMENT = 32
NO_LORA = "is not a LoRA: it contains no LoRA matrices"
_MATRIX = re.compile(r"lora|\.(?:diff|diff_b|diff_m|hada_w\d_[ab]|lokr_w\d(?:_[ab])?)$", re.IGNORECASE)


class Unsound(Exception):  # noqa: N818 - it says what a file is, it is not a failure of the program
    """A file that cannot load; its text goes behind the name of the file, such as ``is empty``."""


class Tensor(NamedTuple):
    """One tensor: the kind of its numbers, its sides, and where it begins and ends behind the head."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


class Head(NamedTuple):
    """The head of a file whose size agrees with it.

    Args:
        kind: ``safetensors`` or ``gguf``.
        tensors: by name.
        size: bytes of the whole file.
        tensor_bytes: bytes of it behind the head.
    """

    kind: str
    tensors: Mapping[str, Tensor]
    size: int
    tensor_bytes: int


def problem(path: Path) -> str | None:
    """Say why a file cannot load as a LoRA.

    Args:
        path: the file; its name says whether it has to be a safetensors or a GGUF file.

    Returns:
        None when it could load, else what comes behind its name, such as ``is empty``.
    """
    try:
        head = read(path)
    except Unsound as unsound:
        return str(unsound)
    except FileNotFoundError:
        return "is not there"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    if head.kind == "gguf":
        return None if path.suffix.lower() == ".gguf" else "is a GGUF file, but its name says otherwise"
    if path.suffix.lower() == ".gguf":
        return "is not a GGUF file"
    return None if holds_matrices(head.tensors) else NO_LORA


def holds_matrices(names: Iterable[str]) -> bool:
    """Tell whether one of the names of a file's tensors is that of a LoRA matrix."""
    return any(_MATRIX.search(name) for name in names)


def read(path: Path) -> Head:
    """Read the head of a safetensors or GGUF file and compare it with the size of the file.

    Args:
        path: the file; only its head is read.

    Returns:
        Its tensors.

    Raises:
        Unsound: it is neither, it is damaged, or it is not complete.
        OSError: it cannot be opened or read.
    """
    # Opening a pipe would wait for whoever writes into it.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    fd = os.open(path, flags)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise Unsound("is not a file")
        if not status.st_size:
            raise Unsound("is empty")
        with os.fdopen(fd, "rb", closefd=False) as file:
            first = file.read(8)
            if first.startswith(_GGUF):
                return _read_gguf(file, status.st_size)
            return _read_safetensors(file, first, status.st_size)
    finally:
        os.close(fd)


def _read_safetensors(file: BinaryIO, first: bytes, size: int) -> Head:
    length = int.from_bytes(first, "little")
    # One byte is looked at before megabytes are: text of another kind rarely has a curly bracket just there.
    if len(first) < 8 or length < 2 or length > 100_000_000 or file.read(1) not in (b"{", b""):
        raise Unsound("is not a safetensors file")
    if length > LARGEST_LIST:
        raise Unsound(f"is not a LoRA: its list of tensors takes up {length:,} bytes")
    text = b"{" + file.read(length - 1)
    if len(text) < length:
        raise Unsound(f"is cut: {size:,} bytes are there, less than its list of tensors")
    tensors = _tensors(text)
    at = 0
    for start, stop in sorted((tensor.start, tensor.stop) for tensor in tensors.values()):
        if start != at:
            raise Unsound("is damaged: its tensors do not follow one another")
        at = stop
    _compare(size, 8 + length + at)
    return Head("safetensors", tensors, size, at)


def _tensors(text: bytes) -> dict[str, Tensor]:
    # A call for each number would take longer than all the rest, and hardly any list holds one so long.
    whole = _whole if _LONG.search(text) else None
    try:
        listed = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_once,
            parse_int=whole,
            parse_float=_refuse,
            parse_constant=_refuse,
        )
        notes = listed.pop("__metadata__", {})
        if not all(isinstance(value, str) for value in notes.values()):
            raise ValueError
        return {name: _tensor(entry["dtype"], entry["shape"], *entry["data_offsets"]) for name, entry in listed.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        # Whatever was wrong in there is of no use to a person, and may be megabytes of it.
        raise Unsound("is damaged: its list of tensors cannot be read") from None


def _tensor(dtype: str, shape: list[int], start: int, stop: int) -> Tensor:
    if type(shape) is not list or {*map(type, shape), type(start), type(stop)} != {int}:
        raise TypeError
    if (stop - start) * 8 != _count(shape) * _BITS[dtype] or start < 0:
        raise ValueError
    return Tensor(dtype, tuple(shape), start, stop)


def _count(shape: Sequence[int]) -> int:
    if len(shape) > _MOST_SIDES:
        raise ValueError
    count = 1
    for side in shape:
        if not 0 <= side < _LONGEST_SIDE:
            raise ValueError
        count *= side
    return count


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _whole(digits: str) -> int:
    # Python before 3.10.7 takes minutes for a number of a million digits.
    if len(digits) > 18:
        raise ValueError
    return int(digits)


def _refuse(_number: str) -> Any:
    raise ValueError


def _compare(size: int, wanted: int, room: int = 0) -> None:
    if size < wanted:
        raise Unsound(f"is cut: {size:,} of {wanted:,} bytes are there")
    if size > wanted + room:
        raise Unsound(f"is too long: it has {size:,} bytes, but its tensors end at {wanted:,}")


class _Gguf:
    """Reads one value after the other and stops where the head has to be over."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self.at = 8

    def skip(self, count: int) -> None:
        """Pass over bytes."""
        self._move(count)
        self._file.seek(self.at)

    def take(self, count: int) -> bytes:
        """Read bytes."""
        self._move(count)
        return self._file.read(count)

    def number(self, width: int = 8) -> int:
        """Read a whole number."""
        return int.from_bytes(self.take(width), "little")

    def _move(self, count: int) -> None:
        self.at += count
        if self.at > self._size:
            raise Unsound(f"is cut: {self._size:,} bytes are there, less than its list of tensors")
        if self.at > LARGEST_GGUF_HEAD:
            raise Unsound("is damaged: its header has no end")

    def value(self, kind: int, depth: int = 0) -> int:
        """Pass over a value; the number it is, where it is one of four bytes, else 0."""
        if kind == _U32:
            return self.number(4)
        if kind in _VALUES:
            self.skip(_VALUES[kind])
        elif kind == _TEXT:
            self.skip(self.number())
        elif kind == _LIST and depth < 4:
            inner, count = self.number(4), self.number()
            if inner in _VALUES:
                self.skip(count * _VALUES[inner])
            else:
                # Each one takes eight bytes or more, so that the head is over before this takes long.
                for _ in range(count):
                    self.value(inner, depth + 1)
        else:
            raise Unsound("is damaged: its header cannot be read")
        return 0


def _read_gguf(file: BinaryIO, size: int) -> Head:
    file.seek(4)
    if int.from_bytes(file.read(4), "little") not in (2, 3):
        raise Unsound("is a GGUF file of a version that is not known")
    head = _Gguf(file, size)
    count, notes = head.number(), head.number()
    if not 0 < count <= _MOST_TENSORS or notes > _MOST_TENSORS:
        raise Unsound("is damaged: its header cannot be read")
    alignment = _ALIGNMENT
    for _ in range(notes):
        name = head.take(_bounded(head.number()))
        number = head.value(head.number(4))
        if name == b"general.alignment":
            alignment = number
    if not 0 < alignment <= 65536:
        raise Unsound("is damaged: its header cannot be read")
    tensors = dict(_gguf_tensors(head, count))
    begin = _padded(head.at, alignment)
    at = end = 0
    for tensor in sorted(tensors.values(), key=lambda one: one.start):
        if tensor.start != at:
            raise Unsound("is damaged: its tensors do not follow one another")
        end = tensor.stop
        at = _padded(end, alignment)
    if len(tensors) != count:
        raise Unsound("is damaged: the same tensor is in it twice")
    _compare(size, begin + end, at - end)
    return Head("gguf", tensors, size, size - begin)


def _gguf_tensors(head: _Gguf, count: int) -> Iterator[tuple[str, Tensor]]:
    for _ in range(count):
        name = head.take(_bounded(head.number())).decode("utf-8", "replace")
        sides = head.number(4)
        shape = tuple(head.number() for _ in range(sides if sides <= _MOST_SIDES else 0))
        quant, start = _QUANTS.get(head.number(4)), head.number()
        try:
            values = _count(shape)
        except ValueError:
            values = -1
        if sides > _MOST_SIDES or quant is None or values < 0 or values % quant[1]:
            raise Unsound("is damaged: its list of tensors cannot be read")
        yield name, Tensor(quant[0], shape, start, start + values // quant[1] * quant[2])


def _bounded(length: int) -> int:
    if length > 65536:
        raise Unsound("is damaged: its header cannot be read")
    return length


def _padded(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment
