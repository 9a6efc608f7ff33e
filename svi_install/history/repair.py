"""Proposes a diff for a WanGP that was refused: finds where its anchors went. Never touches the patch set itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..patching import diffs, syntax
from ..patching.candidates import nearest
from ..patching.patchset import Hunk, PatchSet, Variant
from ..patching.placement import Place, PlacementError, place, remove_hooks
from . import repository
from .judge import Job, jobs_of

# A line that shares less than this with the anchor is no candidate.
LIKENESS = 0.5
# How sure a proposal must be, and by how much it must be ahead of the second best.
SURE = 0.75
AHEAD = 0.05
_SAME_SPOT = 0.25
_SAME_FUNCTION = 0.15
_MOST_CONTEXT = 3


@dataclass(frozen=True)
class Anchor:
    """Where an anchor went: ``line`` is 1-based in the new text, ``reasons`` say what speaks for it."""

    hook: str
    line: int
    was: str
    now: str
    function: str
    score: float
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Repair:
    """A proposed variant of one file; ``diff`` is empty when a hook has no sure place, ``why_not`` says which."""

    path: str
    name: str
    anchors: tuple[Anchor, ...]
    diff: str = ""
    functions: Mapping[str, tuple[str, ...]] | None = None
    why_not: str = ""
    proof: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Known:
    """The newest release in which a hook still has its place."""

    job: Job
    line: int


def repair(git: Path, patchset: PatchSet, revision: str, name: str) -> tuple[Repair, ...]:
    """Propose a diff for each file of a revision that cannot be patched.

    Args:
        revision: the commit that was refused.
        name: what to call the new variants, such as the release's version.

    Returns:
        One entry per refused file; empty when nothing is refused.

    Raises:
        SviError: there is no such revision, or the repository is damaged.
    """
    commit = repository.resolve(git, revision)
    (row,) = jobs_of(git, [commit], patchset.paths)
    found = []
    for path, job in zip(patchset.paths, row, strict=True):
        if job is None:
            found.append(Repair(path, name, (), why_not="the file does not exist any more"))
            continue
        (data,) = repository.read_blobs(git, [job.blob])
        try:
            place(patchset.variants[path], path, data)
        except PlacementError as error:
            blockers = [item.why for item in error.refusals if not item.hook or item.hook not in _hooks(patchset, path)]
            if blockers:
                found.append(Repair(path, name, (), why_not=blockers[0]))
            else:
                found.append(_repair_file(git, patchset, job, data, name))
    return tuple(found)


def _hooks(patchset: PatchSet, path: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(hunk.hook for variant in patchset.variants[path] for hunk in variant.hunks))


def _repair_file(git: Path, patchset: PatchSet, job: Job, data: bytes, name: str) -> Repair:
    variants = patchset.variants[job.path]
    places = _places(variants, job.path, data)
    anchors: list[Anchor] = []
    hunks: list[tuple[int, Hunk]] = []
    for newest in variants[-1].hunks:
        if newest.hook in places:
            hunks.append(_anchor(variants, places[newest.hook]))
            continue
        ranked = _ranked(git, patchset, newest, job, data)
        sure = bool(ranked) and ranked[0].score >= SURE
        if not sure or (ranked[1:] and ranked[0].score - ranked[1].score < AHEAD):
            return Repair(job.path, name, tuple(ranked[:3]), why_not=f"hook {newest.hook} has no sure place")
        anchors.append(ranked[0])
        hunks.append((ranked[0].line, newest))
    return _with_diff(variants[-1], data, name, tuple(anchors), hunks)


def _places(variants: tuple[Variant, ...], path: str, data: bytes) -> dict[str, Place]:
    """Place what can be placed, and leave the refused hooks out."""
    refused: set[str] = set()
    while True:
        left = tuple(
            variant._replace(hunks=tuple(hunk for hunk in variant.hunks if hunk.hook not in refused))
            for variant in variants
        )
        if not left[-1].hunks:
            return {}
        try:
            shift, found = 0, {}
            for item in place(left, path, data).places:
                found[item.hook] = item._replace(line=item.line - shift)
                shift += len(next(hunk.added for hunk in variants[-1].hunks if hunk.hook == item.hook))
            return found
        except PlacementError as error:
            refused |= {item.hook for item in error.refusals}


def _anchor(variants: tuple[Variant, ...], spot: Place) -> tuple[int, Hunk]:
    """Return the line of the anchor in the text without hooks, and the hunk that was used."""
    used = next(v for v in variants if v.name == spot.variant)
    hunk = next(hunk for hunk in used.hunks if hunk.hook == spot.hook)
    return (spot.line - 1 if hunk.anchor == "before" else spot.line), hunk


def _ranked(git: Path, patchset: PatchSet, hunk: Hunk, job: Job, data: bytes) -> list[Anchor]:
    lines = data.split(b"\n")
    known = _last_known(git, patchset, hunk.hook, job)
    spots = _by_history(git, known, job) if known else frozenset()
    found = []
    for item in nearest(data, hunk.anchor_line, limit=12):
        if item.score < LIKENESS:
            continue
        reasons = [f"{item.score:.0%} alike"]
        score = item.score
        if item.line in spots:
            score += _SAME_SPOT
            reasons.append("git shows it in the place of the old line")
        start = sum(len(line) + 1 for line in lines[: item.line - 1])
        text = lines[item.line - 1]
        function = syntax.function_by_indentation(data, start, text[: len(text) - len(text.lstrip())])
        if function in hunk.functions or (not hunk.functions and function == syntax.MODULE):
            score += _SAME_FUNCTION
            reasons.append(f"in {function}")
        found.append(
            Anchor(hunk.hook, item.line, hunk.anchor_line.strip(), item.text, function, round(score, 2), tuple(reasons))
        )
    return sorted(found, key=lambda item: (-item.score, item.line))


def _last_known(git: Path, patchset: PatchSet, hook: str, job: Job) -> _Known | None:
    variants = patchset.variants[job.path]
    newest = list(patchset.commits.values())[::-1]
    olds = dict.fromkeys(row[0] for row in jobs_of(git, newest, [job.path]) if row[0])
    for old in olds:
        (data,) = repository.read_blobs(git, [old.blob])
        places = _places(variants, job.path, data)
        if hook in places:
            return _Known(old, _anchor(variants, places[hook])[0])
    return None


def _by_history(git: Path, known: _Known, job: Job) -> frozenset[int]:
    """Return the lines of the new text that git shows in the place of the old anchor."""
    shift = 0
    for start, size, other, length in repository.changed_lines(git, known.job.blob, job.blob):
        if start <= known.line < start + size:
            return frozenset(range(other, other + length))
        if start < known.line:
            shift += length - size
    return frozenset([known.line + shift])


def _with_diff(
    newest: Variant, data: bytes, name: str, anchors: tuple[Anchor, ...], hunks: Sequence[tuple[int, Hunk]]
) -> Repair:
    lines = data.replace(b"\r\n", b"\n").decode("utf-8", "replace").split("\n")
    draft = newest._replace(
        name=name,
        hunks=tuple(hunk._replace(functions=_functions(hunk, anchors)) for hunk in newest.hunks),
    )
    reasons = "\n".join(f"{hunk.hook}: {hunk.reason}" for hunk in newest.hunks)
    header = f"svi-install: {newest.path}, WanGP {name}\n\nProposed by `svi-install repair-patches`.\n\n{reasons}"
    why_not = ""
    for context in range(1, _MOST_CONTEXT + 1):
        parts = []
        for line, hunk in hunks:
            at = line if hunk.anchor == "before" else line - 1
            parts.append((at, _reindented(hunk, lines[line - 1]), min(context, at), min(context, len(lines) - at)))
        text = diffs.render(newest.path, header, lines, parts)
        proof, why_not = _prove(draft, text, data)
        if not why_not:
            functions = {hunk.hook: hunk.functions for hunk in draft.hunks}
            return Repair(newest.path, name, anchors, text, functions, proof=proof)
    return Repair(newest.path, name, anchors, why_not=why_not)


def _functions(hunk: Hunk, anchors: Sequence[Anchor]) -> tuple[str, ...]:
    here = [anchor.function for anchor in anchors if anchor.hook == hunk.hook and anchor.function.isidentifier()]
    return tuple(dict.fromkeys([*hunk.functions, *here])) if hunk.functions else ()


def _reindented(hunk: Hunk, anchor: str) -> tuple[str, ...]:
    old = hunk.anchor_line[: len(hunk.anchor_line) - len(hunk.anchor_line.lstrip())]
    new = anchor[: len(anchor) - len(anchor.lstrip())]
    return tuple(new + line.removeprefix(old) for line in hunk.added)


def _prove(draft: Variant, text: str, data: bytes) -> tuple[tuple[str, ...], str]:
    parts = diffs.parse(f"{draft.name}.diff", text).hunks
    hunks = tuple(
        old._replace(before=part.before, added=part.added, after=part.after, line=part.old_start + len(part.before))
        for old, part in zip(draft.hunks, parts, strict=True)
    )
    variant = draft._replace(hunks=hunks)
    try:
        result = place((variant,), draft.path, data)
    except PlacementError as error:
        return (), error.message
    if any(item.how != "exact" for item in result.places) or remove_hooks((variant,), draft.path, result.after) != data:
        return (), "the diff does not fit its own file"
    compiles = f"does not compile upstream either: {result.broken}" if result.broken else "the patched file compiles"
    return (f"{len(result.places)} hooks, each exactly once", compiles, "removing them gives back every byte"), ""
