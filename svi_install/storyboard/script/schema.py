"""The JSON schema of a story file, so that an editor completes and checks it; made of what the reader knows.

``python -m svi_install.storyboard.schema`` writes it anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import yamlfile
from .story import FPS, MOST_CLIP_FRAMES, MOST_SECONDS, MOST_SHOTS, MOST_STEPS, MOST_TAKES

FILE = Path(__file__).with_name("story.schema.json")
_FILE_NAME = {"type": ["string", "null"]}
_TEXT = {"type": ["string", "null"]}
_WORD = {"type": ["string", "number", "null"]}


def _whole(least: int, most: int | None = None, *, empty: bool = True) -> dict[str, Any]:
    return {
        "type": ["integer", "null"] if empty else "integer",
        "minimum": least,
        **({"maximum": most} if most else {}),
    }


def _said(text: str, kind: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": text, **kind}


_LORA = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": {"type": ["string", "number"]},
        },
    ]
}
# Of every key that the reader knows.
KEYS: dict[str, dict[str, Any]] = {
    "image": _said(
        "The start image, and what holds a scene together. Paths count from this file's folder.", _FILE_NAME
    ),
    "video": _said("A video that the film goes on from.", _FILE_NAME),
    "variant": _said("shot, 2.0, film, tom (Wan 2.1), wan22, pro (Wan 2.2), or the name of a profile.", _WORD),
    "seed": _said("Of the first clip of each scene; each further one adds 42.", _whole(0)),
    "resolution": _said("Width x height in multiples of 16, such as 832x480.", _TEXT),
    "clip_frames": _said("Frames of a clip; SVI was trained on 81.", _whole(5, MOST_CLIP_FRAMES, empty=False)),
    "negative_prompt": _said("What is not to be seen.", _TEXT),
    "fps": _said("Frames a second of the file to publish.", {"enum": [24, 30, 60, None]}),
    "audio": _said("Music of the file to publish.", _FILE_NAME),
    "scale": _said("Size of the file to publish: 2x, 1080p or 1280x720.", _TEXT),
    "style": _said("What every prompt begins with.", _TEXT),
    "seconds": _said(
        "Length, rounded to whole clips.",
        {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": MOST_SECONDS},
    ),
    "frames": _said("Length in frames, instead of seconds.", _whole(1, MOST_SECONDS * FPS)),
    "steps": _said("Denoising steps.", _whole(1, MOST_STEPS)),
    "loras": _said(
        "LoRAs beside SVI's own: names, or name: strength.",
        {"type": ["array", "null"], "items": _LORA},
    ),
    "settings": _said(
        "Any setting of WanGP.",
        {
            "type": ["object", "null"],
            "properties": {"activated_loras": {"type": ["array", "null"], "items": {"type": "string"}}},
        },
    ),
    "takes": _said("How many takes of each clip are made.", _whole(1, MOST_TAKES)),
    "take": _said(
        "Which take is in the film; a list has one number for each clip of the shot.",
        {
            "anyOf": [
                _whole(1, MOST_TAKES),
                {"type": "array", "minItems": 1, "items": _whole(1, MOST_TAKES, empty=False)},
            ]
        },
    ),
    "prompt": _said("What is to be seen.", {"type": ["string", "number"], "pattern": r"\S"}),
    "end_image": _said("What the film or the shot ends on; wan22 and pro can do that.", _FILE_NAME),
    "loop": _said("The film ends on the image that it begins with; wan22 and pro can do that.", {"type": "boolean"}),
    "new_shot": _said("A cut: starts anew from the image.", {"type": "boolean"}),
}
# Given twice in one place, a length says nothing.
_ONE_LENGTH = {"not": {"type": "object",
                       "properties": {"seconds": {"not": {"type": "null"}}, "frames": {"not": {"type": "null"}}},
                       "required": ["seconds", "frames"]}}  # fmt: skip
_ONE_END = {"not": {"properties": {"end_image": {"type": "string", "minLength": 1}, "loop": {"const": True}},
                    "required": ["end_image", "loop"]}}  # fmt: skip


def schema() -> dict[str, Any]:
    """Return the schema of a story file."""
    shot = {**_group(yamlfile.SHOT_KEYS), "required": ["prompt"], **_ONE_LENGTH}
    shots = {
        "description": "The shots, in the order of the film; or prompts as on the command line.",
        "anyOf": [
            {"type": "string", "pattern": r"\S"},
            {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_SHOTS,
                "items": {"anyOf": [{"type": "string", "pattern": r"\S"}, shot]},
            },
        ],
    }
    defaults = {**_group((*yamlfile.STORY_KEYS, *yamlfile.BOTH_KEYS)), **_ONE_LENGTH, "type": ["object", "null"]}
    # Of a shot, nothing means that the story's own holds.
    defaults["properties"] = {**defaults["properties"], "seed": {**KEYS["seed"], "type": "integer"}}
    inner = {"defaults": {"description": "What holds for all shots.", **defaults}, "shots": shots}
    top = {name: inner.get(name) or KEYS[name] for name in yamlfile.TOP}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A story for svi-install render",
        "type": "object",
        "properties": top,
        "required": ["shots"],
        "anyOf": [
            {"required": [name], "properties": {name: {"type": "string", "minLength": 1}}}
            for name in ("image", "video")
            if name in top
        ],
        **_ONE_END,
        "additionalProperties": False,
    }


def _group(names: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: KEYS[name] for name in names}, "additionalProperties": False}


if __name__ == "__main__":
    FILE.write_text(f"{json.dumps(schema(), indent=1)}\n", "utf-8")
