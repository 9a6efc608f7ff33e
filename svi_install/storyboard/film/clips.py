"""One clip of a film: as WanGP is given it, and what becomes of what WanGP has left of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...runtime.segment import DONE as MADE
from ...runtime.segment import FRAMES
from ..archive.store import Takes, tail_of
from ..headless import task
from ..media import ffmpeg
from ..script.segments import part_frames
from ..script.variants import Variant
from .film import PART, Clip, Film, handed

# `anchor.hold`, which needs packages that WanGP's Python may lack.
Hold = Callable[..., Mapping[str, float]]


def finish(film: Film, clip: Clip, program: Path, seconds: float, hold: Hold | None = None) -> None:
    """Compress what WanGP has left of a clip, and mark it as finished.

    Args:
        program: ffmpeg.
        seconds: that WanGP took.
        hold: what brings a colour that drifts back, None to leave it.

    Raises:
        SviError: ffmpeg failed, or the disk refuses.
    """
    facts = film.store.made(clip.key)
    assert facts is not None
    raw, comment = compress(clip, film.variant, film.store.folder(clip.key), facts, program)
    held = {} if hold is None else hold(film, clip, program, raw, total=facts["frames"], comment=comment)
    keep(film, clip, {**facts, **({"anchored": held} if held else {})}, seconds)


def compress(
    clip: Clip, variant: Variant, folder: Path, facts: Mapping[str, Any], program: Path
) -> tuple[ffmpeg.Raw, str]:
    """Make the part of the film from the frames that WanGP has left in a folder.

    Args:
        facts: what WanGP has said of them.
        program: ffmpeg.

    Returns:
        The frames, and what the part says about itself.

    Raises:
        SviError: ffmpeg failed.
    """
    first, end = part_frames(clip.segment, facts["frames"], variant.overlap, variant.seam)
    raw = ffmpeg.Raw(folder / FRAMES, facts["width"], facts["height"], first, end)
    comment = json.dumps({**clip.task, "svi": facts.get("svi")}, ensure_ascii=False)
    ffmpeg.encode(program, raw, folder / PART, comment)
    return raw, comment


def keep(film: Film, clip: Clip, facts: Mapping[str, Any], seconds: float, **further: Any) -> None:
    """Mark a clip as finished, whose files are in their folder.

    Args:
        facts: what WanGP has said of it.
        seconds: that WanGP took.
        further: what the journal says besides.

    Raises:
        SviError: the disk refuses.
    """
    store, segment, folder = film.store, clip.segment, film.store.folder(clip.key)
    kept = {**facts, "seed": segment.seed, "prompt": segment.prompt, "seconds": round(seconds, 2), "key": clip.key}
    before = handed(store, clip.before) if clip.before else None
    kept = {**kept, **({"before": before} if before else {})}
    store.finish(clip.key, kept, [PART, MADE, *(path.name for path in tail_of(folder))])
    store.write(
        "finished",
        segment=segment.number,
        take=clip.take,
        key=clip.key,
        seconds=round(seconds, 2),
        seed=segment.seed,
        **further,
    )


def count_take(film: Film, clip: Clip) -> None:
    """A take that was begun is known from then on, whatever the story says later."""
    slot = film.slots[clip.segment.number]
    found = film.store.takes(slot) or Takes(film.takes[clip.segment.number].first)
    if clip.take > found.known:
        film.store.keep_takes(slot, Takes(found.first, found.picked, clip.take))


def placed(
    film: Film, clip: Clip, pictures: Mapping[str, Path], *, fields: bool, model: str | None = None
) -> dict[str, Any]:
    """Return the settings of a clip as WanGP takes them.

    Args:
        pictures: the copy of each image by its path.
        fields: whether this WanGP takes what SVI is to do from fields of its form.
        model: WanGP's model type where it is not the variant's.
    """
    before = None if clip.before is None else film.store.folder(clip.before)
    return between(
        clip,
        film.variant,
        before,
        film.store.folder(clip.key),
        {path: str(copy) for path, copy in pictures.items()},
        fields=fields,
        model=model,
    )


def between(
    clip: Clip,
    variant: Variant,
    before: Path | None,
    out: Path,
    pictures: Mapping[str, str],
    *,
    fields: bool,
    model: str | None = None,
) -> dict[str, Any]:
    """Return the settings of a clip between two folders: the one that it goes on from, and its own; see `placed`."""
    settings = task.with_fields(clip.task, variant.architecture) if fields else clip.task
    chosen = {"model_type": model} if model else {}
    shown = {
        name: [pictures[path] for path in settings[name]] for name in ("image_start", "image_end") if name in settings
    }
    return task.placed({**settings, **chosen, **shown}, before, out)
