"""WanGP settings: one task per segment, and the same film as settings that open in WanGP's own form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...runtime import details, options
from ..script.segments import Segment, film_frames
from ..script.story import Story
from ..script.variants import FIELDS, PRO_WINDOW_OVERLAP, Variant

# Below 2.42 WanGP drops the window sizes of SVI 2 Pro.
SETTINGS_VERSION = 2.5
_ENDS_LEFT_OUT = "In one go, WanGP's own SVI 2 Pro cannot keep an end image for a later clip; its settings hold none."
# What WanGP does to a finished video would be done to each segment, and its frames would no longer join.
POSTPROCESSING = ("temporal_upsampling", "spatial_upsampling", "film_grain_intensity")


def task_of(segment: Segment, story: Story, variant: Variant, model: str | None = None) -> dict[str, Any]:
    """Make the WanGP settings of one segment, without the folders that it comes from and goes to.

    Args:
        variant: how its clips are made.
        model: WanGP's model type where it is not the variant's, such as a quantized one.

    Returns:
        Settings that every release since 9.8 takes.
    """
    return {
        **_shared(segment, story, variant, model),
        "prompt": segment.prompt,
        "seed": segment.seed,
        "video_length": segment.frames,
        "sliding_window_size": segment.frames,
        "image_start": [str(segment.image)],
        # Releases before 12 want SVI's one-frame overlap here; the runtime sets its own.
        "sliding_window_overlap": PRO_WINDOW_OVERLAP if variant.motion_frames == 0 else 1,
        **(_ends([str(segment.end_image)]) if segment.end_image else {}),
    }


def film_settings(
    segments: Sequence[Segment], story: Story, variant: Variant, model: str | None = None
) -> dict[str, Any]:
    """Make the settings of the whole film as one WanGP task, for a person who wants to go on in WanGP's form.

    WanGP has one set of LoRAs, steps and one start image for a video: those of the first segment.

    Args:
        variant: how its clips are made.
    """
    first = segments[0]
    motion = variant.motion_frames
    # A whole clip, also where the film leaves the last frame of a loop out.
    frames = film_frames(tuple(segments), variant.overlap) + sum(each.closes for each in segments)
    ends = [each for each in segments if each.end_image and motion]
    if motion == 0:
        # WanGP counts the anchor's frame of each further clip and then leaves it out.
        frames += len(segments) - 1
    return {
        **_shared(first, story, variant, model),
        "prompt": "\n".join(segment.prompt for segment in segments),
        "seed": first.seed,
        "video_length": frames,
        "sliding_window_size": first.frames,
        "sliding_window_overlap": PRO_WINDOW_OVERLAP if motion == 0 else motion,
        "image_start": [str(first.image)],
        **(_ends([str(each.end_image) for each in ends]) if ends else {}),
        **({details.END_CLIPS: [each.number for each in ends]} if ends else {}),
    }


def left_out(settings: Mapping[str, Any], segments: Sequence[Segment]) -> tuple[str, ...]:
    """Return what the settings of a whole film do not hold of it, in words."""
    lost = "image_end" not in settings and any(each.end_image for each in segments)
    return (_ENDS_LEFT_OUT,) if lost else ()


def key_of(task: Mapping[str, Any], before: str | None, images: Mapping[str, str], *, anchored: bool = False) -> str:
    """Return the address of a segment's result: equal inputs have equal addresses.

    WanGP's version is not part of it, nor is a quantization that was chosen for a card, so that neither an update nor
    another computer in the middle of a film begins it anew.

    Args:
        before: address of the segment that it goes on from, None at the beginning of a scene.
        images: hash of each image's content by its path.
        anchored: its colour is brought back where it drifts.
    """
    named = {
        name: [images[path] for path in value] if name in ("image_start", "image_end") else value
        for name, value in task.items()
    }
    held = {"anchored": True} if anchored else {}
    text = json.dumps({"task": named, "before": before, **held}, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def placed(task: Mapping[str, Any], before: Path | None, out: Path) -> dict[str, Any]:
    """Complete a segment's settings with the folders that it comes from and goes to."""
    folders = {options.SEGMENT_OUT: str(out), **({options.SEGMENT_BEFORE: str(before)} if before else {})}
    return {**task, **folders}


def with_fields(settings: Mapping[str, Any], architecture: str) -> dict[str, Any]:
    """Say once more, in the fields of WanGP's form, what the keys of a task say about SVI.

    Releases that have these fields write the declared value of each field that a task does not name into it. Addresses
    of results come from a task as it is without them, so that a film outlives WanGP's update.

    Args:
        settings: a task, or the settings of a film.
        architecture: WanGP's architecture, which decides what is usual for a variant.

    Returns:
        The settings; fields that they hold already stay as they are.

    Raises:
        ValueError: a value of SVI's means nothing.
    """
    return {**settings, FIELDS: {**fields_of(settings, architecture), **(_given(settings) or {})}}


def motion_frames(settings: Mapping[str, Any], architecture: str) -> int | None:
    """Return how many frames settings hand from clip to clip, None where they switch SVI off.

    Raises:
        ValueError: a value of SVI's means nothing.
    """
    given = _given(settings)
    if architecture == options.PRO_ARCHITECTURE:
        return 0 if options.clip_seeds_wanted(settings, given) else None
    chosen = options.resolve(settings, given, architecture)
    return None if chosen is None else chosen.motion_frames


def fields_of(settings: Mapping[str, Any], architecture: str) -> dict[str, Any]:
    """Return what settings say about SVI as values of the form's fields; nothing where SVI is off."""
    given = _given(settings)
    if architecture == options.PRO_ARCHITECTURE:
        return {options.CLIP_SEEDS: "on" if options.clip_seeds_wanted(settings, given) else options.OFF}
    chosen = options.resolve(settings, given, architecture)
    return {} if chosen is None else chosen.fields(architecture)


def _ends(images: list[str]) -> dict[str, Any]:
    return {"image_end": images, "image_prompt_type": "SE"}


def _given(settings: Mapping[str, Any]) -> dict[str, Any] | None:
    fields = settings.get(FIELDS)
    return fields if isinstance(fields, dict) else None


def _shared(segment: Segment, story: Story, variant: Variant, model: str | None) -> dict[str, Any]:
    settings: dict[str, Any] = {
        **variant.settings,
        "model_type": model or variant.model,
        "settings_version": SETTINGS_VERSION,
        "image_prompt_type": "S",
        # One prompt line per window, in every release.
        "multi_prompts_gen_type": 1,
        # 10.80 runs no task without it.
        "pause_seconds": 0,
    }
    if story.resolution:
        settings["resolution"] = story.resolution
    if story.negative_prompt is not None:
        settings["negative_prompt"] = story.negative_prompt
    if segment.steps is not None:
        settings["num_inference_steps"] = segment.steps
    settings.update(segment.settings or {})
    if segment.loras:
        chosen = list(settings.get("activated_loras") or [])
        # As many strengths as LoRAs, or the new ones would get those of the old.
        strengths = (str(settings.get("loras_multipliers") or "").split() + ["1"] * len(chosen))[: len(chosen)]
        settings["activated_loras"] = [*chosen, *(lora.name for lora in segment.loras)]
        settings["loras_multipliers"] = " ".join([*strengths, *(lora.strength for lora in segment.loras)])
    return settings
