"""A story from a YAML file: ``image``, ``defaults`` and ``shots``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .story import CLIP_FRAMES, DEFAULT_SEED, FPS, Lora, Shot, Story, usage
from .text import plain, shots_of

TOP = ("image", "defaults", "shots")
STORY_KEYS = ("variant", "seed", "resolution", "clip_frames", "negative_prompt")
BOTH_KEYS = ("seconds", "frames", "steps", "loras", "settings")
SHOT_KEYS = ("prompt", "seed", "end_image", "image", "new_shot", *BOTH_KEYS)


def read(path: Path) -> Story:
    """Read a story.

    Args:
        path: a YAML file; paths in it count from its folder.

    Returns:
        The story.

    Raises:
        SviError: the file cannot be read, or something in it means nothing; the message names the place.
    """
    import yaml

    try:
        data = yaml.safe_load(path.read_text("utf-8-sig"))
    except OSError as error:
        raise usage(f"{path} cannot be read: {error.strerror}. Nothing was started.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise usage(f"{path} is no YAML that can be read: {error}. Nothing was started.") from error
    return parse(data, path.parent, path.name)


def parse(data: Any, folder: Path, name: str = "story.yaml") -> Story:
    """Make a story of what a YAML file holds.

    Args:
        data: the file's content.
        folder: where paths in it count from.
        name: of the file, for messages.

    Returns:
        The story.

    Raises:
        SviError: something in it means nothing.
    """
    top = _mapping(data, name, TOP)
    defaults = _mapping(top.get("defaults") or {}, f"{name}, defaults", (*STORY_KEYS, *BOTH_KEYS))
    if not isinstance(top.get("image"), str):
        raise usage(f"{name} names no image. Nothing was started.", "Add a line such as: image: start.png")
    listed = top.get("shots")
    if isinstance(listed, str):
        listed = [
            {"prompt": shot.prompt, **({"frames": shot.frames} if shot.frames else {})} for shot in shots_of(listed)
        ]
    if not isinstance(listed, list) or not listed:
        raise usage(f"{name} has no shots. Nothing was started.", "Add a list: shots: [{prompt: ...}]")
    length = _length(defaults, f"{name}, defaults")
    shots = tuple(_shot(shot, folder, f"{name}, shot {number}", length) for number, shot in enumerate(listed, 1))
    where = f"{name}, defaults"
    return Story(
        image=folder / top["image"],
        shots=shots,
        variant=str(defaults.get("variant", "shot")),
        seed=_whole(defaults.get("seed", DEFAULT_SEED), where, "seed", 0),
        steps=_optional(defaults, "steps", where),
        resolution=_text(defaults, "resolution", where),
        clip_frames=_whole(defaults.get("clip_frames", CLIP_FRAMES), where, "clip_frames", 5),
        negative_prompt=_text(defaults, "negative_prompt", where),
        loras=_loras(defaults, where),
        settings=_mapping(defaults.get("settings") or {}, f"{where}, settings", None),
    )


def _shot(data: Any, folder: Path, where: str, length: int | None) -> Shot:
    shot = _mapping({"prompt": data} if isinstance(data, str) else data, where, SHOT_KEYS)
    prompt = plain(str(shot.get("prompt") or ""))
    if not prompt:
        raise usage(f"{where} has no prompt. Nothing was started.")
    for key in ("image", "end_image"):
        if shot.get(key) is not None and not isinstance(shot[key], str):
            raise usage(f"{where}: {key} has to be a file name. Nothing was started.")
    new_shot = shot.get("new_shot", False)
    if not isinstance(new_shot, bool):
        raise usage(f"{where}: new_shot is {new_shot!r}, but it can only be true or false. Nothing was started.")
    own = _length(shot, where)
    return Shot(
        prompt,
        frames=length if own is None else own,
        seed=_optional(shot, "seed", where, 0),
        steps=_optional(shot, "steps", where),
        end_image=folder / shot["end_image"] if shot.get("end_image") else None,
        image=folder / shot["image"] if shot.get("image") else None,
        loras=_loras(shot, where),
        # A shot with an image of its own cannot go on from the one before.
        new_shot=new_shot or bool(shot.get("image")),
        settings=_mapping(shot.get("settings") or {}, f"{where}, settings", None),
    )


def _mapping(data: Any, where: str, known: tuple[str, ...] | None) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise usage(f"{where}: expected `name: value` lines. Nothing was started.")
    unknown = [str(key) for key in data if known is not None and key not in known]
    if unknown:
        raise usage(
            f"{where}: {', '.join(unknown)} means nothing here. Nothing was started.",
            f"Known here: {', '.join(known or ())}",
        )
    return data


def _length(data: Mapping[str, Any], where: str) -> int | None:
    if data.get("seconds") is not None and data.get("frames") is not None:
        raise usage(f"{where} has seconds and frames; one of them is enough. Nothing was started.")
    if data.get("seconds") is not None:
        seconds = data["seconds"]
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds <= 0:
            raise usage(f"{where}: seconds is {seconds!r}, but it has to be a number above 0. Nothing was started.")
        return max(1, round(seconds * FPS))
    return _optional(data, "frames", where)


def _optional(data: Mapping[str, Any], key: str, where: str, least: int = 1) -> int | None:
    return None if data.get(key) is None else _whole(data[key], where, key, least)


def _whole(value: Any, where: str, key: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise usage(
            f"{where}: {key} is {value!r}, but it has to be a whole number from {least} on. Nothing was started."
        )
    return value


def _text(data: Mapping[str, Any], key: str, where: str) -> str | None:
    value = data.get(key)
    if value is not None and not isinstance(value, str):
        raise usage(f"{where}: {key} is {value!r}, but it has to be text. Nothing was started.")
    return value


def _loras(data: Mapping[str, Any], where: str) -> tuple[Lora, ...]:
    listed = data.get("loras") or []
    if not isinstance(listed, list):
        raise usage(f"{where}: loras has to be a list. Nothing was started.")
    found = []
    for entry in listed:
        if isinstance(entry, str):
            found.append(Lora(entry))
        elif isinstance(entry, Mapping) and len(entry) == 1:
            name, strength = next(iter(entry.items()))
            found.append(Lora(str(name), str(strength)))
        else:
            raise usage(f"{where}: a LoRA is a file name or `name: strength`, not {entry!r}. Nothing was started.")
    return tuple(found)
