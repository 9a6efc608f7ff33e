"""What is wrong with a story, or will surprise its author, before hours of rendering."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..loras import failures
from ..loras.inventory import locate as locate_loras
from ..loras.progress import human_size
from . import segments as maths
from .film import Film
from .images import kind
from .story import FPS, Story
from .task import POSTPROCESSING, motion_frames
from .variants import PRO, Variant

Level = Literal["error", "warning", "note"]
# What `render` decides itself for each segment.
OWN = ("prompt", "image_start", "image_end", "image_prompt_type", "seed", "video_length", "sliding_window_size")
OWN_PREFIX = ("svi_segment", "sliding_window_overlap", "multi_prompts_gen_type", "model_type", "repeat_generation")
_RESOLUTION = re.compile(r"(\d{2,5})x(\d{2,5})")
# A compressed second is small beside the uncompressed frames of the segment that is being finished.
BYTES_PER_PIXEL = 0.08


@dataclass(frozen=True)
class Finding:
    """One thing about a story.

    Args:
        level: an error keeps it from being rendered.
        text: in plain words.
    """

    level: Level
    text: str


def lint(story: Story, film: Film, root: Path | None = None) -> tuple[Finding, ...]:
    """Look at a story.

    Args:
        root: WanGP's folder, None to leave out what depends on it.

    Returns:
        What was found, errors first.
    """
    found = [
        *_images(story, film.variant),
        *_prompts(story),
        *_settings(story),
        *_svi(film),
        *_size(film),
        *_lengths(story, film),
    ]
    if root is not None:
        found += [*_model(film, root), *_loras(film, root)]
    found += _disk(film)
    order = {"error": 0, "warning": 1, "note": 2}
    return tuple(sorted(found, key=lambda finding: order[finding.level]))


def _images(story: Story, variant: Variant) -> Iterator[Finding]:
    images = {story.image} | {path for shot in story.shots for path in (shot.image, shot.end_image) if path}
    for image in sorted(images):
        if kind(image) is None:
            yield Finding("error", f"{image} is not a picture that WanGP can read (PNG, JPEG, WebP).")
    for number, shot in enumerate(story.shots, 1):
        if shot.end_image and variant.name != PRO:
            yield Finding("error", f"shot {number} has an end image; only the variant {PRO} supports that.")


def _prompts(story: Story) -> Iterator[Finding]:
    for number, shot in enumerate(story.shots, 1):
        if shot.prompt.startswith(("/", "!", "#")):
            yield Finding("error", f"shot {number} begins with {shot.prompt[0]!r}, which is a command for WanGP.")
        if "{" in shot.prompt:
            yield Finding("warning", f"shot {number} contains {{, which WanGP reads as the start of a variable.")


def _settings(story: Story) -> Iterator[Finding]:
    shots = ((f"shot {number}", shot.settings) for number, shot in enumerate(story.shots, 1))
    for where, settings in (("defaults", story.settings), *shots):
        for name in settings:
            if name in OWN or name.startswith(OWN_PREFIX):
                yield Finding("error", f"{where}: {name} cannot be set here; render chooses it for each segment.")
            elif name in POSTPROCESSING and settings[name]:
                yield Finding(
                    "error", f"{where}: {name} works on finished videos; apply it in WanGP to the finished film."
                )


def _svi(film: Film) -> Iterator[Finding]:
    """What a shot sets of SVI itself must leave it on, and leave the frames that two clips share."""
    seen = set()
    for segment in film.segments:
        where, task = f"shot {segment.shot}", film.tasks[segment.number]
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
        if shot.frames is not None and shot.frames != frames:
            clips = f"{len(own)} clip{'s' if len(own) > 1 else ''}"
            yield Finding(
                "note",
                f"shot {number}: {shot.frames} frames ({shot.frames / FPS:.1f} s) were asked for; whole clips give "
                f"{frames} ({frames / FPS:.1f} s, {clips}).",
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


def _disk(film: Film) -> Iterator[Finding]:
    pixels = _pixels(film.tasks[1])
    missing = len(film.missing())
    if not missing or not pixels:
        return
    frames = film.segments[0].frames
    needed = int(2 * frames * pixels * 3 + missing * frames * pixels * BYTES_PER_PIXEL * 2)
    try:
        free = failures.free_space(film.store.root)
    except OSError:
        return  # there is no such disk, or the name is none; that is said elsewhere
    if free < needed + failures.RESERVE:
        yield Finding(
            "error",
            f"the disk of {film.target.parent} has {human_size(free)} free; the film needs {human_size(needed)}.",
        )


def _pixels(task: Mapping[str, object]) -> int:
    found = _RESOLUTION.fullmatch(str(task.get("resolution", "")))
    return int(found[1]) * int(found[2]) if found else 0
