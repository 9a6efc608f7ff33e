"""Which model, quantization and WanGP options a film is rendered with, and bringing what is missing of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..loras import prefetch
from ..loras.progress import Report
from . import hardware, quality
from .film import Film
from .story import usage
from .variants import Variant
from .wangp import WanGP

AUTO = "auto"


@dataclass(frozen=True)
class RenderOptions:
    """How a person wants a film to be rendered.

    Args:
        quality: quantization, ``auto`` for the one that fits this computer, None for WanGP's own model.
        profile: WanGP's memory profile, None to choose it together with the quality.
        redo: segments to make again with another seed, with all that follow from them.
        start: first segment to make again as it is, with all that follow.
        preview: join what is there after each segment.
        python: WanGP's Python, None to look for it.
    """

    quality: str | None = None
    profile: float | None = None
    redo: tuple[int, ...] = ()
    start: int | None = None
    preview: bool = False
    python: Path | None = None


@dataclass(frozen=True)
class ModelChoice:
    """What a quality comes to.

    Args:
        model: WanGP's model type, None for the variant's own.
        quality: quantization, None for WanGP's own model.
        profile: WanGP's memory profile, None for the one in its configuration.
        options: for WanGP's command line.
        notes: what a person should know, one sentence each.
    """

    model: str | None
    quality: str | None
    profile: float | None
    options: tuple[str, ...]
    notes: tuple[str, ...] = ()


def choose(wangp: WanGP, variant: Variant, wanted: RenderOptions) -> ModelChoice:
    """Choose model and options; without a quality the person's own configuration of WanGP holds.

    Raises:
        SviError: there is no card to choose for, or this WanGP cannot read quantized models.
    """
    own = ("--profile", f"{wanted.profile:g}") if wanted.profile is not None else ()
    if wanted.quality is None:
        return ModelChoice(None, None, wanted.profile, own)
    card, memory = hardware.find_card(), hardware.ram()
    if card is None:
        if wanted.quality == AUTO:
            raise usage(
                "No NVIDIA card was found, so the quality cannot be chosen automatically. Nothing was started.",
                "--quality Q4_K_M",
            )
        model = quality.model_of(variant, wanted.quality, wangp)
        note = "No NVIDIA card was found; WanGP runs with its own settings."
        return ModelChoice(model.name, wanted.quality, wanted.profile, own, (note,))
    choice = hardware.choose(card, memory, variant.architecture != "i2v", wangp.profiles_35)
    chosen = choice.quality if wanted.quality == AUTO else wanted.quality
    if wanted.profile is not None:
        choice = replace(choice, profile=wanted.profile)
    note = f"{card.name}, {memory:.0f} GB RAM: {chosen}, WanGP options {' '.join(choice.options())}"
    model = quality.model_of(variant, chosen, wangp)
    return ModelChoice(model.name, chosen, choice.profile, choice.options(), (note,))


def fetch_missing(
    wangp: WanGP, film: Film, choice: ModelChoice, downloads: Callable[[], AbstractContextManager[Report]]
) -> None:
    """Fetch models and LoRAs before anything is rendered, with resume and proof, instead of leaving it to WanGP.

    Args:
        film: whose tasks name the LoRAs.
        downloads: gives what takes the progress while downloads run.

    Raises:
        SviError: with the exit code for downloads; what has arrived is kept.
    """
    loras = quality.missing_loras(wangp.root, [name for each in film.tasks.values() for name in _loras(each)])
    if choice.quality is None and not loras:
        return
    with downloads() as progress:
        if choice.quality is not None:
            model = quality.model_of(film.variant, choice.quality, wangp)
            quality.define(wangp.root, model)
            quality.fetch(wangp.root, model, progress)
        for name, precision in loras:
            prefetch(wangp.root, [name], precision=precision, report=progress)


def _loras(settings: Mapping[str, Any]) -> list[str]:
    return [str(name) for name in settings.get("activated_loras") or ()]
