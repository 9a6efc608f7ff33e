"""What ``render`` says of a film that is finished, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..checkout.inspection import inspect
from ..loras.transfer.progress import human_size
from ..report.film_progress import span
from ..report.result import Result
from ..storyboard.archive import store
from ..storyboard.film import damage, film, watch
from ..storyboard.film.model_choice import ModelChoice
from ..storyboard.headless.wangp import WanGP
from ..storyboard.script.segments import Segment, seconds
from ..storyboard.sheet import sheet
from . import rendering

CREDIT = "The clips are made by WanGP (github.com/deepbeepmeep/Wan2GP)."


def told(result: Result, *notes: str, key: str, facts: Mapping[str, Any]) -> Result:
    """Add what came of one more step: sentences for people, facts for programs."""
    extra = {**result.extra, "film": {**result.extra["film"], key: facts}}
    return result._replace(notes=(*notes, *result.notes), extra=extra)


def summary(planned: film.Film) -> str:
    """Say how long a film is."""
    frames, count = planned.frames, len(planned.segments)
    return f"{count} segment{'s' if count > 1 else ''}, {frames} frames, {span(seconds(frames))}"


def facts(planned: film.Film, **further: Any) -> dict[str, Any]:
    """Return a film for programs."""
    return {
        "film": {
            "path": str(planned.target),
            "store": str(planned.store.root),
            "frames": planned.frames,
            "seconds": seconds(planned.frames),
            "segments": [
                {
                    "number": segment.number,
                    "shot": segment.shot,
                    "scene": segment.scene,
                    "prompt": segment.prompt,
                    "seed": segment.seed,
                    "frames": segment.frames,
                    "finished": planned.finished(segment),
                    "path": str(planned.folder(segment) / film.PART),
                    "take": planned.takes[segment.number].picked,
                    "takes": [
                        {
                            "take": clip.take,
                            "seed": clip.segment.seed,
                            "key": clip.key,
                            "finished": planned.store.finished(clip.key),
                            "path": str(planned.store.folder(clip.key) / film.PART),
                        }
                        for clip in planned.clips(segment)
                    ],
                }
                for segment in planned.segments
            ],
            **further,
        }
    }


def result(
    planned: film.Film, wangp: WanGP, chosen: ModelChoice, made: list[int], mended: tuple[tuple[Segment, str], ...]
) -> Result:
    """Return what was done.

    Args:
        made: numbers of the segments that were made now.
        mended: those that were made again because they were damaged.
    """
    unused = planned.store.unused(planned.keys.values())
    size = sum(store.regular(file) or 0 for folder in unused for file in folder.rglob("*"))
    notes = [*chosen.notes, CREDIT]
    if unused:
        old = f"{len(unused)} folders of other and earlier takes ({human_size(size)})"
        notes.append(f"{planned.store.root} also holds {old}, which are used when you pick them or undo a change.")
    notes += [f"Segment {segment.number} was damaged ({why}) and was made again." for segment, why in mended]
    held = film.taken_out(planned, planned.segments)
    notes += rendering.held(planned, held)
    for number in damage.unfit(planned):
        notes.append(
            f"Segment {number - 1} ends a little differently than it did when segment {number} went on from it. "
            f"If you can see it, make everything from there again: --from {number}"
        )
    count = len(made)
    return Result(
        "render",
        "done",
        f"{planned.target}: {summary(planned)}; {count} segment{'' if count == 1 else 's'} made now.",
        checkout=inspect(wangp.root),
        notes=tuple(notes),
        extra=facts(
            planned,
            made=made,
            sheet=str(sheet.path_of(planned.store)),
            watched=watch.facts(planned),
            anchored=held,
            headless=wangp.headless,
            damaged=[{"number": segment.number, "why": why} for segment, why in mended],
        ),
    )
