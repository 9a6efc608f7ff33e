"""Finds and removes the hook lines in a file, and recognises the traces of other patch sets."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from ..errors import EXIT_UNSUPPORTED, SviError
from ..package_data import MARKER
from .patchset import Variant

# Whatever of a hook line survives an edit: the mark, or the runtime's name. The first hooks called it ``svi``, which
# may be a name of WanGP's own: such a line is ours only if it says, word for word, what one of those hooks said.
_TRACE = re.compile(rb"svi(?:-install|_wangp|\.(?:install|attach|stitch)\(|[\"']\])")
_OURS = re.compile(rb"#\s*svi-install\s*$|\bsvi_wangp\b")
_GOES_ON = ("except", "else", "finally")
_CONFLICT = re.compile(rb"^(?:<<<<<<<|>>>>>>>) ", re.MULTILINE)
_WAN2GP_SVI = {
    "wgp.py": (b"svi_ref_pad_num", b"svi_num_motion_frames"),
    "models/wan/any2video.py": (b"svi_random_ref_frame", b"bbargs.get('svi_mode'"),
    "models/wan/modules/model.py": (b"SVI/DiffSynth LoRA format",),
}


class Found(NamedTuple):
    """What is there of one hook; ``lines`` are 1-based and name the first line of each complete copy."""

    hook: str
    lines: tuple[int, ...]
    state: Literal["ours", "edited", "missing"]


class _Line(NamedTuple):
    start: int
    end: int
    number: int
    text: str


def find_hooks(variants: tuple[Variant, ...], path: str, data: bytes) -> tuple[Found, ...]:
    """Say for each hook of a file whether it is there as we wrote it.

    Returns:
        One entry per hook in file order; ``edited`` also when a hook is there twice or in part.
    """
    ours = list(_our_lines(variants, data))
    hooks = {hunk.hook: _stripped(hunk.added) for variant in variants for hunk in variant.hunks}
    known = _known(variants)
    edited = {_closest(line.text, hooks) for line in ours if line.text not in known}
    return tuple(_found(name, added, ours, name in edited) for name, added in hooks.items())


def edited_lines(variants: tuple[Variant, ...], data: bytes) -> tuple[tuple[int, str], ...]:
    """List the lines that were hook lines once and were changed by somebody, and those that lost our mark.

    Returns:
        Their 1-based numbers and what they say now, without indentation.
    """
    return tuple(_edited(variants, data, list(_our_lines(variants, data))))


def remove_hooks(variants: tuple[Variant, ...], path: str, data: bytes) -> bytes:
    """Take every hook line of this and of older svi-installs out of a file; the opposite of ``place``.

    Raises:
        SviError: a hook line was changed by somebody, so that it is not ours to remove.
    """
    ours = list(_our_lines(variants, data))
    if edited := _edited(variants, data, ours):
        number, text = edited[0]
        raise SviError(
            "edited-hook",
            f"{path}, line {number}: somebody changed a line of svi-install, so it was left alone: "
            f"{text}\n"
            "Nothing was changed.",
            f"Take that line out of {path} (or put it back as it was) and run svi-install again.",
            EXIT_UNSUPPORTED,
        )
    kept: list[bytes] = []
    done = 0
    for line in ours:
        kept.append(data[done : line.start])
        done = line.end
    rest = b"".join([*kept, data[done:]])
    if done == len(data) and not data.endswith(b"\n"):
        # A hook at the very end took over the missing newline from the line above.
        return rest.removesuffix(b"\n").removesuffix(b"\r")
    return rest


def foreign(data: bytes, path: str) -> str | None:
    """Return the name of another SVI patch set whose traces a file holds, None without any."""
    return "wan2gp-svi" if any(trace in data for trace in _WAN2GP_SVI.get(path, ())) else None


def conflict_line(data: bytes) -> int:
    """Return the 1-based number of the first line that an unfinished merge left behind, 0 when there is none."""
    if b"<<<<<<< " not in data and b">>>>>>> " not in data:
        return 0
    match = _CONFLICT.search(data)
    return data.count(b"\n", 0, match.start()) + 1 if match else 0


def _edited(variants: tuple[Variant, ...], data: bytes, ours: list[_Line]) -> list[tuple[int, str]]:
    known = _known(variants)
    texts = {line.number: line.text for line in ours}
    found = {number: text for number, text in texts.items() if text not in known}
    rows: list[bytes] = []
    for added in _groups(variants):
        whole = {first + i for first in texts if _whole(texts, first, added) for i in range(len(added))}
        for number in [number for number, text in texts.items() if text in added and number not in whole]:
            # Without our mark the rest of the hook would be left behind, and WanGP would not even start.
            rows = rows or data.split(b"\n")
            for other, line in enumerate(added, number - added.index(texts[number])):
                text = rows[other - 1].strip().decode("utf-8", "replace") if 0 < other <= len(rows) else ""
                if text and text == line.removesuffix(MARKER).rstrip():
                    found[other] = text
    return sorted(found.items())


def _whole(texts: dict[int, str], first: int, added: tuple[str, ...]) -> bool:
    return all(texts.get(first + i) == line for i, line in enumerate(added))


def _known(variants: tuple[Variant, ...]) -> set[str]:
    current = {line for variant in variants for hunk in variant.hunks for line in _stripped(hunk.added)}
    return current.union(*(_stripped(variant.retired) for variant in variants))


def _groups(variants: tuple[Variant, ...]) -> set[tuple[str, ...]]:
    """Return the lines that stand and fall together: hooks of several lines, also those of older patch sets."""
    groups = {_stripped(hunk.added) for variant in variants for hunk in variant.hunks}
    for variant in variants:
        for first, second in itertools.pairwise(_stripped(variant.retired)):
            if second.startswith(_GOES_ON):
                groups.add((first, second))
    return {group for group in groups if len(group) > 1}


def _stripped(lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(line.strip() for line in lines)


def _our_lines(variants: tuple[Variant, ...], data: bytes) -> Iterator[_Line]:
    unmarked = {line.removesuffix(MARKER).rstrip().encode() for variant in variants for line in variant.retired}
    end = number = 0
    for match in _TRACE.finditer(data):
        if match.start() < end:
            continue
        start = data.rfind(b"\n", 0, match.start()) + 1
        number += data.count(b"\n", end, start) + 1
        end = data.find(b"\n", start) + 1 or len(data)
        text = data[start:end].strip()
        if _OURS.search(text) or text in unmarked:
            yield _Line(start, end, number, text.decode("utf-8", "replace"))


def _closest(text: str, hooks: dict[str, tuple[str, ...]]) -> str:
    import difflib

    def likeness(name: str) -> float:
        return max(difflib.SequenceMatcher(None, text, line, autojunk=False).ratio() for line in hooks[name])

    return max(hooks, key=likeness)


def _found(name: str, added: tuple[str, ...], ours: list[_Line], edited: bool) -> Found:
    by_number = {line.number: line.text for line in ours}
    complete = tuple(first for first in by_number if _whole(by_number, first, added))
    pieces = sum(text in added for text in by_number.values())
    if edited or pieces not in (0, len(added)) or (pieces and not complete):
        return Found(name, complete, "edited")
    return Found(name, complete, "ours" if complete else "missing")
