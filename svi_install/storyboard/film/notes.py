"""What a film says about itself: how it was made, its story with what was picked, a chapter for each shot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..archive import story_data
from ..script.segments import Segment, part_frames
from ..script.story import Story
from ..script.variants import Variant


def comment(
    made: Mapping[str, Any],
    segments: Sequence[Segment],
    story: Story | None,
    images: Mapping[str, str],
    folder: Path,
    *,
    starts: Sequence[int] = (),
    anchored: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return the settings of a film, where WanGP keeps those of a video.

    Args:
        made: what SVI in WanGP has said of the first clip.
        segments: of the film.
        story: to render it again from; one that is too large is left out.
        images: hash of each image by its path.
        folder: of the film.
        starts: frame of the film at which each clip begins.
        anchored: what was taken out of the colour of clips.
    """
    svi = {**made, "seeds": [segment.seed for segment in segments], "segments": len(segments)}
    arrive = [number for number, segment in enumerate(segments, 1) if segment.end_image is not None]
    if arrive:
        # As WanGP with SVI says it of a video in one go.
        svi["end_images"] = arrive
    if len(starts) > 1:
        svi["clip_starts"] = list(starts)
    if anchored:
        svi["anchored"] = list(anchored)
    text = json.dumps({"svi": svi}, ensure_ascii=False)
    if story is None:
        return text
    kept = {
        story_data.STORY: story_data.data_of(story, folder),
        story_data.IMAGES: story_data.hashes_of(images, folder),
    }
    whole = json.dumps({"svi": {**svi, **kept}}, ensure_ascii=False)
    return whole if len(whole) <= story_data.LARGEST else text


def as_picked(story: Story, segments: Sequence[Segment], picked: Mapping[int, int]) -> Story:
    """Return a story that says itself which takes are in the film.

    Args:
        segments: of the film.
        picked: number of the take, by the number of its segment.
    """
    shots = []
    for number, shot in enumerate(story.shots, 1):
        takes = tuple(picked.get(segment.number, 1) for segment in segments if segment.shot == number)
        shots.append(replace(shot, take=takes if set(takes) - {1} else ()))
    # How many takes there were to choose from is no part of the film.
    return replace(story, shots=tuple(shots), takes=1)


def starts_of(segments: Sequence[Segment], variant: Variant) -> tuple[int, ...]:
    """Return the frame of the film from which on each segment is seen."""
    found, at = [], 0
    for index, segment in enumerate(segments):
        found.append(at)
        first, end = part_frames(segment, segment.frames, variant.overlap, variant.seam)
        at += end - first
        last = index == len(segments) - 1 or segments[index + 1].begins
        at += variant.motion_frames if last and variant.seam == "head" else 0
    return tuple(found)


def chapters(segments: Sequence[Segment], overlap: int) -> tuple[tuple[int, int, str], ...]:
    """Return first frame, one behind the last, and prompt of each shot; nothing for a film of one.

    Args:
        overlap: frames that two clips share.
    """
    found: list[tuple[int, int, str]] = []
    at, shot = 0, 0
    for segment in segments:
        end = at + segment.frames - (0 if segment.begins else overlap)
        if segment.shot == shot:
            found[-1] = (found[-1][0], end, segment.prompt)
        else:
            found.append((at, end, segment.prompt))
        at, shot = end, segment.shot
    return tuple(found) if len(found) > 1 else ()
