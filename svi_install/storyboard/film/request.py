"""What the command line asks for, and the story that it comes to."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..archive import story_data
from ..media.clip_video import VIDEOS
from ..script import yamlfile
from ..script.prompt_text import shots_of
from ..script.story import (
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
    with_variant,
)
from ..script.yamltree import content

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
        takes: how many takes of each clip are wanted.
        style: what every prompt begins with.
        fps: frames a second of the file to publish.
        audio: its music.
        scale: its size.
        end: image that the film ends on.
        loop: the film ends on the image that it begins with.
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
    takes: int | None = None
    style: str | None = None
    fps: int | None = None
    audio: Path | None = None
    scale: str | None = None
    end: Path | None = None
    loop: bool = False


def story_of(request: Request) -> Story:
    """Make the story of a request; what the command line says wins over a story file.

    Raises:
        SviError: there is no prompt, or something means nothing.
    """
    if request.source.suffix.lower() in STORIES:
        if request.prompts is not None:
            raise usage("A story file has its own prompts. Nothing was started.", "svi-install render story.yaml")
        story = yamlfile.read(request.source)
    elif request.prompts is None and request.source.suffix.lower() == VIDEO:
        story = story_data.of_film(request.source)
    elif request.prompts is not None and request.source.suffix.lower() in VIDEOS:
        video = request.source.absolute()
        story = Story(video, shots_of(_text(request.prompts)), variant="", video=video)
    else:
        if request.prompts is None:
            raise usage("There are no prompts. Nothing was started.", 'svi-install render IMAGE "walking | running"')
        # WanGP runs in another folder.
        story = Story(request.source.absolute(), shots_of(_text(request.prompts)), variant="")
    changed: dict[str, Any] = {
        name: value
        for name in (
            *("seed", "steps", "resolution", "clip_frames", "negative_prompt", "takes", "style"),
            *("fps", "scale"),
        )
        if (value := getattr(request, name)) is not None
    }
    if request.loop and request.end is not None:
        raise usage("A film can end on an image or loop, not both. Nothing was started.", "Leave out --end or --loop.")
    if request.loop or request.end is not None:
        changed.update(end_image=request.end and request.end.absolute(), loop=request.loop)
        changed["shots"] = (*story.shots[:-1], replace(story.shots[-1], end_image=None))
    for name, most in (("seconds", MOST_SECONDS), ("steps", MOST_STEPS), ("clip_frames", MOST_CLIP_FRAMES)):
        value = getattr(request, name)
        # Not a number is never below anything.
        if value is not None and not value <= most:
            raise usage(f"--{name.replace('_', '-')} is {value}, but the maximum is {most}. Nothing was started.")
    if request.audio is not None:
        changed["audio"] = request.audio.absolute()
    if request.seconds is not None:
        frames = max(1, round(request.seconds * FPS))
        shots = changed.get("shots", story.shots)
        changed["shots"] = tuple(shot if shot.frames else replace(shot, frames=frames) for shot in shots)
    if request.loras:
        changed["loras"] = (*story.loras, *map(_lora, request.loras))
    if request.settings:
        changed["settings"] = {**story.settings, **absolute(settings_of(request.settings), Path())}
    story = replace(story, **changed)
    if story.loop and story.video is not None:
        raise usage(
            "A film that goes on from a video begins with no image that it could come back to. Nothing was started.",
            "Name the image that it is to end on: add --end IMAGE",
        )
    return with_variant(story, request.variant)


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
