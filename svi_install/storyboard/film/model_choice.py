"""Which model, quantization and WanGP options a film is rendered with, and bringing what is missing of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...loras import missing, prefetch
from ...loras.transfer.progress import Report
from ..archive.decided import SMALLER
from ..archive.store import Store
from ..headless import hardware, quality
from ..headless.wangp import WanGP
from ..script.story import usage
from ..script.variants import Variant
from .film import Film

AUTO = "auto"


@dataclass(frozen=True)
class RenderOptions:
    """How a person wants a film to be rendered.

    Args:
        quality: quantization, ``auto`` for the one that fits this computer, None for WanGP's own model.
        profile: WanGP's memory profile, None to choose it together with the quality.
        redo: segments to make another take of, with all that follow from them.
        picks: segments and the takes of them that are to be in the film.
        start: first segment to make again as it is, with all that follow.
        preview: join what is there after each segment.
        watch: measure each clip before the next one and make it again if it is bad, up to so many takes.
        anchor: bring colour that drifts back, see `anchor`.
        python: WanGP's Python, None to look for it.
    """

    quality: str | None = None
    profile: float | None = None
    redo: tuple[int, ...] = ()
    picks: tuple[tuple[int, int], ...] = ()
    start: int | None = None
    preview: bool = False
    watch: int | None = None
    anchor: bool = False
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
        card: name of the graphics card that it was chosen for, None where that was not asked.
    """

    model: str | None
    quality: str | None
    profile: float | None
    options: tuple[str, ...]
    notes: tuple[str, ...] = ()
    card: str | None = None


def fitting(wanted: RenderOptions, two_experts: bool) -> hardware.Choice | None:
    """Return what fits this computer where a person leaves that to svi-install, None otherwise."""
    card = hardware.find_card() if wanted.quality == AUTO else None
    return None if card is None else hardware.choose(card, hardware.ram(), two_experts)


def key_model(wanted: RenderOptions, variant: Variant) -> str | None:
    """Return the model that belongs to a segment's address: one that a person named, on purpose.

    A quantization that was chosen for a computer does not: the film goes on on a larger or a smaller one.
    """
    return None if wanted.quality in (None, AUTO) else quality.name_of(variant, wanted.quality or "")


def choose(wangp: WanGP, variant: Variant, wanted: RenderOptions, store: Store | None = None) -> ModelChoice:
    """Choose model and options; without a quality the person's own configuration of WanGP holds.

    Args:
        store: of the film, whose journal knows what was too large for this card; None for a film that is new.

    Raises:
        SviError: there is no card to choose for, or this WanGP cannot read quantized models.
    """
    chosen = _chosen(wangp, variant, wanted)
    events = store.journal() if store is not None else ()
    known = [event for event in events if event.get("event") == SMALLER and event.get("card") == chosen.card]
    if not known or known[-1].get("asked") != wanted.quality or wanted.profile is not None:
        return chosen
    profile, smaller = known[-1].get("profile"), known[-1].get("quality")
    if not isinstance(profile, (int, float)) or (smaller is not None and smaller not in hardware.QUALITIES):
        return chosen
    note = f"Memory profile {profile:g}{f' and {smaller}' if smaller else ''}, because more did not fit the last time."
    return replace(_with(chosen, variant, float(profile), smaller), notes=(*chosen.notes, note))


def smaller(
    choice: ModelChoice, code: str, wangp: WanGP, variant: Variant
) -> tuple[ModelChoice, dict[str, Any]] | None:
    """Step down after a memory was too small: the memory profile first, then the quantization.

    Args:
        code: ``card-full`` or ``ram-full``.

    Returns:
        The choice to go on with and what to write down of it, None when there is nothing smaller.
    """
    now = wangp.memory_profile() if choice.profile is None else choice.profile
    short: hardware.Short = "card" if code == "card-full" else "ram"
    profile, lower = hardware.smaller_profile(now, short, wangp.profiles), choice.quality
    if profile is None:
        lower = choice.quality and hardware.smaller_quality(choice.quality)
        if not lower:
            return None
        profile = now
    return _with(choice, variant, profile, lower), {"profile": profile, "quality": lower, "card": choice.card}


def _with(choice: ModelChoice, variant: Variant, profile: float, quantized: str | None) -> ModelChoice:
    options = list(choice.options)
    if "--profile" in options:
        at = options.index("--profile")
        del options[at : at + 2]
    return replace(
        choice,
        model=choice.model and quality.name_of(variant, quantized or ""),
        quality=choice.quality and quantized,
        profile=profile,
        options=("--profile", f"{profile:g}", *options),
    )


def _chosen(wangp: WanGP, variant: Variant, wanted: RenderOptions) -> ModelChoice:
    own = ("--profile", f"{wanted.profile:g}") if wanted.profile is not None else ()
    card, memory = hardware.find_card(), hardware.ram()
    name = None if card is None else card.name
    if wanted.quality is None:
        return ModelChoice(None, None, wanted.profile, own, card=name)
    if card is None:
        if wanted.quality == AUTO:
            raise usage(
                "No NVIDIA card was found, so the quality cannot be chosen automatically. Nothing was started.",
                "--quality Q4_K_M",
            )
        model = quality.model_of(variant, wanted.quality, wangp)
        note = "No NVIDIA card was found; WanGP runs with its own settings."
        return ModelChoice(model.name, wanted.quality, wanted.profile, own, (note,))
    two_experts = variant.architecture != "i2v"
    choice = hardware.choose(card, memory, two_experts, wangp.profiles)
    chosen = choice.quality if wanted.quality == AUTO else wanted.quality
    if wanted.profile is not None:
        choice = replace(choice, profile=wanted.profile)
    notes = [f"{card.name}, {memory:.0f} GB RAM: {chosen}, WanGP options {' '.join(choice.options())}"]
    lacks = hardware.lacks(choice.profile, card, memory, two_experts) if choice.profile in hardware.NEEDS else ""
    if lacks:
        notes.append(f"WanGP asks for {lacks} for that; it may be slow here, or too much.")
    model = quality.model_of(variant, chosen, wangp)
    return ModelChoice(model.name, chosen, choice.profile, choice.options(), tuple(notes), name)


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
    loras = missing(wangp.root, [name for each in film.tasks.values() for name in _loras(each)])
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
