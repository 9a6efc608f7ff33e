"""What a person can choose about SVI, and how it is written in WanGP's settings.

Two channels carry the choice. From WanGP 10.80 it is the model definition's ``custom_settings``: fields that WanGP
shows, checks, queues and saves by itself. Before that, and in older files, it is a handful of settings keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import details
from .details import END_CLIPS, MASK_ALL, MOTION_FRAMES, PADDING, SIGMAS

# Wan 2.1 and Wan 2.2 image-to-video; every other architecture is left alone.
ARCHITECTURES = ("i2v", "i2v_2_2")
# Trained for a last frame too; for Wan 2.1 that is a model of its own, which SVI's LoRAs are not for.
ARRIVING = ("i2v_2_2",)
# WanGP's own SVI 2 Pro keeps its algorithm and gains only a seed for each clip.
PRO_ARCHITECTURE = "i2v_2_2_svi2pro"

SEED_STRIDE = 42

MODE = "svi_mode"
VARIANT = "svi_variant"
DETAILS = "svi_details"
CLIP_SEEDS = "svi_clip_seeds"
PROOF = "svi"
SEGMENT_BEFORE = "svi_segment_before"
SEGMENT_OUT = "svi_segment_out"

KEYS = (MODE, VARIANT, MOTION_FRAMES, PADDING, MASK_ALL, SIGMAS, CLIP_SEEDS, END_CLIPS)
# What may stand in custom_settings: the fields of today, and those of 0.1.0 in older files.
FIELDS = (VARIANT, DETAILS, CLIP_SEEDS, SIGMAS, MOTION_FRAMES, PADDING)
# Folders of a film that svi-install renders: in a task, but never in a form or in a video's metadata.
HEADLESS_KEYS = (SEGMENT_BEFORE, SEGMENT_OUT)
OFF, CUSTOM = "off", "custom"
# What the form calls them.
LABELS = {**details.LABELS, MODE: "SVI", VARIANT: "SVI endless video", CLIP_SEEDS: "A new seed for every clip"}
ON_WORDS, OFF_WORDS = ("on", "yes", "true", "1"), ("off", "no", "false", "0")


@dataclass(frozen=True)
class Variant:
    """Label and official numbers of one SVI variant.

    ``motion_frames`` decoded frames are handed from clip to clip; ``padding`` is the number of reference frames behind
    them, -1 for all that fit. Source: the authors' test scripts for each variant.
    """

    label: str
    motion_frames: int
    padding: int


VARIANTS = {
    "shot": Variant("SVI-Shot", 1, -1),
    "2.0": Variant("SVI-2.0", 5, -1),
    "film": Variant("SVI-Film", 5, 0),
    "tom": Variant("SVI-Tom", 1, 0),
    CUSTOM: Variant("custom", 1, -1),
}


@dataclass(frozen=True)
class Options:
    """One person's choice for one generation.

    Attributes:
        variant: key of VARIANTS.
        motion_frames: decoded frames handed from clip to clip, at least 1.
        padding: reference frames behind them: -1 all, 0 none, k the first k.
        mask_all: mark all motion frames as known, not only the first (the authors' ``ref_pad_cfg``).
        official_sigmas: use the authors' noise schedule where the solver is ``euler``.
        end_clips: the clips that the End Images are for, in their order, -1 the last; empty: the n-th for the n-th.
    """

    variant: str
    motion_frames: int
    padding: int
    mask_all: bool = False
    official_sigmas: bool = False
    end_clips: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        """The variant as its authors write it."""
        return VARIANTS[self.variant].label

    def keys(self) -> dict[str, Any]:
        """The choice as settings keys, for a file's metadata and for releases before 10.80."""
        return {
            MODE: True,
            VARIANT: self.variant,
            MOTION_FRAMES: self.motion_frames,
            PADDING: self.padding,
            MASK_ALL: self.mask_all,
            SIGMAS: self.official_sigmas,
            **({END_CLIPS: list(self.end_clips)} if self.end_clips else {}),
        }

    def fields(self, architecture: str) -> dict[str, Any]:
        """The choice as values of the form's fields, for releases from 10.80 on.

        Numbers that are the variant's own are left out, so that choosing another variant in the form is all it takes.
        """
        motion, padding = official_numbers(self.variant, architecture)
        own = {
            MOTION_FRAMES: (self.motion_frames, motion),
            PADDING: (self.padding, padding),
            SIGMAS: (self.official_sigmas, False),
            MASK_ALL: (self.mask_all, False),
            END_CLIPS: (self.end_clips, ()),
        }
        line = details.write({key: value for key, (value, usual) in own.items() if value != usual})
        return {VARIANT: self.variant, **({DETAILS: line} if line else {})}


def official_numbers(variant: str, architecture: str) -> tuple[int, int]:
    """Motion frames and reference padding as the authors run this variant on this architecture."""
    if variant == "2.0" and architecture == "i2v_2_2":
        return 1, -1
    return VARIANTS[variant].motion_frames, VARIANTS[variant].padding


def variants_of(architecture: str) -> tuple[str, ...]:
    """The variants that exist for this architecture and a person's own; for Wan 2.2 there is SVI-2.0 alone."""
    return ("2.0", CUSTOM) if architecture == "i2v_2_2" else tuple(VARIANTS)


def keeps_head(architecture: str) -> bool:
    """Whether a new clip's regenerated head replaces the tail of the clip before; otherwise it gives way to it.

    The authors' scripts for Wan 2.1 keep the head, the one for Wan 2.2 keeps the tail.
    """
    return architecture != "i2v_2_2"


def resolve(keys: Mapping[str, Any], fields: Mapping[str, Any] | None, architecture: str) -> Options | None:
    """Reads the choice from both channels; the form's fields win where they say that SVI is on.

    A field that says "off" loses against keys that say "on": WanGP 13 and later writes what a field was declared with
    into every task that does not name it, and svi-install 0.1.0 declared it so.

    Args:
        keys: settings by name; only the svi keys are looked at.
        fields: values of ``custom_settings``, None where the release has none.
        architecture: WanGP's name of the model's architecture; Wan 2.2 has one motion frame in SVI-2.0.

    Returns:
        The choice, None when SVI is off.

    Raises:
        ValueError: a value that means nothing; the message names it in plain words.
    """
    merged: dict[str, Any] = {name: value for name, value in keys.items() if name in KEYS and not _empty(value)}
    written = {name: value for name, value in (fields or {}).items() if name in FIELDS and not _empty(value)}
    if VARIANT in written and _variant(written[VARIANT]) != OFF:
        line = details.read(str(written.pop(DETAILS, "")))
        # What no field of the form holds, keys say.
        beside = {key: merged[key] for key in (MASK_ALL, END_CLIPS) if key in merged}
        merged = {MODE: True, **beside, **written, **line}
    variant = _variant(merged[VARIANT]) if VARIANT in merged else None
    if variant == OFF or not flag(merged.get(MODE, variant is not None), MODE):
        return None
    motion, padding = official_numbers(variant or CUSTOM, architecture)
    motion = _whole(merged.get(MOTION_FRAMES, motion), MOTION_FRAMES, 1)
    padding = _whole(merged.get(PADDING, padding), PADDING, -1)
    if variant not in variants_of(architecture):
        # Older files name no variant, or one that was not made for this model; the numbers may still be those of one.
        variant = _name(motion, padding, architecture)
    return Options(
        variant,
        motion,
        padding,
        flag(merged.get(MASK_ALL, False), MASK_ALL),
        flag(merged.get(SIGMAS, False), SIGMAS),
        details.clips(merged[END_CLIPS]) if END_CLIPS in merged else (),
    )


def clip_seeds_wanted(keys: Mapping[str, Any], fields: Mapping[str, Any] | None) -> bool:
    """Whether WanGP's own SVI 2 Pro is to use a new seed for every clip: when either channel says so.

    Raises:
        ValueError: the value is neither on nor off.
    """
    return any(flag(source.get(CLIP_SEEDS) or OFF, CLIP_SEEDS) for source in (fields or {}, keys))


def flag(value: Any, name: str) -> bool:
    """True or False for on, off and their synonyms.

    Raises:
        ValueError: neither.
    """
    word = str(value).strip().lower()
    if word in ON_WORDS:
        return True
    if word in OFF_WORDS:
        return False
    raise ValueError(f"{LABELS[name]} is {value!r}, but it can only be on or off")


def _name(motion_frames: int, padding: int, architecture: str) -> str:
    names = (
        name for name in variants_of(architecture) if official_numbers(name, architecture) == (motion_frames, padding)
    )
    return next(names, CUSTOM)


def _variant(value: Any) -> str:
    word = str(value).strip().lower()
    for name, variant in VARIANTS.items():
        if word in (name, variant.label.lower()):
            return name
    if word in ("", "none", "stock", *OFF_WORDS):
        return OFF
    raise ValueError(f"SVI endless video is {value!r}, but it can only be {OFF}, {', '.join(VARIANTS)}")


def _whole(value: Any, name: str, least: int) -> int:
    try:
        number = int(str(value).strip())
    except ValueError:
        raise ValueError(f"the number of {LABELS[name]} is {value!r}, but it must be a whole number") from None
    if number < least:
        raise ValueError(f"the number of {LABELS[name]} is {number}, but it must be at least {least}")
    return number


def _empty(value: Any) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())
