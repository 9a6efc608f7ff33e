"""``status VIDEO``: how a video was made with SVI, from the settings that WanGP keeps in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..checkout.mp4 import comment
from ..errors import SviError, quoted
from ..report.result import Line, Result

KEY = "svi"
# What `render` leaves: the story that a film was made of, as a story file has it.
STORY = "story"
# A WanGP that refuses unknown settings (13.14 and later) gets the values among those of its form's fields.
FIELDS = "custom_settings"


def video_status(path: Path) -> Result:
    """Read how a video was made.

    Args:
        path: an MP4 file.

    Returns:
        The values that the SVI runtime left in it; ``extra["video"]`` holds them for programs.

    Raises:
        SviError: the file cannot be read, or nothing in it is from SVI.
    """
    settings = _settings(path)
    fields = settings.get(FIELDS)
    values = settings.get(KEY) or (fields.get(KEY) if isinstance(fields, dict) else None)
    if not isinstance(values, dict):
        raise SviError(
            "no-svi-in-video",
            f"{path} was not made with SVI, or its settings were removed by another program.",
            "Choose a video as WanGP saved it, not one that was cut or converted since.",
        )
    notes = tuple(
        f"{name.replace('_', ' ')}: {_text(value)}" for name, value in values.items() if name not in (STORY, "images")
    )
    story = values.get(STORY)
    return Result(
        "status",
        "done",
        f"{path} was made with SVI.",
        notes=notes,
        body=_story(story) if isinstance(story, dict) else (),
        next_command=f"svi-install render {quoted(path)} -o again.mp4" if isinstance(story, dict) else "",
        extra={"video": {"path": str(path), KEY: values}},
    )


def _story(story: dict[str, Any]) -> tuple[Line, ...]:
    """The story as a story file has it."""
    import yaml

    text = yaml.safe_dump(story, sort_keys=False, allow_unicode=True, width=100)
    return tuple(((line, ""),) for line in text.splitlines())


def _settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(comment(path) or "{}")
    except (ValueError, RecursionError):
        return {}
    return settings if isinstance(settings, dict) else {}


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value)
