"""Published contents: what WanGP has published, and where the hooks go in each of them.

`patches/contents.json` is made from WanGP's history by ``python -m svi_install.history.contents GIT``. It saves time
and decides nothing: a file that it does not know is placed and proven like any other, and so is one whose hooks have
changed since or whose result is not, byte for byte, what placing gave when the list was made.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ..checkout.git_index import blob_id
from ..package_data import data_folder
from ..writing.change import Place, Placement
from ..writing.files import digest
from .patchset import Variant

NAME = "contents.json"
SCHEMA = 2


def is_published(path: str, data: bytes) -> bool:
    """Tell whether bytes are a published content of a file, line ends aside; no when the list cannot be read."""
    return any(_entry(path, text) is not None for text in (data, data.replace(b"\r\n", b"\n")))


def place(variants: tuple[Variant, ...], path: str, data: bytes) -> Placement | None:
    """Put every hook of a published content where `placement.place` puts it, without looking for its place.

    Returns:
        What `placement.place` would return; None when that is to be asked.
    """
    text = data.replace(b"\r\n", b"\n")
    if b"\r" in text or data not in (text, text.replace(b"\n", b"\r\n")):
        return None
    entry = _entry(path, text)
    if not entry or _read(data_folder("patches") / NAME)["hooks"][path] != key(variants):
        return None
    *spots, wanted = entry.split(" ")
    try:
        placed = put(variants, path, text, [(int(spot[:1]), int(spot[2:])) for spot in spots])
    except (ValueError, IndexError):
        return None
    if checksum(placed.after) != wanted:
        return None
    return placed if text == data else placed._replace(after=placed.after.replace(b"\n", b"\r\n"))


def settle(variants: tuple[Variant, ...], path: str, data: bytes) -> Placement:
    """Put every hook of a file in its place, by the list where it knows the content, else by looking for the places.

    Raises:
        PlacementError: a hook has no safe place.
    """
    placed = place(variants, path, data)
    if placed is None:
        from . import placement  # late: a published content need not be searched

        placed = placement.place(variants, path, data, blocks(path))
    return placed


def blocks(path: str) -> frozenset[str]:
    """Return which blocks of the newest published content are known to compile; a newer release has most of them."""
    listed = _read(data_folder("patches") / NAME)["blocks"].get(path, "")
    return frozenset(listed.split())


def put(variants: tuple[Variant, ...], path: str, text: bytes, spots: list[tuple[int, int]]) -> Placement:
    """Insert hooks at given lines.

    Args:
        variants: the diffs of the file.
        path: the file, relative to the checkout.
        text: its bytes, with LF line ends.
        spots: per hook the number of its variant and its first line in the result.
    """
    lines = text.split(b"\n")
    parts: list[bytes] = []
    places: list[Place] = []
    done = shift = 0
    for number, (variant, line) in enumerate(spots):
        hunk = variants[variant].hunks[number]
        parts += lines[done : line - 1 - shift]
        parts += [added.encode() for added in hunk.added]
        done = line - 1 - shift
        offset = done + 1 - hunk.line
        how: Literal["exact", "moved"] = "moved" if offset else "exact"
        places.append(Place(hunk.hook, line, how, offset, variants[variant].name))
        shift += len(hunk.added)
    return Placement(path, tuple(places), b"\n".join([*parts, *lines[done:]]))


def key(variants: tuple[Variant, ...]) -> str:
    """Sum up all that placing goes by, so that no list can outlive the hooks that it was made with."""
    return checksum(repr([variant._replace(releases=()) for variant in variants]).encode())


def checksum(data: bytes) -> str:
    """Return the first half of a sha256, in hex."""
    return digest(data)[:32]


def _entry(path: str, data: bytes) -> str | None:
    found: str | None = _read(data_folder("patches") / NAME)["files"].get(path, {}).get(blob_id(data))
    return found


@functools.lru_cache(maxsize=1)
def _read(file: Path) -> Mapping[str, Any]:
    try:
        stored: dict[str, Any] = json.loads(file.read_bytes())
        texts = [group.values() for group in (stored["hooks"], stored["blocks"], *stored["files"].values())]
        whole = stored["schema"] == SCHEMA and stored["hooks"].keys() == stored["files"].keys()
        if whole and all(isinstance(text, str) for group in texts for text in group):
            return stored
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return {"hooks": {}, "blocks": {}, "files": {}}
