"""``status``: what a WanGP folder is now, and the one next command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..checkout import plugin
from ..checkout.inspection import inspect
from ..errors import quoted
from ..loras.inventory import Seen, seen
from ..patching import patchset, state
from ..patching.tested import caution
from ..plugin.planning import BESIDE
from ..report.result import HookPlace, Result
from .interrupted import recover

_HEADLINES: dict[state.Name, str] = {
    "absent": "SVI is not in WanGP {version}.",
    "installed": "SVI is in WanGP {version}.",
    "outdated": "SVI is in WanGP {version}, installed by another version of svi-install.",
    "wiped": "SVI was in WanGP {version}, but an update of WanGP removed it.",
    "partial": "SVI is only partly in WanGP {version}.",
    "edited": "SVI is in WanGP {version}, but its lines were edited.",
    "foreign": "WanGP {version} has another SVI patch in it.",
    "unsupported": "WanGP {version} cannot be patched safely.",
}
# There nobody waits for a LoRA.
_WITHOUT_SVI = {"absent", "foreign", "unsupported"}


def status(root: Path, *, online: bool = False) -> Result:
    """Say what a checkout is.

    Args:
        root: the folder that holds ``wgp.py``.
        online: also read what the project's page says of this WanGP.

    Returns:
        Its state, where the hooks are, whether the LoRAs are there, and the next command.

    Raises:
        SviError: it is no checkout, or a file or the page cannot be read.
    """
    checkout = inspect(root)
    notes = recover(checkout.root)
    patches = patchset.load()
    now = state.read(checkout.root, patches)
    hooks = tuple(
        HookPlace(path, found.hook, found.lines[0])
        for path, all_found in now.found.items()
        for found in all_found
        if found.state == "ours"
    )
    headline = _HEADLINES[now.name].format(version=checkout.version)
    if now.kept:
        headline = f"SVI is in WanGP {checkout.version}, kept through an update of WanGP."
    found = plugin.look(checkout.root)
    as_plugin = now.name == "absent" and found.enabled
    if as_plugin:
        headline = f"SVI is in WanGP {checkout.version}, as the plugin {plugin.NAME} {found.version}."
    notes = (*notes, *_of_plugin(found, now.name, checkout.root))
    if now.name not in _WITHOUT_SVI and (newer := caution(checkout.version, patches)):
        notes = (*notes, newer)
    if now.name == "installed":
        notes = (*notes, f"To take SVI out again: {now.next_command}")
    if online:
        from .online import fetch, told

        notes = (*notes, *told(fetch(), checkout, patches))
    loras = seen(checkout.root)
    wanted = as_plugin or now.name not in _WITHOUT_SVI
    return Result(
        "status",
        "done",
        headline,
        checkout,
        now.name,
        hooks=hooks,
        notes=(*now.details, *notes, *_said(loras, checkout.root, wanted=wanted)),
        next_command="" if as_plugin or now.name == "installed" else now.next_command,
        extra={"loras": [_facts(one) for one in loras], "plugin": found._asdict()},
    )


def _of_plugin(found: plugin.Seen, name: state.Name, root: Path) -> tuple[str, ...]:
    """Say what a person should know about the plugin."""
    if not found.there:
        return ()
    if not found.enabled:
        return (f"The plugin {plugin.NAME} is there, but not enabled: svi-install install --plugin {quoted(root)}",)
    if name != "absent":
        return (BESIDE.format(quoted(root)),)
    if found.cloned:
        return ("WanGP's Plugins tab updates the plugin and removes it.",)
    return (f"To take SVI out again: svi-install --revert {quoted(root)}",)


def _said(loras: Sequence[Seen], root: Path, *, wanted: bool) -> tuple[str, ...]:
    there = [_named(one) for one in loras if one.look.present]
    lines = [f"LoRAs in place:  {', '.join(there)}"] if there else []
    for one in loras:
        fetch = f"svi-install fetch {one.lora.name} {quoted(root)}"
        if one.look.fault:
            lines.append(f"{one.path} {one.look.fault}; WanGP cannot load it. Remove it, then: {fetch}")
        elif wanted and not one.look.present:
            lines.append(
                f"The LoRA {one.lora.name} has not been downloaded yet; WanGP does so on first use. "
                f"To download it now: {fetch}"
            )
    return tuple(lines)


def _named(one: Seen) -> str:
    return f"{one.lora.name} ({one.file.precision})" if one.file.precision else one.lora.name


def _facts(one: Seen) -> dict[str, str | bool | None]:
    return {
        "name": one.lora.name,
        "precision": one.file.precision or None,
        "path": str(one.path),
        "have": one.look.present,
        "fault": one.look.fault or None,
    }
