"""The SVI variants of a story: model, profile, motion frames, and the rule for the seam between two clips."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...package_data import data_folder
from ...runtime import options
from .story import usage

# 2 Pro: one latent is handed on; the frame of the anchor and four of the overlap are dropped.
PRO_WINDOW_OVERLAP = 4
PRO_OVERLAP = PRO_WINDOW_OVERLAP + 1

# WanGP's name for the values of the fields that a model's definition adds to the form.
FIELDS = "custom_settings"

# The regenerated head of a clip replaces the tail of the one before, or gives way to it.
Seam = Literal["head", "tail"]


@dataclass(frozen=True)
class Variant:
    """How the clips of a story are made.

    Args:
        name: what a person types.
        model: WanGP's model type.
        architecture: WanGP's architecture, which decides motion frames and seam.
        settings: WanGP settings without prompt, image, length and seed.
        motion_frames: frames of the clip before that a clip goes on from.
        overlap: frames that two clips share; more than the motion frames only where latents are handed on.
        seam: which of the two keeps them.
    """

    name: str
    model: str
    architecture: str
    settings: Mapping[str, Any]
    motion_frames: int
    overlap: int
    seam: Seam


# The authors' own settings, and four steps with an accelerator. Where they lie says which model they are for.
PROFILES = {
    "shot": "loras/wan_i2v/SVI-Shot Infinite - 50 Steps.json",
    "2.0": "loras/wan_i2v/SVI-2.0 Unified - 50 Steps.json",
    "film": "loras/wan_i2v/SVI-Film - 50 Steps.json",
    "tom": "loras/wan_i2v/SVI-Tom - 50 Steps.json",
    "wan22": "profiles/wan_2_2/SVI-2.0 - 50 Steps.json",
    "shot-fast": "loras/wan_i2v/SVI-Shot LightX2V - 4 Steps.json",
    "2.0-fast": "loras/wan_i2v/SVI-2.0 LightX2V - 4 Steps.json",
    "wan22-fast": "profiles/wan_2_2/SVI-2.0 Lightning - 4 Steps.json",
}
PRO = "pro"
NAMES = (*PROFILES, PRO)

# WanGP's own definition brings the LoRAs and the switch between the experts.
_PRO_SETTINGS = {
    "svi_clip_seeds": True,
    "resolution": "832x480",
    "num_inference_steps": 50,
    "guidance_phases": 2,
    "guidance_scale": 5,
    "guidance2_scale": 5,
    "switch_threshold": 900,
    "flow_shift": 5,
    "sample_solver": "euler",
}


def variant_of(name: str) -> Variant:
    """Find a variant.

    Args:
        name: one of NAMES, or the name of one of the package's profiles with or without ``.json``.

    Raises:
        SviError: nothing has that name.
    """
    if name == PRO:
        return Variant(PRO, "i2v_2_2_svi2pro", options.PRO_ARCHITECTURE, _PRO_SETTINGS, 0, PRO_OVERLAP, "tail")
    folder = data_folder("profiles")
    # By its name alone: in the plugin the folders lie where WanGP looks for them.
    wanted = Path(PROFILES.get(name, name)).name.removesuffix(".json").casefold()
    path = next((file for file in sorted(folder.rglob("*.json")) if file.stem.casefold() == wanted), None)
    if path is None:
        profiles = "\n".join(f"  {file.stem}" for file in sorted(folder.rglob("*.json")))
        raise usage(
            f"There is no variant {name!r}. Nothing was started. Profiles:\n{profiles}",
            f"Choose one of {', '.join(NAMES)}, or a profile by its name.",
        )
    settings = json.loads(path.read_text("utf-8"))
    settings.pop("help", None)
    model = "i2v_2_2" if path.parent.name == "wan_2_2" else "i2v"
    return of_settings(name, model, model, settings)


def of_settings(name: str, model: str, architecture: str, settings: Mapping[str, Any]) -> Variant:
    """Make a variant of WanGP settings.

    Args:
        settings: WanGP settings with SVI's keys.

    Raises:
        SviError: SVI is off in these settings, or a value of it means nothing.
    """
    given = settings.get(FIELDS)
    fields = given if isinstance(given, dict) else None
    try:
        chosen = options.resolve(settings, fields, architecture)
        if fields and options.resolve(settings, None, architecture) == chosen:
            # They say the same as the keys; the address of a result comes from the keys alone.
            settings = {name: value for name, value in settings.items() if name != FIELDS}
    except ValueError as error:
        raise usage(f"{name}: {error}. Nothing was started.") from None
    if chosen is None:
        raise usage(f"The settings of {name} turn SVI off; the film would drift. Nothing was started.")
    seam: Seam = "head" if options.keeps_head(architecture) else "tail"
    return Variant(name, model, architecture, dict(settings), chosen.motion_frames, chosen.motion_frames, seam)
