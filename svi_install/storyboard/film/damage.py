"""Finds what is damaged in a film's folder before anything depends on it; only that is made again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ...errors import SviError
from ...runtime import png
from ...runtime.segment import DONE, LATENTS, TAIL_NAME
from ..archive.store import regular, tail_of
from ..media import ffmpeg
from ..script.segments import Segment, part_frames
from .film import PART, Film, handed


def damaged(film: Film, program: Path) -> tuple[tuple[Segment, str], ...]:
    """Look at every finished segment.

    The frames that a segment hands on are needed only where the next one is still to be made, or where they end the
    film; so the search begins at the end.

    Returns:
        The segments that have to be made again, in the order of the film, each with what is wrong with it. Of what an
        earlier version has made, sizes and hashes are kept from now on.

    Raises:
        SviError: a file cannot be read.
    """
    found: list[tuple[Segment, str]] = []
    following_is_made = False
    for segment in reversed(film.segments):
        last = segment.number == len(film.segments) or film.segments[segment.number].begins
        if not film.finished(segment):
            following_is_made = False
            continue
        hands_on = film.variant.seam == "head" if last else not following_is_made
        why = _damage(film, segment, program, hands_on)
        if why:
            found.append((segment, why))
        following_is_made = not why
    return tuple(reversed(found))


def unfit(film: Film) -> tuple[int, ...]:
    """Return the segments that were made from other frames than the segment before them ends with now.

    A segment that is made again on another card, or with another WanGP, comes out a little differently.
    """
    found = []
    for segment in film.segments:
        if segment.begins or not film.finished(segment):
            continue
        before = film.store.facts(film.keys[segment.number]).get("before")
        if isinstance(before, str) and before != handed(film.store, film.keys[segment.number - 1]):
            found.append(segment.number)
    return tuple(found)


def _damage(film: Film, segment: Segment, program: Path, hands_on: bool) -> str:
    key = film.keys[segment.number]
    folder, facts = film.folder(segment), film.store.facts(key)
    frames = facts.get("frames")
    if type(frames) is not int or not isinstance(facts.get("svi") or {}, dict):
        return "its record is damaged"
    tails = [TAIL_NAME.format(back) for back in range(film.variant.motion_frames, 0, -1)]
    further = [*tails, *(() if tails else (LATENTS,)), DONE] if hands_on else []
    why = film.store.damage(key, [PART, *further])
    if why or isinstance(facts.get("files"), dict):
        return why
    # Made by a version that kept no hashes.
    first, end = part_frames(segment, frames, film.variant.overlap, film.variant.seam)
    why = next(_old_damage(folder, program, end - first, tails if hands_on else []), "")
    if not why:
        names = [path.name for path in (folder / PART, folder / DONE, *tail_of(folder)) if regular(path)]
        film.store.finish(key, facts, names)
    return why


def _old_damage(folder: Path, program: Path, frames: int, tails: list[str]) -> Iterator[str]:
    found = None
    with contextlib.suppress(SviError):
        found = ffmpeg.count(program, folder / PART)
    if found != frames:
        yield f"{PART} cannot be read" if found is None else f"{PART} has {found} frames instead of {frames}"
    for name in tails:
        try:
            png.read(folder / name)
        except (OSError, ValueError):
            yield f"{name} is damaged"
