"""What is wrong with a story, or will surprise its author, before hours of rendering."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...loras.inventory import locate as locate_loras
from ...loras.transfer import failures
from ...loras.transfer.progress import human_size
from ...runtime import options
from ..archive.images import kind
from ..headless import estimate
from ..headless.task import POSTPROCESSING, motion_frames
from ..script import segments as maths
from ..script.story import FPS, Story
from ..script.variants import PRO
from .film import Film

Level = Literal["error", "warning", "note"]
# What `render` decides itself for each segment.
OWN = ("prompt", "image_start", "image_end", "image_prompt_type", "seed", "video_length", "sliding_window_size")
OWN_PREFIX = (
    *("svi_segment", "svi_end_clips", "sliding_window_overlap"),
    *("multi_prompts_gen_type", "model_type", "repeat_generation"),
)
# WanGP's commands for windows without their brackets.
_COMMAND = re.compile(r"(?<!\S)/(?:duration|overlap|new_shot|loras_mult|store_mem|load_mem)\b", re.IGNORECASE)
_RESOLUTION = re.compile(r"(\d{2,5})x(\d{2,5})")


@dataclass(frozen=True)
class Finding:
    """One thing about a story.

    Args:
        level: an error keeps it from being rendered.
        text: in plain words.
    """

    level: Level
    text: str


def lint(
    story: Story, film: Film, root: Path | None = None, needed: estimate.Disk | None = None
) -> tuple[Finding, ...]:
    """Look at a story.

    Args:
        root: WanGP's folder, None to leave out what depends on it.
        needed: what the film still needs on its disk.

    Returns:
        What was found, errors first.
    """
    found = [
        *_images(story, film),
        *_prompts(story),
        *_settings(story),
        *_svi(story, film),
        *_size(film),
        *_lengths(story, film),
    ]
    if root is not None:
        found += [*_model(film, root), *_loras(film, root)]
    found += _disk(film, needed)
    order = {"error": 0, "warning": 1, "note": 2}
    return tuple(sorted(found, key=lambda finding: order[finding.level]))


def _shot(story: Story, number: int) -> str:
    """Where a shot is, for a person with the story file open."""
    line = story.shots[number - 1].line
    return f"shot {number}" if line is None else f"line {line}, shot {number}"


def _images(story: Story, film: Film) -> Iterator[Finding]:
    for image in sorted({story.image, *map(Path, film.images)}):
        if kind(image) is None:
            yield Finding("error", f"{image} is not a picture that WanGP can read (PNG, JPEG, WebP).")
    if story.shots[-1].end_image and (story.loop or story.end_image):
        where = _shot(story, len(story.shots))
        yield Finding("error", f"{where} has an end image, and so has the film (end_image or loop); take one out.")
    if film.variant.architecture in (*options.ARRIVING, options.PRO_ARCHITECTURE):
        return
    for segment in film.segments:
        if segment.end_image:
            what = "is to come back to the start image" if segment.closes else "is to end on an image"
            yield Finding(
                "error",
                f"{_shot(story, segment.shot)} {what}; Wan 2.1 was not trained for that. Choose the variant wan22 or "
                f"{PRO}.",
            )


def _prompts(story: Story) -> Iterator[Finding]:
    for number, shot in enumerate(story.shots, 1):
        prompt = maths.with_style(story.style if shot.style is None else shot.style, shot.prompt)
        if prompt.startswith(("/", "!", "#")):
            yield Finding("error", f"{_shot(story, number)} begins with {prompt[0]!r}, which is a command for WanGP.")
        if command := _COMMAND.search(prompt):
            yield Finding(
                "error",
                f"{_shot(story, number)} contains {command[0]!r}, a command for one window of WanGP; "
                "known here are [/duration=5s] and [/new_shot].",
            )
        if "{" in prompt:
            yield Finding(
                "warning", f"{_shot(story, number)} contains {{, which WanGP reads as the start of a variable."
            )


def _settings(story: Story) -> Iterator[Finding]:
    shots = ((_shot(story, number), shot.settings) for number, shot in enumerate(story.shots, 1))
    for where, settings in (("defaults", story.settings), *shots):
        for name in settings:
            if name in OWN or name.startswith(OWN_PREFIX):
                yield Finding("error", f"{where}: {name} cannot be set here; render chooses it for each segment.")
            elif name in POSTPROCESSING and settings[name]:
                yield Finding(
                    "error", f"{where}: {name} works on finished videos; apply it in WanGP to the finished film."
                )


def _svi(story: Story, film: Film) -> Iterator[Finding]:
    """What a shot sets of SVI itself must leave it on, and leave the frames that two clips share."""
    seen = set()
    for segment in film.segments:
        where, task = _shot(story, segment.shot), film.tasks[segment.number]
        if segment.shot in seen:
            continue
        seen.add(segment.shot)
        if task.get("image_mode") or str(task.get("mode") or "").startswith("edit_"):
            yield Finding("error", f"{where}: do not set mode or image_mode here; WanGP makes clips without them.")
        try:
            motion = motion_frames(task, film.variant.architecture)
        except ValueError as error:
            yield Finding("error", f"{where}: {error}.")
            continue
        if motion is None:
            yield Finding("error", f"{where}: its settings turn SVI off; the film would drift.")
        elif motion != film.variant.motion_frames:
            yield Finding(
                "error",
                f"{where}: its settings hand {motion} frames from clip to clip, those of the film "
                f"{film.variant.motion_frames}; choose a variant instead.",
            )


def _size(film: Film) -> Iterator[Finding]:
    sizes = {str(task.get("resolution", "")) for task in film.tasks.values()}
    if len(sizes) > 1:
        yield Finding(
            "error", f"the shots have different resolutions ({', '.join(sorted(sizes))}); a film has only one."
        )
    for size in sorted(sizes):
        found = _RESOLUTION.fullmatch(size)
        if not found or any(int(side) % 16 or not int(side) for side in found.groups()):
            yield Finding("error", f"the resolution {size!r} must be WIDTHxHEIGHT in multiples of 16, such as 832x480.")


def _lengths(story: Story, film: Film) -> Iterator[Finding]:
    variant = film.variant
    for number, shot in enumerate(story.shots, 1):
        own = tuple(segment for segment in film.segments if segment.shot == number)
        frames = maths.film_frames(own, variant.overlap)
        if len(shot.take) > len(own):
            yield Finding(
                "warning", f"{_shot(story, number)}: take has {len(shot.take)} numbers, but the shot {len(own)} clips."
            )
        if shot.frames is not None and shot.frames != frames:
            clips = f"{len(own)} clip{'s' if len(own) > 1 else ''}"
            yield Finding(
                "note",
                f"{_shot(story, number)}: {shot.frames} frames ({shot.frames / FPS:.1f} s) were asked for; whole clips "
                f"give {frames} ({frames / FPS:.1f} s, {clips}).",
            )
    clip = maths.clip_frames(story, variant)
    if clip != story.clip_frames:
        yield Finding("note", f"clips have {clip} frames: WanGP makes 4k+1, not {story.clip_frames}.")


def _model(film: Film, root: Path) -> Iterator[Finding]:
    if not (root / "defaults" / f"{film.variant.model}.json").is_file():
        yield Finding(
            "error", f"the WanGP in {root} has no model {film.variant.model}; update WanGP or choose another."
        )


def _loras(film: Film, root: Path) -> Iterator[Finding]:
    folder = locate_loras(root, "wan_i2v" if film.variant.architecture == "i2v" else "wan").folder
    missing: dict[str, bool] = {}
    for task in film.tasks.values():
        names = list(task.get("activated_loras") or [])
        strengths = str(task.get("loras_multipliers") or "").split()
        if len(strengths) > len(names):
            yield Finding("warning", f"there are {len(strengths)} strengths for {len(names)} LoRAs.")
        for name in names:
            file = str(name).split("|")[0].replace("\\", "/").rsplit("/", 1)[-1]
            if not (folder / file).is_file():
                missing[file] = "://" in str(name)
    for file, address in missing.items():
        if address:
            yield Finding("note", f"the LoRA {file} is not in {folder} yet; WanGP downloads it on first use.")
        else:
            yield Finding("error", f"the LoRA {file} is not in {folder}.")


def _disk(film: Film, needed: estimate.Disk | None) -> Iterator[Finding]:
    if needed is None:
        return
    try:
        free = failures.free_space(film.store.root)
    except OSError:
        return  # there is no such disk, or the name is none; that is said elsewhere
    if free < needed.most + failures.RESERVE:
        yield Finding(
            "error",
            f"the disk of {film.target.parent} has {human_size(free)} free; the film needs {human_size(needed.most)}.",
        )
