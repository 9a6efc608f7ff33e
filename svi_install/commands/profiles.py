"""``profiles``: which profile is for what, how long a clip takes on which card, and what it needs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from ..loras import catalogue
from ..loras.catalogue import used_by
from ..package_data import data_folder
from ..report.result import Line, Result
from ..storyboard.headless import estimate
from ..storyboard.headless.hardware import FAIL_SAFE, NEEDS, Card, choose
from ..storyboard.script.variants import Variant, variant_of

FRAMES, SIZE = 81, "832x480"
# A card of each size that is sold widely; its memory in GiB and CUDA's number for its generation.
CARDS = (
    Card("RTX 4060", 8, 8.9),
    Card("RTX 3060", 12, 8.6),
    Card("RTX 3090", 24, 8.6),
    Card("RTX 4090", 24, 8.9),
    Card("RTX 5090", 32, 12.0),
)
# Of the computer around the card, in GiB; it decides how large a model fits, not how fast a clip is.
RAM = 64
NARROW = 76


class Profile(NamedTuple):
    """One profile; ``seconds`` is for a clip, by the name of the card, on the picture that fits the card."""

    name: str
    model: str
    use: str
    steps: int
    passes: float
    loras: tuple[str, ...]
    seconds: dict[str, float]


def profiles(width: int = 0) -> Result:
    """Compare the profiles.

    Args:
        width: columns of the terminal, 0 for none; a narrow one gets fewer cards.
    """
    found = sorted(
        map(_profile, data_folder("profiles").rglob("*.json")), key=lambda one: (one.model, one.passes, one.name)
    )
    cards = CARDS if not width or width >= NARROW else (CARDS[0], CARDS[3])
    body: list[Line] = []
    for model in dict.fromkeys(one.model for one in found):
        own = [one for one in found if one.model == model]
        body += [(), *_table(model, own, cards)]
    body.append(())
    for one in found:
        body += [
            ((f"{one.name}", "bold"),),
            ((f"  {one.use} LoRAs: {', '.join(one.loras)}.", ""),),
        ]
    return Result(
        "profiles",
        "done",
        f"{len(found)} profiles. In WanGP they are called as below; for render: --variant with the name.",
        notes=(*_how(), *_memory()),
        extra={
            "profiles": [one._asdict() for one in found],
            "cards": [{"name": card.name, "memory": card.memory, "picture": _picture(card)} for card in CARDS],
            "basis": "computed",
        },
        body=tuple(body),
        answer=True,
    )


def _profile(path: Path) -> Profile:
    variant = variant_of(path.stem)
    help_text = str(json.loads(path.read_text("utf-8"))["help"])
    users = used_by(catalogue.load())
    return Profile(
        path.stem,
        "Wan 2.1" if variant.model == "i2v" else "Wan 2.2",
        f"{help_text.partition('. ')[0].removesuffix('.')}.",
        int(variant.settings["num_inference_steps"]),
        estimate.passes(variant.settings),
        tuple(name for name, users_of in users.items() if path.stem in users_of),
        {card.name: cost.seconds for card in CARDS if (cost := estimate.clip(_task(variant, card), card))},
    )


def _task(variant: Variant, card: Card) -> dict[str, Any]:
    return {**variant.settings, "resolution": _picture(card), "video_length": FRAMES}


def _picture(card: Card) -> str:
    return choose(card, RAM, two_experts=False).resolution


def _table(model: str, own: list[Profile], cards: tuple[Card, ...]) -> list[Line]:
    names = [re.sub(r" - \d+ Steps$", "", one.name) for one in own]
    head, below = f"{model}, minutes for a clip", "on a card of"
    wide = max(map(len, (*names, head)))

    def row(name: str, steps: object, cells: list[str]) -> str:
        return f"{name:{wide}}  {steps:>5}" + "".join(f"{cell:>7}" for cell in cells)

    lines: list[Line] = [
        ((row(head, "steps", [card.name.removeprefix("RTX ") for card in cards]), "bold"),),
        ((row(below, "", [f"{card.memory:.0f} GB" for card in cards]), "dim"),),
    ]
    for name, one in zip(names, own, strict=True):
        lines.append(((row(name, one.steps, [_minutes(one.seconds.get(card.name)) for card in cards]), ""),))
    return lines


def _minutes(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return f"~{seconds / 60:.0f}" if seconds >= 600 else f"~{seconds / 60:.1f}"


def _how() -> tuple[str, ...]:
    speed = estimate.speed_of(CARDS[0])
    source = speed.share.source.split(":")[0] if speed else ""
    smaller = [card for card in CARDS if _picture(card) != SIZE]
    small = f" ({', '.join(card.name for card in smaller)}: {_picture(smaller[0])})" if smaller else ""
    return (
        f"~ is computed, not measured on these cards: what the model computes for a clip of {FRAMES} frames at "
        f"{SIZE}{small}, by the card's data sheet and the share of it that an RTX 3090 was reported to reach "
        f"({source}). Where a guidance is above 1, a step counts twice. Expect {estimate.LEAST} to {estimate.MOST} "
        "times as long, and the load of the model once.",
    )


def _memory() -> tuple[str, ...]:
    ram, card = NEEDS[FAIL_SAFE]
    return (
        f"Memory: WanGP asks for a card of {card} GB and {ram} GB of RAM, whatever the profile; Wan 2.2 holds two "
        "models, so it wants more RAM. With less: render --quality auto, which takes a model that fits.",
    )
