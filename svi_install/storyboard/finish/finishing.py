"""From finished segments to the film under its name, by itself or behind the video that it goes on from."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

from ..archive.store import digest, read_json, regular, write_json
from ..film.film import JOINED, Film, join, notes_of
from ..headless.wangp import WanGP
from ..media import ffmpeg
from . import continuation, delivery
from .continuation import Beginning, Joined, Report
from .delivery import Target

RECORD = "continued.json"


def finish(
    film: Film, target: Target, program: Path, wangp: WanGP, *, beginning: Beginning | None, report: Report
) -> Joined | None:
    """Join a film and give it its name.

    What lies behind a person's video is compressed once more for that; where nothing has changed, it is not done again.

    Args:
        target: the name as it was before anything was made.
        beginning: what the film goes on from, None where it begins at an image.
        report: is told how many frames of how many are compressed.

    Returns:
        What came of the video, None where there is none.

    Raises:
        SviError: the film did not come out as it should, or its name was taken meanwhile.
    """
    joined = film.store.root / JOINED
    if beginning is None:
        join(film, program, joined)
        delivery.put(joined, target, film.store)
        return None
    notes = notes_of(film)
    inputs = _inputs(film, beginning, notes)
    if (there := _known(film, target, beginning, inputs)) is not None:
        return there
    join(film, program, joined)
    whole, part = film.store.root / continuation.WHOLE, continuation.Part(joined, film.frames)
    made = continuation.join(program, wangp, beginning, part, whole, notes=notes, report=report)
    facts = {"of": inputs, "size": whole.stat().st_size, "sha256": digest(whole)}
    write_json(film.store.root / RECORD, {**facts, "frames": made.frames, "added": made.added, "by": made.by})
    delivery.put(whole, target, film.store)
    with contextlib.suppress(OSError):
        joined.unlink()
    return made


def _known(film: Film, target: Target, beginning: Beginning, inputs: str) -> Joined | None:
    """What came of a join whose film is there already."""
    facts = read_json(film.store.root / RECORD) or {}
    try:
        if facts["of"] != inputs or regular(target.path) != facts["size"] or digest(target.path) != facts["sha256"]:
            return None
        return Joined(beginning.video, int(facts["frames"]), int(facts["added"]), str(facts["by"]))
    except (OSError, KeyError, TypeError, ValueError):
        return None


def _inputs(film: Film, beginning: Beginning, notes: ffmpeg.Notes) -> str:
    text = json.dumps([beginning.key, sorted(film.keys.items()), notes.comment, notes.chapters])
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
