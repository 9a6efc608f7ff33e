"""The fields that SVI adds to WanGP's own form, from the releases on whose model definitions can declare fields.

No field has a default: WanGP 13 and later writes declared defaults into every task that does not name the field, and
"off" written by nobody must not switch off what a settings file switches on. The form shows its first choice, Off.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from . import details, options

LABEL = options.LABELS[options.VARIANT]
DETAILS_LABEL = "SVI details"
SEEDS_LABEL = "SVI: a new seed for every clip, as its authors advise"

# What to choose when.
FOR = {
    "shot": "one scene, kept steady",
    "2.0": "one scene or several, with the best motion",
    "film": "scenes that change with each prompt",
    "tom": "cartoons",
    options.CUSTOM: "your own numbers, in SVI details",
}
HELP = (
    "Makes a video of any length from clips of about 5 seconds, with one line of prompt for each. Choose a profile "
    "that begins with SVI in the settings menu above, and this is set for you, along with the LoRA that it needs."
)
DETAILS_HELP = (
    f"For people who know SVI. Leave it empty to use its authors' numbers. For example: {details.EXAMPLE}. On Wan 2.2, "
    '"end images 2 4" gives your End Images to clips 2 and 4.'
)


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
        wanted = _clip_fields(str(architecture), dropdowns)
    elif architecture == options.PRO_ARCHITECTURE:
        wanted = [_field(options.CLIP_SEEDS, SEEDS_LABEL, {"Off": options.OFF, "On": "on"}, dropdowns)]
    else:
        return
    declared = model_def.get("custom_settings")
    declared = declared if isinstance(declared, list) else []
    ids = {field.get("id") for field in declared if isinstance(field, dict)}
    missing = [field for field in wanted if field["id"] not in ids]
    model_def["custom_settings"] = declared + missing[: max(0, room - len(declared))]


def _clip_fields(architecture: str, dropdowns: bool) -> list[dict[str, Any]]:
    names = {"Off": options.OFF}
    for name in options.variants_of(architecture):
        label = options.VARIANTS[name].label
        names[f"{label[0].upper()}{label[1:]}: {FOR[name]}"] = name
    line = {"id": options.DETAILS, "name": options.DETAILS, "label": DETAILS_LABEL, "type": "text"}
    return [_field(options.VARIANT, LABEL, names, dropdowns), line]


def _field(name: str, label: str, choices: dict[str, str], dropdowns: bool) -> dict[str, Any]:
    field: dict[str, Any] = {"id": name, "name": name, "label": label}
    if dropdowns:
        return {**field, "type": "dropdown", "choices": [[text, value] for text, value in choices.items()]}
    return {**field, "type": "text", "label": f"{label}: {', '.join(choices.values())}"}
