"""From shots to segments: how many clips a shot needs, what each of them is, and how long the film becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...runtime import length
from .story import FPS, MOST_SEGMENTS, SCENE_STRIDE, SEED_STRIDE, SEEDS, Lora, Shot, Story, usage
from .variants import Variant


@dataclass(frozen=True)
class Segment:
    """One clip of the film.

    Args:
        number: from 1 on.
        shot: number of its shot, from 1 on.
        scene: number of its scene, from 1 on; a scene begins at an image.
        prompt: what is to be seen.
        seed: of its noise.
        frames: that WanGP generates.
        begins: first of its scene, and at its image; the first of a film may go on from a video.
        ends: last of its scene.
        image: anchor of its scene.
        end_image: last frame, None where it is open; Wan 2.2 only.
        steps: denoising steps, None for the variant's.
        loras: beside those of the variant.
        settings: further WanGP settings.
        takes: how many takes of it are wanted.
        take: the one that the story chooses, None where it leaves that open.
        closes: ends on the frame that the film begins with, which is left out there.
    """

    number: int
    shot: int
    scene: int
    prompt: str
    seed: int
    frames: int
    begins: bool
    ends: bool
    image: Path
    end_image: Path | None = None
    steps: int | None = None
    loras: tuple[Lora, ...] = ()
    settings: Mapping[str, Any] | None = None
    takes: int = 1
    take: int | None = None
    closes: bool = False


def clip_frames(story: Story, variant: Variant) -> int:
    """Return the frames of a clip as WanGP makes them: 4k+1.

    Raises:
        SviError: a clip would be too short to go on from.
    """
    try:
        frames = length.plan(story.clip_frames, story.clip_frames, max(1, variant.overlap), continues=False).clip_frames
    except ValueError as error:
        raise usage(f"clip_frames is {story.clip_frames}: {error}. Nothing was started.") from None
    return frames


def clips_of(shot: Shot, frames: int, overlap: int, begins: bool) -> int:
    """Return the number of whole clips that comes nearest to the length of a shot.

    Args:
        overlap: frames that two clips share.
        begins: whether the shot begins a scene: then its first clip shares nothing.
    """
    if shot.frames is None:
        return 1
    step = frames - overlap
    asked = shot.frames - (overlap if begins else 0)
    # A half rounds up, as in WanGP itself.
    return max(1, (2 * asked + step) // (2 * step))


def segments_of(story: Story, variant: Variant) -> tuple[Segment, ...]:
    """Divide a story into segments.

    Seeds count within a scene, so that a change in one scene leaves the others as they are. A scene counts from the
    seed of its first shot, or else from the story's; one that begins with the image and the prompt of an earlier one is
    to look different, so it counts from further on.

    Args:
        story: what a person asks for.
        variant: how its clips are made.

    Returns:
        The segments in the order of the film, each with the seed of its first take.

    Raises:
        SviError: a clip would be too short to go on from.
    """
    frames = clip_frames(story, variant)
    found: list[Segment] = []
    scene, image, start, counted = 0, story.image, story.seed, 0
    begun: dict[tuple[Path, str], int] = {}
    for index, shot in enumerate(story.shots):
        begins = index == 0 or shot.new_shot
        prompt = with_style(story.style if shot.style is None else shot.style, shot.prompt)
        if begins:
            scene += 1
            image = shot.image or story.image
            start, counted = shot.seed or 0, len(found)
            if shot.seed is None:
                alike = begun[image, prompt] = begun.get((image, prompt), -1) + 1
                start = story.seed + SCENE_STRIDE * alike
        clips = clips_of(shot, frames, variant.overlap, begins)
        if len(found) + clips > MOST_SEGMENTS:
            raise usage(
                f"Shot {index + 1} brings the film to {len(found) + clips} clips, but the maximum is {MOST_SEGMENTS}. "
                "Nothing was started.",
                "Check the seconds or frames of this shot.",
            )
        following = story.shots[index + 1] if index + 1 < len(story.shots) else None
        for clip in range(clips):
            number = len(found) + 1
            last = clip == clips - 1
            seed = start + SEED_STRIDE * (len(found) - counted) if shot.seed is None else shot.seed + SEED_STRIDE * clip
            found.append(
                Segment(
                    number=number,
                    shot=index + 1,
                    scene=scene,
                    prompt=prompt,
                    seed=seed % SEEDS,
                    frames=frames,
                    begins=begins and clip == 0 and (number > 1 or story.handed is None),
                    ends=last and (following is None or following.new_shot),
                    image=image,
                    end_image=shot.end_image if last else None,
                    steps=shot.steps or story.steps,
                    loras=(*story.loras, *shot.loras),
                    settings={**story.settings, **shot.settings},
                    takes=story.takes if shot.takes is None else shot.takes,
                    take=shot.take[min(clip, len(shot.take) - 1)] if shot.take else None,
                )
            )
    end = story.shots[0].image or story.image if story.loop else story.end_image
    if end is not None:
        found[-1] = replace(found[-1], end_image=end, closes=story.loop)
    return tuple(found)


def with_style(style: str, prompt: str) -> str:
    """Return a prompt behind the style that holds for many of them."""
    return f"{style}{'' if style[-1] in '.,;:!?' else ','} {prompt}" if style else prompt


def part_frames(segment: Segment, made: int, overlap: int, seam: str) -> tuple[int, int]:
    """Return which frames of a segment are its part of the film: the first and one behind the last.

    Where the head stays, no part has its own tail: the film ends with the tail of its last segment, and a longer film
    keeps all parts as they are.

    Args:
        made: frames that WanGP has left of it.
        overlap: frames that two clips share.
        seam: ``head`` when the new clip's regenerated head stays, ``tail`` when the old clip's tail stays.
    """
    if seam == "head":
        # In front of the first segment there is nothing, or a person's video, of which every frame stays.
        return 0 if segment.begins or segment.number > 1 else overlap, made - overlap
    return 0 if segment.begins else made - (segment.frames - overlap), made


def film_frames(segments: tuple[Segment, ...], overlap: int) -> int:
    """Return the frames of the joined film."""
    return sum(segment.frames - (0 if segment.begins else overlap) - segment.closes for segment in segments)


def seconds(frames: int) -> float:
    """Return how long frames last."""
    return frames / FPS
