"""The fields that SVI adds to WanGP's own form, from the releases on whose model definitions can declare fields."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from . import options

ON_OFF = [["Off", options.OFF], ["On", "on"]]


def declare(model_def: MutableMapping[str, Any] | None, dropdowns: bool, room: int) -> None:
    """Adds SVI's fields to a model definition, once, behind any that WanGP has declared itself.

    Args:
        model_def: WanGP's definition of one model; changed in place. Other models than SVI's are left alone.
        dropdowns: whether this release knows fields with a list of choices.
        room: how many fields a model may declare.
    """
    if model_def is None:
        return
    architecture = model_def.get("architecture")
    if architecture in options.ARCHITECTURES:
        wanted = _clip_fields(dropdowns)
    elif architecture == options.PRO_ARCHITECTURE:
        wanted = [_switch(options.CLIP_SEEDS, "SVI: a new seed for every clip, as its authors advise", dropdowns)]
    else:
        return
    declared = model_def.get("custom_settings")
    declared = declared if isinstance(declared, list) else []
    ids = {field.get("id") for field in declared if isinstance(field, dict)}
    missing = [field for field in wanted if field["id"] not in ids]
    model_def["custom_settings"] = declared + missing[: max(0, room - len(declared))]


def _clip_fields(dropdowns: bool) -> list[dict[str, Any]]:
    names = [["Off", options.OFF], *([variant.label, name] for name, variant in options.VARIANTS.items())]
    variant: dict[str, Any] = {
        "id": options.VARIANT,
        "name": options.VARIANT,
        "label": "SVI endless video (needs the SVI LoRA of that name; makes whole clips of the Sliding Window Size)",
        "default": options.OFF,
    }
    if dropdowns:
        variant.update(type="dropdown", choices=names)
    else:
        words = ", ".join(name for _, name in names)
        variant.update(type="text", label=f"SVI endless video: {words} (needs the SVI LoRA of that name)")
    return [
        variant,
        _switch(options.SIGMAS, "SVI: noise schedule of its authors (Sampler Solver euler only)", dropdowns),
        _number(options.MOTION_FRAMES, "SVI: motion frames from clip to clip (empty: as the variant)"),
        _number(options.PADDING, "SVI: reference frames, -1 for all (empty: as the variant)"),
    ]


def _number(name: str, label: str) -> dict[str, Any]:
    return {"id": name, "name": name, "label": label, "type": "int", "default": ""}


def _switch(name: str, label: str, dropdowns: bool) -> dict[str, Any]:
    field = {"id": name, "name": name, "label": label, "default": options.OFF}
    if dropdowns:
        return {**field, "type": "dropdown", "choices": ON_OFF}
    return {**field, "type": "text", "label": f"{label}: on or off"}
