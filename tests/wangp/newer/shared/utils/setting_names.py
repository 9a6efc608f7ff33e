"""Refuses settings that WanGP does not know. Written for the laboratory; WanGP has it from 13.14 on.

Read: shared/utils/setting_names.py of 13.14 (names of functions and sets, the rule, the last sentence of its message)
and wgp.py 13.14 and 17.17, validate_settings, which asks first of all. The sets hold what 12.60 itself hands to
validate_settings beside the names of models/_settings.json.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

NON_SETTING_KEYS = frozenset(
    {
        *("state", "mode", "type", "model_type", "base_model_type", "model_filename", "settings_version"),
        *("plugin_data", "priority", "frame_scheduler", "spatial_upsampler_parameters"),
    }
)
DEPRECATED_SETTING_KEYS = frozenset({"lset_name", "slg_switch", "slg_layers", "slg_start_perc", "slg_end_perc"})


@functools.cache
def catalog_setting_names() -> frozenset[str]:
    return frozenset(json.loads((Path(__file__).parents[2] / "models/_settings.json").read_text("utf-8")))


def accepted_setting_names() -> frozenset[str]:
    """Looked up anew each time: a set that was replaced counts at once."""
    return catalog_setting_names() | NON_SETTING_KEYS | DEPRECATED_SETTING_KEYS


def unknown_setting_names(settings: Iterable[str]) -> list[str]:
    accepted = accepted_setting_names()
    return [name for name in settings if name not in accepted]


def split_settings(settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings among some metadata, and the rest."""
    strange = set(unknown_setting_names(settings))
    return (
        {name: value for name, value in settings.items() if name not in strange},
        {name: value for name, value in settings.items() if name in strange},
    )


def unknown_settings_error(settings: Iterable[str]) -> str:
    """Empty when all are known."""
    unknown = ", ".join(unknown_setting_names(settings))
    return f"Unknown setting: {unknown}. Model-specific options belong in custom_settings." if unknown else ""
