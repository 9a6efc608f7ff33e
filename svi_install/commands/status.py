"""``status``: what a WanGP folder is now, and the one next command."""

from __future__ import annotations

from pathlib import Path

from .. import patchset, state
from ..checkout import inspect
from ..result import HookPlace, Result
from .recovery import recover

_HEADLINES: dict[state.Name, str] = {
    "absent": "SVI is not in WanGP {version}.",
    "installed": "SVI is in WanGP {version}.",
    "outdated": "SVI is in WanGP {version}, put there by another svi-install.",
    "wiped": "SVI was in WanGP {version}, but an update of WanGP removed it.",
    "partial": "SVI is only partly in WanGP {version}.",
    "edited": "SVI is in WanGP {version}, but somebody changed its lines.",
    "foreign": "WanGP {version} carries another SVI patch.",
    "unsupported": "WanGP {version} cannot be patched safely.",
}


def status(root: Path) -> Result:
    """Say what a checkout is.

    Args:
        root: the folder that holds ``wgp.py``.

    Returns:
        Its state, where the hooks are, and the next command.

    Raises:
        SviError: it is no checkout, or a file cannot be read.
    """
    checkout = inspect(root)
    notes = recover(checkout.root)
    now = state.read(checkout.root, patchset.load())
    hooks = tuple(
        HookPlace(path, found.hook, found.lines[0])
        for path, all_found in now.found.items()
        for found in all_found
        if found.state == "ours"
    )
    headline = _HEADLINES[now.name].format(version=checkout.version)
    if now.name == "installed":
        notes = (*notes, f"To take SVI out again: {now.next_command}")
    return Result(
        "status",
        "done",
        headline,
        checkout,
        now.name,
        hooks=hooks,
        notes=(*now.details, *notes),
        next_command="" if now.name == "installed" else now.next_command,
    )
