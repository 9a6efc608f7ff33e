"""The description of H.264 in an MP4 file: reads it, and writes another one into a file whose index comes last."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from ..errors import SviError

_PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1", b"avcC")
# Bytes of a box between its head and the boxes in it.
_FIELDS = {b"stsd": 8, b"avc1": 78}
_LARGEST = 256 * 1024 * 1024


def description(path: Path) -> bytes | None:
    """Return the parameter sets of the first H.264 stream (AVCDecoderConfigurationRecord), None where there is none.

    Raises:
        SviError: the file cannot be read.
    """
    moov, _ = _index(path)
    found = _find(moov)
    return None if found is None else moov[found[-1][1] + 8 : found[-1][1] + found[-1][2]]


def describe(path: Path, record: bytes) -> None:
    """Put other parameter sets into a file; its frames stay where they are.

    Raises:
        SviError: the file cannot be read or written, has no H.264 stream, or its index does not come last.
    """
    moov, at = _index(path)
    found = _find(moov)
    if found is None or path.stat().st_size != at + len(moov):
        raise _unusable(path)
    changed = bytearray(moov)
    _, start, size = found[-1]
    changed[start : start + size] = struct.pack(">I4s", len(record) + 8, b"avcC") + record
    for _, outer, old in found[:-1]:
        changed[outer : outer + 4] = struct.pack(">I", old + len(record) + 8 - size)
    try:
        with path.open("r+b") as file:
            file.seek(at)
            file.write(changed)
            file.truncate()
    except OSError as error:
        raise SviError("file-in-use", f"{path} cannot be written: {error.strerror or error}.") from error


def parameter_sets(record: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the sequence and the picture parameter sets of a description.

    Raises:
        ValueError: it is damaged.
    """
    sets: tuple[list[bytes], list[bytes]] = ([], [])
    at = 5
    try:
        for number, found in enumerate(sets):
            count = record[at] & (31 if number == 0 else 255)
            at += 1
            for _ in range(count):
                size = int.from_bytes(record[at : at + 2], "big")
                if not 0 < size <= len(record) - at - 2:
                    raise ValueError("a parameter set is cut off")
                found.append(record[at + 2 : at + 2 + size])
                at += 2 + size
    except IndexError:
        raise ValueError("a parameter set is missing") from None
    return sets


def both(first: bytes, second: bytes) -> bytes:
    """Return the description of a stream whose beginning is described by one record and whose end by another.

    Raises:
        ValueError: one of them is damaged, or both call different parameter sets by the same number.
    """
    (sps, pps), (more_sps, more_pps) = parameter_sets(first), parameter_sets(second)
    if ids(sps) & ids(more_sps) or pps_ids(pps) & pps_ids(more_pps):
        raise ValueError("two parameter sets have the same number")
    head = bytes([1, first[1], first[2], max(first[3], second[3]), first[4], 0xE0 | len(sps) + len(more_sps)])
    body = b"".join(len(one).to_bytes(2, "big") + one for one in (*sps, *more_sps))
    tail = b"".join(len(one).to_bytes(2, "big") + one for one in (*pps, *more_pps))
    old_tail = sum(len(one) + 2 for one in (*sps, *pps)) + 7
    return head + body + bytes([len(pps) + len(more_pps)]) + tail + first[old_tail:]


def ids(sps: list[bytes]) -> set[int]:
    """Return the numbers of sequence parameter sets, which stand behind the profile."""
    return {_number(one[4:]) for one in sps}


def pps_ids(pps: list[bytes]) -> set[int]:
    """Return the numbers of picture parameter sets."""
    return {_number(one[1:]) for one in pps}


def _number(data: bytes) -> int:
    """The Exp-Golomb number that some bits begin with."""
    bits = "".join(f"{each:08b}" for each in data[:8])
    zeros = len(bits) - len(bits.lstrip("0"))
    word = bits[zeros : 2 * zeros + 1]
    if len(word) != zeros + 1:
        raise ValueError("a parameter set has no number")
    return int(word, 2) - 1


def _index(path: Path) -> tuple[bytes, int]:
    """The box with the index, and where it begins."""
    try:
        with path.open("rb") as file:
            end, at = file.seek(0, 2), 0
            while at + 8 <= end:
                file.seek(at)
                size, kind = struct.unpack(">I4s", file.read(8))
                size = int.from_bytes(file.read(8), "big") if size == 1 else size or end - at
                if size < 8 or at + size > end:
                    break
                if kind == b"moov" and size <= _LARGEST:
                    file.seek(at)
                    return file.read(size), at
                at += size
    except OSError as error:
        raise SviError("unreadable-video", f"{path} cannot be read: {error.strerror or error}.") from error
    raise _unusable(path)


def _find(moov: bytes) -> list[tuple[bytes, int, int]] | None:
    """Kind, start and size of each box on the way to the first description of H.264."""

    def search(start: int, end: int, depth: int) -> list[tuple[bytes, int, int]] | None:
        for kind, at, size in _boxes(moov, start, end):
            if kind != _PATH[depth]:
                continue
            if depth + 1 == len(_PATH):
                return [(kind, at, size)]
            further = search(at + 8 + _FIELDS.get(kind, 0), at + size, depth + 1)
            if further is not None:
                return [(kind, at, size), *further]
        return None

    return search(0, len(moov), 0)


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        if size < 8 or start + size > end:
            return
        yield kind, start, size
        start += size


def _unusable(path: Path) -> SviError:
    return SviError("not-a-video", f"{path} is damaged, or no MP4 file: its index is missing or in another place.")
