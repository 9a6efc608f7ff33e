"""What each way to update WanGP does with SVI in this checkout, in words."""

from __future__ import annotations

from typing import NamedTuple

from ..checkout.inspection import Checkout
from ..errors import quoted
from . import plan


class Way(NamedTuple):
    """One way to update: what people call it, whether SVI stays in, and what happens, in one sentence."""

    name: str
    stays: bool
    text: str


def ways(checkout: Checkout) -> tuple[Way, ...]:
    """Return what each way to update will do in a checkout that has SVI."""
    root = checkout.root
    again = f"svi-install {quoted(root)} afterwards puts it back, and so does svi-install launch"
    if not (root / ".git").exists():
        return (
            Way("a new zip unpacked over it", False, f"SVI goes; {again}."),
            Way("WanGP's own updater (setup.py update)", False, f"This becomes a git clone and SVI goes; {again}."),
        )
    ours = Way("svi-install update", True, "It brings the new WanGP and puts SVI in.")
    button = "Pinokio's Update and git pull" if checkout.kind == "pinokio" else "git pull (Pinokio's Update)"
    updater = "WanGP's own updater (setup.py update)"
    if plan.is_set(root):
        keeps = "The new WanGP comes with SVI in it."
        return (Way(button, True, keeps), Way(updater, True, keeps), ours)
    stops = "git refuses, because WanGP's files carry SVI's lines; nothing happens."
    return (Way(button, False, stops), Way(updater, False, f"It resets WanGP's files, and SVI goes; {again}."), ours)
