"""Takes another patch set out of a file: only where every line of it is, word for word, one of a published version.

`patches/others.json` is made from that patch set's history by ``python -m svi_install.history.others GIT``. It holds
none of its lines, only their hashes, and how each line that it changed was before, in pieces of what it is now.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..package_data import data_folder
from . import hooks

NAME = "others.json"
SCHEMA = 1


def line_hash(line: bytes) -> str:
    """Return what a line is known by; how it ends does not matter."""
    return hashlib.sha256(line.rstrip(b"\r\n")).hexdigest()[:20]


def take_out(path: str, data: bytes, table: Mapping[str, Any] | None = None) -> bytes | None:
    """Take a published version of another patch set out of a file.

    Args:
        path: the file, relative to the checkout.
        data: its bytes.
        table: what is known of the patch set; that of this package when None.

    Returns:
        The bytes as they were before; None when what is there is not, word for word, one of its versions.
    """
    known = (_read(data_folder("patches") / NAME) if table is None else table).get(path)
    if not known:
        return None
    lines = re.findall(rb"[^\n]*\n|[^\n]+", data)
    hashes = [line_hash(line) for line in lines]
    found = {number: at for number, unit in enumerate(known["units"]) if len(at := _places(hashes, unit["lines"])) == 1}
    versions: list[list[int]] = [numbers for numbers in known["versions"].values() if set(numbers) <= set(found)]
    if not versions:
        return None
    # Where one version holds all that another one does, the larger one is what is there.
    _, whole = max((len(numbers), numbers) for numbers in versions)
    for number in sorted(whole, key=found.__getitem__, reverse=True):
        unit, (start,) = known["units"][number], found[number]
        now = lines[start : start + len(unit["lines"])]
        lines[start : start + len(unit["lines"])] = [_before(now, *piece) for piece in unit["out"]]
    clean = b"".join(lines)
    return None if hooks.foreign(clean, path) else clean


def _before(now: list[bytes], number: int, start: int | None = None, end: int = 0, text: str = "") -> bytes:
    """Return a line as it was: that line of today whole, or its start and its end with a text between them."""
    line = now[number]
    if start is None:
        return line
    body = line.rstrip(b"\r\n")
    return body[:start] + text.encode() + body[len(body) - end :] + line[len(body) :]


def _places(hashes: list[str], wanted: list[str]) -> list[int]:
    places: list[int] = []
    at = -1
    while True:
        try:
            at = hashes.index(wanted[0], at + 1)
        except ValueError:
            return places
        if hashes[at : at + len(wanted)] == wanted:
            places.append(at)


@functools.lru_cache(maxsize=1)
def _read(file: Path) -> Mapping[str, Any]:
    try:
        stored: dict[str, Any] = json.loads(file.read_bytes())
        files: dict[str, Any] = stored["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return files if stored["schema"] == SCHEMA else {}
