"""Decides where each hunk goes in one source text, or refuses; pure functions of bytes.

A hunk goes where its whole text stands exactly once: at its own line (exact) or at another one (moved). When that text
is not there, outer context lines are dropped one by one, then the anchor's indentation (reduced); the anchor is never
dropped, what is left must stand exactly once, and Python itself must say that the place lies in the function that the
hunk names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import Literal, NamedTuple

from ..errors import EXIT_UNSUPPORTED, SviError
from ..writing.change import Place, Placement
from . import syntax
from .candidates import Candidate, nearest
from .hooks import Found, conflict_line, edited_lines, find_hooks, foreign, remove_hooks
from .patchset import Hunk, Variant

__all__ = [
    "Candidate",
    "Found",
    "Place",
    "Placement",
    "PlacementError",
    "Refusal",
    "find_hooks",
    "foreign",
    "place",
    "remove_hooks",
]


class Refusal(NamedTuple):
    """Why a hook has no place, and what comes nearest to it."""

    path: str
    hook: str
    why: str
    looked_for: str
    candidates: tuple[Candidate, ...]


class PlacementError(SviError):
    """A file that cannot be patched safely; ``refusals`` holds one entry for each hook without a place."""

    def __init__(self, path: str, refusals: tuple[Refusal, ...], hint: str) -> None:
        super().__init__("unsupported", _message(path, refusals), hint, EXIT_UNSUPPORTED)
        self.refusals = refusals


class _Spot(NamedTuple):
    """One line that reads like the anchor."""

    start: int
    end: int
    indent: bytes


class _Match(NamedTuple):
    hunk: Hunk
    variant: str
    spot: _Spot
    dropped: int
    reindented: bool

    @property
    def at(self) -> int:
        """Where the hook goes, as a byte offset."""
        return self.spot.end if self.hunk.anchor == "before" else self.spot.start

    @property
    def loss(self) -> tuple[bool, int]:
        """How much of the hunk does not match; the smaller the better."""
        return self.reindented, self.dropped


def place(variants: tuple[Variant, ...], path: str, data: bytes, proven: Collection[str] = ()) -> Placement:
    """Put every hook of a file in its place.

    Hooks that are there already, from this or an older svi-install, are taken out first: placing twice is placing once.

    Args:
        variants: the diffs of the file; the best match of any of them counts.
        path: the file, relative to the checkout.
        data: its bytes.
        proven: what is known to compile, see `syntax.hook_sites`.

    Raises:
        PlacementError: a hook has no safe place; nothing is decided for the others either.
    """
    _refuse_unfit(variants, path, data)
    clean = remove_hooks(variants, path, data)
    chosen: list[_Match] = []
    refusals: list[Refusal] = []
    for name in _hook_names(variants):
        outcome = _choose(variants, path, name, clean)
        if isinstance(outcome, Refusal):
            refusals.append(outcome)
        else:
            chosen.append(outcome)
    refusals += _out_of_order(path, clean, chosen)
    if not refusals:
        after, lines = _insert(clean, chosen)
        broken, refusals = _verify(path, clean, after, chosen, lines, proven=proven)
        if not refusals:
            return Placement(path, _places(clean, chosen, lines), after, broken)
    raise PlacementError(
        path,
        tuple(refusals),
        "Update svi-install: a newer patch set may know this WanGP. `svi-install check` says more.",
    )


def _refuse_unfit(variants: tuple[Variant, ...], path: str, data: bytes) -> None:
    if other := foreign(data, path):
        raise PlacementError(
            path,
            (Refusal(path, "", f"it already holds the hooks of another SVI patch set, {other}", "", ()),),
            f"Take {other} out first: restore {path} with `git checkout -- {path}` or from the WanGP zip.",
        )
    if number := conflict_line(data):
        raise PlacementError(
            path,
            (Refusal(path, "", f"line {number} is a conflict marker: a merge was left unfinished", "", ()),),
            f"Finish or undo the merge in {path}, for example with `git merge --abort`, and run svi-install again.",
        )
    if changed := edited_lines(variants, data):
        why = "somebody changed a line of svi-install"
        raise PlacementError(
            path,
            tuple(Refusal(path, "", why, text, (Candidate(number, text, 1.0),)) for number, text in changed),
            f"Take that line out of {path} (or put it back as it was) and run svi-install again.",
        )


def _hook_names(variants: tuple[Variant, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(hunk.hook for variant in variants for hunk in variant.hunks))


def _choose(variants: tuple[Variant, ...], path: str, hook: str, data: bytes) -> _Match | Refusal:
    hunks = [(hunk, variant.name) for variant in variants for hunk in variant.hunks if hunk.hook == hook]
    matches = [match for hunk, variant in hunks for match in _matches(hunk, variant, data)]
    least = min((match.loss for match in matches), default=None)
    best = [match for match in matches if match.loss == least]
    if len({match.at for match in best}) == 1:
        # Where several variants say the same, the last one is the youngest and its line numbers are the nearest.
        return best[-1]
    if best:
        looked_for = best[0].hunk.anchor_line.strip()
        lines = sorted({data.count(b"\n", 0, match.spot.start) + 1 for match in best})
        return Refusal(
            path,
            hook,
            f"its anchor is found in {len(lines)} places",
            looked_for,
            tuple(Candidate(line, looked_for, 1.0) for line in lines),
        )
    anchors = dict.fromkeys(hunk.anchor_line.strip() for hunk, _ in hunks)
    # Releases word an anchor differently: the wording that comes nearest says most about where it went.
    found = [(nearest(data, anchor), anchor) for anchor in reversed(anchors)]
    candidates, looked_for = max(found, key=lambda item: item[0][0].score if item[0] else 0.0)
    return Refusal(path, hook, "its anchor is not there", looked_for, candidates)


def _matches(hunk: Hunk, variant: str, data: bytes) -> list[_Match]:
    """Return all places with the most context that matches anywhere, else all that differ in indentation alone."""
    spots = list(_spots(hunk.anchor_line.strip().encode(), data))
    lead, trail = hunk.before, hunk.after
    if hunk.anchor == "before":
        lead = lead[:-1]
    else:
        trail = trail[1:]
    indent = _indent(hunk.anchor_line).encode()
    straight = [spot for spot in spots if spot.indent == indent]
    size = max(len(lead), len(trail))
    for kept in range(size, -1, -1):
        above, below = lead[max(len(lead) - kept, 0) :], trail[:kept]
        fits = [spot for spot in straight if _above(data, spot, above) and _below(data, spot, below)]
        if fits:
            return [_Match(hunk, variant, spot, size - kept, False) for spot in fits]
    return [_Match(hunk, variant, spot, size, True) for spot in spots if hunk.functions]


def _spots(anchor: bytes, data: bytes) -> Iterator[_Spot]:
    found = data.find(anchor)
    while found >= 0:
        start = data.rfind(b"\n", 0, found) + 1
        end = data.find(b"\n", found) + 1 or len(data)
        indent = data[start:found]
        if not indent.strip(b" \t") and _text(data[start:end]) == indent + anchor:
            yield _Spot(start, end, indent)
        found = data.find(anchor, end)


def _above(data: bytes, spot: _Spot, lines: tuple[str, ...]) -> bool:
    end = spot.start
    for line in reversed(lines):
        start = data.rfind(b"\n", 0, max(end - 1, 0)) + 1
        if end == 0 or _text(data[start:end]) != line.encode():
            return False
        end = start
    return True


def _below(data: bytes, spot: _Spot, lines: tuple[str, ...]) -> bool:
    start = spot.end
    for line in lines:
        end = data.find(b"\n", start) + 1 or len(data)
        if start == len(data) or _text(data[start:end]) != line.encode():
            return False
        start = end
    return True


def _text(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r")


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _out_of_order(path: str, data: bytes, chosen: list[_Match]) -> list[Refusal]:
    found = []
    for first, second in pairwise(chosen):
        if first.at >= second.at:
            line = data.count(b"\n", 0, second.spot.start) + 1
            text = second.hunk.anchor_line.strip()
            why = f"its anchor stands above the place of hook {first.hunk.hook}, not below it"
            found.append(Refusal(path, second.hunk.hook, why, text, (Candidate(line, text, 1.0),)))
    return found


def _insert(data: bytes, chosen: list[_Match]) -> tuple[bytes, list[int]]:
    """Return the text with the hooks, and the number of each hook's first line in it."""
    parts: list[bytes] = []
    lines: list[int] = []
    done = number = 0
    for match in chosen:
        parts.append(data[done : match.at])
        number += parts[-1].count(b"\n")
        added = _added(data, match)
        newline = _newline(data, match.spot)
        if match.at == len(data) and not data.endswith(b"\n"):
            parts.append(newline + newline.join(added))
            lines.append(number + 2)
        else:
            parts.append(b"".join(line + newline for line in added))
            lines.append(number + 1)
        number += len(added)
        done = match.at
    return b"".join([*parts, data[done:]]), lines


def _added(data: bytes, match: _Match) -> list[bytes]:
    if not match.reindented:
        return [line.encode() for line in match.hunk.added]
    base = _indent(match.hunk.anchor_line)
    deeper = any(_indent(line) != base for line in match.hunk.added)
    indent = _body_indent(data, match.spot) if deeper else match.spot.indent
    return [indent + line.strip().encode() for line in match.hunk.added]


def _body_indent(data: bytes, spot: _Spot) -> bytes:
    start = spot.end
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        line = data[start:end]
        if line.strip() and not line.lstrip().startswith(b"#"):
            return line[: len(line) - len(line.lstrip())]
        start = end
    return spot.indent


def _newline(data: bytes, spot: _Spot) -> bytes:
    end = spot.end if data[spot.start : spot.end].endswith(b"\n") else spot.start
    return b"\r\n" if data[max(end - 2, 0) : end] == b"\r\n" else b"\n"


def _verify(
    path: str, before: bytes, after: bytes, chosen: list[_Match], lines: list[int], *, proven: Collection[str]
) -> tuple[str, list[Refusal]]:
    sites = syntax.hook_sites(after, proven)
    broken = "" if sites is not None else syntax.compile_error(before)
    if sites is None and not broken:
        guilty = [match for match in chosen if syntax.hook_sites(_insert(before, [match])[0]) is None]
        return "", [_refuse(path, before, match, "the file would no longer compile") for match in guilty]
    refusals = []
    rows = after.split(b"\n")
    for match, line in zip(chosen, lines, strict=True):
        if before[: match.at].endswith((b"\\\n", b"\\\r\n")):
            refusals.append(_refuse(path, before, match, "the line above it ends in a backslash"))
            continue
        site = sites.get(line) if sites is not None else None
        if sites is None:
            function = syntax.function_by_indentation(before, match.spot.start, match.spot.indent)
        else:
            function = site.function if site else "a text, not code"
        if not _belongs(match, function, before):
            names = " or ".join(match.hunk.functions) or "the top level"
            place_name = "the top level" if function == syntax.MODULE else function
            refusals.append(_refuse(path, before, match, f"the place found lies in {place_name}, not in {names}"))
        elif site and (name := syntax.missing_name(after, rows, site, line, match.hunk.added)):
            refusals.append(_refuse(path, before, match, f"the name {name} that it uses is not there any more"))
    return broken, refusals


def _belongs(match: _Match, function: str, data: bytes) -> bool:
    names = match.hunk.functions
    if function in names or not names:
        return function in (names or (syntax.MODULE,))
    renamed = function.isidentifier() and not match.dropped and not match.reindented
    return renamed and not syntax.defines(data, names)


def _refuse(path: str, data: bytes, match: _Match, why: str) -> Refusal:
    text = match.hunk.anchor_line.strip()
    line = data.count(b"\n", 0, match.spot.start) + 1
    return Refusal(path, match.hunk.hook, why, text, (Candidate(line, text, 1.0),))


def _places(data: bytes, chosen: list[_Match], lines: list[int]) -> tuple[Place, ...]:
    places = []
    shift = 0
    for match, line in zip(chosen, lines, strict=True):
        offset = line - shift - match.hunk.line
        how: Literal["exact", "moved", "reduced"] = "moved" if offset else "exact"
        if match.dropped or match.reindented:
            how = "reduced"
        places.append(Place(match.hunk.hook, line, how, offset, match.variant))
        shift += len(match.hunk.added)
    return tuple(places)


def _message(path: str, refusals: tuple[Refusal, ...]) -> str:
    parts = []
    for refusal in refusals:
        about = f"hook {refusal.hook} has no safe place: " if refusal.hook else ""
        looked_for = f" (looked for `{refusal.looked_for}`)" if refusal.looked_for else ""
        near = "; ".join(f"line {item.line}: `{item.text}`" for item in refusal.candidates)
        parts.append(f"{about}{refusal.why}{looked_for}{'; nearest is ' + near if near else ''}")
    return f"{path} cannot be patched safely: {'. '.join(parts)}. Nothing was changed."
