"""Films of three tiny clips in both forms: clip by clip, and as one task of WanGP's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svi_install.storyboard.film import film
from svi_install.storyboard.headless import task
from svi_install.storyboard.script.segments import part_frames
from svi_install.storyboard.script.story import Shot, Story
from svi_install.storyboard.script.variants import variant_of

from .lab.generate import Generation

CLIP_FRAMES = 17
PROMPTS = ("a boat", "a bridge", "a bird")
NO_LORAS = {"activated_loras": [], "loras_multipliers": ""}


@dataclass(frozen=True)
class Tale:
    """A film in both forms: tasks of one clip each, and one task for all."""

    film: film.Film
    whole: dict[str, Any]
    clips: list[dict[str, Any]]

    def joined(self) -> bytes:
        """The frames of the film by the seam's rule, from the uncompressed clips."""
        frames = b""
        for segment in self.film.segments:
            folder = self.film.folder(segment)
            made = json.loads((folder / "segment.json").read_text())["frames"]
            pixels = (folder / "frames.rgb").read_bytes()
            first, end = part_frames(segment, made, self.film.variant.overlap, self.film.variant.seam)
            if segment.ends:
                end = made
            size = len(pixels) // made
            frames += pixels[first * size : end * size]
        return frames

    def raw(self, number: int) -> bytes:
        """The uncompressed frames of a clip."""
        return (self.film.folder(self.film.segments[number - 1]) / "frames.rgb").read_bytes()


def tale(
    variant: str, start: Path, folder: Path, cut: int = 0, ends: Mapping[int, Path] | None = None, **settings: Any
) -> Tale:
    """Three tiny clips; a cut lies before the clip of that number, those of other numbers end on an image."""
    settings = {**({} if variant == "pro" else NO_LORAS), **settings}
    # WanGP counts the seeds of one long video through all of it.
    seeds = [7 + 42 * (number - 1) if cut else None for number in range(len(PROMPTS) + 1)]
    shots = tuple(
        Shot(each, new_shot=number == cut, seed=seeds[number], end_image=(ends or {}).get(number))
        for number, each in enumerate(PROMPTS, 1)
    )
    story = Story(start, shots, variant, steps=2, resolution="64x64", clip_frames=CLIP_FRAMES, settings=settings)
    planned = film.plan(story, variant_of(variant), folder / f"{variant}.mp4")
    clips = []
    for segment in planned.segments:
        out = planned.store.begin(planned.keys[segment.number])
        before = None if segment.begins else planned.folder(planned.segments[segment.number - 2])
        clips.append(task.placed(planned.tasks[segment.number], before, out))
    whole = task.film_settings(planned.segments, story, planned.variant)
    # Stock 12.60 lets one start image begin a video only with its own overlap; SVI puts in the right one.
    return Tale(planned, {**whole, "sliding_window_overlap": clips[0]["sliding_window_overlap"]}, clips)


def md5(frames: bytes) -> str:
    return hashlib.md5(frames, usedforsecurity=False).hexdigest()


def check(one: Tale, made: Sequence[Generation]) -> None:
    """The first generation is the whole film, the others are its clips."""
    whole, *clips = made
    assert [len(each.windows) for each in clips] == [1, 1, 1]
    assert [each.seeds[0] for each in clips] == whole.seeds == [7, 49, 91]
    assert [each.prompts[0] for each in clips] == whole.prompts == list(PROMPTS)
    assert whole.frames == one.film.frames
    assert md5(one.joined()) == whole.md5
