"""``status VIDEO``: how a video was made with SVI, from the settings that WanGP keeps in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..checkout.mp4 import comment
from ..errors import SviError
from ..report.result import Result

KEY = "svi"
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
    notes = tuple(f"{name.replace('_', ' ')}: {_text(value)}" for name, value in values.items())
    return Result(
        "status",
        "done",
        f"{path} was made with SVI.",
        notes=notes,
        extra={"video": {"path": str(path), KEY: values}},
    )


def _settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(comment(path) or "{}")
    except ValueError:
        return {}
    return settings if isinstance(settings, dict) else {}


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value)
