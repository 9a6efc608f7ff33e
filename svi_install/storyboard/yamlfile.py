"""A story from a YAML file: ``image``, ``defaults`` and ``shots``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import SviError
from . import yamltree
from .prompt_text import plain, shots_of
from .story import (
    CLIP_FRAMES,
    DEFAULT_SEED,
    FPS,
    LORAS,
    MOST_CLIP_FRAMES,
    MOST_SECONDS,
    MOST_SHOTS,
    MOST_STEPS,
    Lora,
    Shot,
    Story,
    absolute,
    is_list_of_names,
    usage,
)
from .yamltree import Lines, Place, shown

TOP = ("image", "defaults", "shots")
STORY_KEYS = ("variant", "seed", "resolution", "clip_frames", "negative_prompt")
BOTH_KEYS = ("seconds", "frames", "steps", "loras", "settings")
SHOT_KEYS = ("prompt", "seed", "end_image", "image", "new_shot", *BOTH_KEYS)


def read(path: Path) -> Story:
    """Read a story.

    Args:
        path: a YAML file; paths in it count from its folder.

    Raises:
        SviError: the file cannot be read, or something in it means nothing; the message names the place.
    """
    path = path.absolute()
    data, lines = yamltree.read(path)
    return parse(data, path.parent, path.name, lines)


def parse(data: Any, folder: Path, name: str = "story.yaml", lines: Lines | None = None) -> Story:
    """Make a story of what a YAML file holds.

    Args:
        folder: where paths in it count from.
        name: of the file, for messages.
        lines: line of each value in it.

    Raises:
        SviError: something in it means nothing.
    """
    top = Place(name, (), lines or {})
    values = _mapping(data, top, TOP)
    defaults, where = values.get("defaults") or {}, top.at("defaults")
    defaults = _mapping(defaults, where, (*STORY_KEYS, *BOTH_KEYS))
    image = _file(values, "image", top, folder)
    if image is None:
        top.wrong("there is no image", "Add a line such as: image: start.png")
    length = _length(defaults, where)
    return Story(
        image=image,
        shots=_shots(values.get("shots"), top.at("shots"), folder, length),
        variant=_words(defaults, "variant", where) or "shot",
        seed=_whole(defaults.get("seed", DEFAULT_SEED), where.at("seed"), 0),
        steps=_optional(defaults, "steps", where, most=MOST_STEPS),
        resolution=_text(defaults, "resolution", where),
        clip_frames=_whole(defaults.get("clip_frames", CLIP_FRAMES), where.at("clip_frames"), 5, MOST_CLIP_FRAMES),
        negative_prompt=_text(defaults, "negative_prompt", where),
        loras=_loras(defaults, where),
        settings=_settings(defaults, where, folder),
    )


def _shots(listed: Any, where: Place, folder: Path, length: int | None) -> tuple[Shot, ...]:
    if isinstance(listed, str):
        try:
            found = shots_of(listed)
        except SviError as error:
            raise usage(f"{where}: {error.message}", error.hint) from error
        listed = [{"prompt": shot.prompt, **({"frames": shot.frames} if shot.frames else {})} for shot in found]
    if not isinstance(listed, list) or not listed:
        where.wrong("there are no shots", "Add a list: shots: [{prompt: ...}]")
    if len(listed) > MOST_SHOTS:
        where.wrong(f"there are {len(listed)} shots; the maximum is {MOST_SHOTS}")
    return tuple(_shot(shot, folder, where.at(index), length) for index, shot in enumerate(listed))


def _shot(data: Any, folder: Path, where: Place, length: int | None) -> Shot:
    shot = _mapping({"prompt": data} if isinstance(data, str) else data, where, SHOT_KEYS)
    prompt = plain(_words(shot, "prompt", where) or "")
    if not prompt:
        where.wrong("it has no prompt")
    new_shot = shot.get("new_shot", False)
    if not isinstance(new_shot, bool):
        where.at("new_shot").wrong(f"it is {shown(new_shot)}, but it must be true or false")
    own = _length(shot, where)
    image = _file(shot, "image", where, folder)
    return Shot(
        prompt,
        frames=length if own is None else own,
        seed=_optional(shot, "seed", where, 0),
        steps=_optional(shot, "steps", where, most=MOST_STEPS),
        end_image=_file(shot, "end_image", where, folder),
        image=image,
        loras=_loras(shot, where),
        # A shot with an image of its own cannot go on from the one before.
        new_shot=new_shot or image is not None,
        settings=_settings(shot, where, folder),
    )


def _mapping(data: Any, where: Place, known: tuple[str, ...] | None) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        where.wrong(f"it is {shown(data)}, but `name: value` lines are expected here")
    for key in data:
        if not isinstance(key, str):
            where.wrong(f"{shown(key)} is not a name; a name must be text")
        if known is not None and key not in known:
            where.at(key).wrong("this is not known here", f"Known here: {', '.join(known)}")
    return data


def _settings(data: Mapping[str, Any], where: Place, folder: Path) -> Mapping[str, Any]:
    where = where.at("settings")
    settings = _mapping(data.get("settings") or {}, where, None)
    if not is_list_of_names(settings.get(LORAS)):
        where.at(LORAS).wrong(f"it is {shown(settings[LORAS])}, but it must be a list of names")
    return absolute(settings, folder)


def _file(data: Mapping[str, Any], key: str, where: Place, folder: Path) -> Path | None:
    value = data.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        where.at(key).wrong(f"it is {shown(value)}, but it must be a file name")
    return folder.absolute() / value


def _length(data: Mapping[str, Any], where: Place) -> int | None:
    seconds = data.get("seconds")
    if seconds is not None and data.get("frames") is not None:
        where.at("seconds").wrong("it has both seconds and frames; give only one of them")
    if seconds is not None:
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds <= MOST_SECONDS:
            where.at("seconds").wrong(
                f"it is {shown(seconds)}, but it must be a number above 0 and up to {MOST_SECONDS}"
            )
        return max(1, round(seconds * FPS))
    return _optional(data, "frames", where, most=MOST_SECONDS * FPS)


def _optional(data: Mapping[str, Any], key: str, where: Place, least: int = 1, most: int | None = None) -> int | None:
    return None if data.get(key) is None else _whole(data[key], where.at(key), least, most)


def _whole(value: Any, where: Place, least: int, most: int | None = None) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least or value > (most or value):
        limits = f"{least} or more" if most is None else f"{least} to {most}"
        where.wrong(f"it is {shown(value)}, but it must be a whole number, {limits}")
    return value


def _text(data: Mapping[str, Any], key: str, where: Place) -> str | None:
    value = data.get(key)
    if value is not None and not isinstance(value, str):
        where.at(key).wrong(f"it is {shown(value)}, but it must be text; put it in quotation marks")
    return value


def _words(data: Mapping[str, Any], key: str, where: Place) -> str | None:
    """Text that may look like a number, such as the variant 2.0."""
    value = data.get(key)
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else _text(data, key, where)


def _loras(data: Mapping[str, Any], where: Place) -> tuple[Lora, ...]:
    listed, where = data.get("loras") or [], where.at("loras")
    if not isinstance(listed, list):
        where.wrong("it must be a list")
    found = []
    for index, entry in enumerate(listed):
        if isinstance(entry, str) and entry:
            found.append(Lora(entry))
            continue
        name, strength = next(iter(entry.items())) if isinstance(entry, Mapping) and len(entry) == 1 else (None, None)
        if not isinstance(name, str) or isinstance(strength, bool) or not isinstance(strength, (str, int, float)):
            where.at(index).wrong(f"a LoRA is a file name or `name: strength`, not {shown(entry)}")
        found.append(Lora(name, str(strength)))
    return tuple(found)
