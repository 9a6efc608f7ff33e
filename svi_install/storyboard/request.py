"""What the command line asks for, and the story that it comes to."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import yamlfile
from .prompt_text import shots_of
from .story import (
    FPS,
    LORAS,
    MOST_CLIP_FRAMES,
    MOST_SECONDS,
    MOST_STEPS,
    Lora,
    Story,
    absolute,
    is_list_of_names,
    usage,
)
from .yamltree import content

STORIES = (".yaml", ".yml")
VIDEO = ".mp4"


@dataclass(frozen=True)
class Request:
    """A film as the command line asks for it; None leaves a value to the story or the variant.

    Args:
        source: an image, or a story file.
        prompts: prompts, or the name of a text file with them; not with a story file.
        target: the video to be, None for one named after the source.
        variant: see `variants.variant_of`.
        seed: of the first clip.
        steps: denoising steps.
        resolution: width x height.
        clip_frames: frames of a clip.
        seconds: length of each prompt that says none itself.
        negative_prompt: what is not to be seen.
        loras: ``name`` or ``name:strength``.
        settings: WanGP settings, ``name=value``.
    """

    source: Path
    prompts: str | None = None
    target: Path | None = None
    variant: str | None = None
    seed: int | None = None
    steps: int | None = None
    resolution: str | None = None
    clip_frames: int | None = None
    seconds: float | None = None
    negative_prompt: str | None = None
    loras: tuple[str, ...] = ()
    settings: tuple[str, ...] = field(default=())


def story_of(request: Request) -> Story:
    """Make the story of a request; what the command line says wins over a story file.

    Raises:
        SviError: there is no prompt, or something means nothing.
    """
    if request.source.suffix.lower() in STORIES:
        if request.prompts is not None:
            raise usage("A story file has its own prompts. Nothing was started.", "svi-install render story.yaml")
        story = yamlfile.read(request.source)
    else:
        if request.prompts is None:
            raise usage("There are no prompts. Nothing was started.", 'svi-install render IMAGE "walking | running"')
        # WanGP runs in another folder.
        story = Story(request.source.absolute(), shots_of(_text(request.prompts)))
    changed: dict[str, Any] = {
        name: value
        for name in ("variant", "seed", "steps", "resolution", "clip_frames", "negative_prompt")
        if (value := getattr(request, name)) is not None
    }
    for name, most in (("seconds", MOST_SECONDS), ("steps", MOST_STEPS), ("clip_frames", MOST_CLIP_FRAMES)):
        value = getattr(request, name)
        # Not a number is never below anything.
        if value is not None and not value <= most:
            raise usage(f"--{name.replace('_', '-')} is {value}, but the maximum is {most}. Nothing was started.")
    if request.seconds is not None:
        frames = max(1, round(request.seconds * FPS))
        changed["shots"] = tuple(shot if shot.frames else replace(shot, frames=frames) for shot in story.shots)
    if request.loras:
        changed["loras"] = (*story.loras, *map(_lora, request.loras))
    if request.settings:
        changed["settings"] = {**story.settings, **absolute(settings_of(request.settings), Path())}
    return replace(story, **changed)


def target_of(request: Request) -> Path:
    """Return the video to be; without a name it lies beside the source and has its name.

    Raises:
        SviError: it is to be in a format that parts cannot be joined in.
    """
    target = request.target or request.source.with_name(f"{request.source.stem}-film{VIDEO}")
    if target.suffix.lower() != VIDEO:
        raise usage(f"{target} does not end in {VIDEO}. Nothing was started.", f"-o {target.with_suffix(VIDEO).name}")
    return target.absolute()


def settings_of(words: Sequence[str]) -> Mapping[str, Any]:
    """Read WanGP settings given as ``name=value``; a value is JSON where it can be, text otherwise.

    Raises:
        SviError: a word has no ``=``.
    """
    found: dict[str, Any] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name.strip():
            raise usage(f"{word!r} is not a setting. Nothing was started.", "--set guidance_scale=4")
        try:
            found[name.strip()] = json.loads(value, parse_constant=_no_number)
        except ValueError:
            found[name.strip()] = value
        except RecursionError:
            raise usage(f"The value of --set {name.strip()} is nested too deeply. Nothing was started.") from None
    if not is_list_of_names(found.get(LORAS)):
        raise usage(f"{LORAS} must be a list of names. Nothing was started.", f"--set '{LORAS}=[\"NAME\"]'")
    return found


def _lora(word: str) -> Lora:
    name, sign, strength = word.rpartition(":")
    # The colon of an address or of a drive is none of a strength.
    return Lora(name, strength) if sign and strength[:1].isdigit() else Lora(word)


def _text(prompts: str) -> str:
    if not prompts.lower().endswith(".txt") or re.search(r"[|\n]", prompts):
        return prompts
    path = Path(prompts)
    try:
        there = path.exists()
    except OSError:
        there = False
    if not there and re.search(r"\s", prompts):
        return prompts
    try:
        return content(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise usage(f"{path} cannot be read as text: {error}. Nothing was started.") from error


def _no_number(word: str) -> float:
    raise ValueError(word)
