"""A story from a YAML file: ``image``, ``defaults`` and ``shots``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import SviError
from . import yamltree
from .prompt_text import plain, shots_of, without_tags
from .sizes import RATES, scaled
from .story import (
    CLIP_FRAMES,
    DEFAULT_SEED,
    FPS,
    LORAS,
    MOST_CLIP_FRAMES,
    MOST_SECONDS,
    MOST_SHOTS,
    MOST_STEPS,
    MOST_TAKES,
    Lora,
    Shot,
    Story,
    absolute,
    is_list_of_names,
    usage,
)
from .yamltree import Lines, Place, shown

TOP = ("image", "video", "end_image", "loop", "defaults", "shots")
STORY_KEYS = ("variant", "seed", "resolution", "clip_frames", "negative_prompt", "fps", "audio", "scale")
BOTH_KEYS = ("seconds", "frames", "steps", "loras", "settings", "style", "takes")
SHOT_KEYS = ("prompt", "seed", "end_image", "image", "new_shot", "take", *BOTH_KEYS)


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
    where = top.at("defaults")
    defaults = _mapping(_given(values, "defaults", {}), where, (*STORY_KEYS, *BOTH_KEYS))
    video = _file(values, "video", top, folder)
    # The anchor of a scene that goes on from a video is the video's first frame.
    image = _file(values, "image", top, folder) or video
    if image is None:
        top.wrong("there is no image", "Add a line such as: image: start.png")
    shots = _shots(values.get("shots"), top.at("shots"), folder, _length(defaults, where))
    end_image, loop = _file(values, "end_image", top, folder), _yes(values, "loop", top)
    if loop and end_image:
        top.at("loop").wrong("the film also has an end image; a film that loops ends on the image it begins with")
    return Story(
        image=image,
        shots=shots,
        variant=_words(defaults, "variant", where) or "",
        seed=_whole(defaults.get("seed", DEFAULT_SEED), where.at("seed"), 0),
        steps=_optional(defaults, "steps", where, most=MOST_STEPS),
        resolution=_text(defaults, "resolution", where),
        clip_frames=_whole(defaults.get("clip_frames", CLIP_FRAMES), where.at("clip_frames"), 5, MOST_CLIP_FRAMES),
        negative_prompt=_text(defaults, "negative_prompt", where),
        loras=_loras(defaults, where),
        settings=_settings(defaults, where, folder),
        style=plain(_text(defaults, "style", where) or ""),
        takes=_optional(defaults, "takes", where, most=MOST_TAKES) or 1,
        fps=_fps(defaults, where),
        audio=_file(defaults, "audio", where, folder),
        scale=_scale(defaults, where),
        video=video,
        end_image=end_image,
        loop=loop,
    )


def _shots(listed: Any, where: Place, folder: Path, length: int | None) -> tuple[Shot, ...]:
    if isinstance(listed, str):
        try:
            found = shots_of(listed)
        except SviError as error:
            raise usage(f"{where}: {error.message}", error.hint) from error
        listed = [
            {"prompt": shot.prompt, "new_shot": shot.new_shot, **({"frames": shot.frames} if shot.frames else {})}
            for shot in found
        ]
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
    own = _length(shot, where)
    image = _file(shot, "image", where, folder)
    style = _text(shot, "style", where)
    made = Shot(
        prompt,
        frames=own,
        seed=_optional(shot, "seed", where, 0),
        steps=_optional(shot, "steps", where, most=MOST_STEPS),
        end_image=_file(shot, "end_image", where, folder),
        image=image,
        loras=_loras(shot, where),
        # A shot with an image of its own cannot go on from the one before.
        new_shot=_yes(shot, "new_shot", where) or image is not None,
        settings=_settings(shot, where, folder),
        style=None if style is None else plain(style),
        takes=_optional(shot, "takes", where, most=MOST_TAKES),
        take=_take(shot, where),
        line=where.line,
    )
    try:
        made = without_tags(made)
    except SviError as error:
        raise usage(f"{where.at('prompt')}: {error.message}", error.hint) from error
    return made if made.frames else replace(made, frames=length)


def _take(shot: Mapping[str, Any], where: Place) -> tuple[int, ...]:
    value, where = shot.get("take"), where.at("take")
    if value is None:
        return ()
    if not isinstance(value, list):
        return (_whole(value, where, 1, MOST_TAKES),)
    if not value:
        where.wrong("it is empty; give a number, or one for each clip of the shot")
    return tuple(_whole(each, where.at(index), 1, MOST_TAKES) for index, each in enumerate(value))


def _mapping(data: Any, where: Place, known: tuple[str, ...] | None) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        where.wrong(f"it is {shown(data)}, but `name: value` lines are expected here")
    for key in data:
        if not isinstance(key, str):
            where.wrong(f"{shown(key)} is not a name; a name must be text")
        if known is not None and key not in known:
            where.at(key).wrong("this is not known here", f"Known here: {', '.join(known)}")
    return data


def _given(data: Mapping[str, Any], key: str, otherwise: Any) -> Any:
    """The value of a key; one that stands there alone says nothing."""
    return otherwise if data.get(key) is None else data[key]


def _settings(data: Mapping[str, Any], where: Place, folder: Path) -> Mapping[str, Any]:
    where = where.at("settings")
    settings = _mapping(_given(data, "settings", {}), where, None)
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


def _yes(data: Mapping[str, Any], key: str, where: Place) -> bool:
    value = data.get(key, False)
    if not isinstance(value, bool):
        where.at(key).wrong(f"it is {shown(value)}, but it must be true or false")
    return value


def _fps(data: Mapping[str, Any], where: Place) -> int | None:
    value = data.get("fps")
    if value is not None and (isinstance(value, bool) or value not in RATES):
        where.at("fps").wrong(f"it is {shown(value)}, but it must be one of {', '.join(map(str, RATES))}")
    return None if value is None else int(value)


def _scale(data: Mapping[str, Any], where: Place) -> str | None:
    value = _text(data, "scale", where)
    if value is not None:
        try:
            scaled(value, (832, 480))
        except SviError as error:
            where.at("scale").wrong(error.message.removesuffix(" Nothing was started.").rstrip("."), error.hint)
    return value


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
    listed, where = _given(data, "loras", []), where.at("loras")
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
