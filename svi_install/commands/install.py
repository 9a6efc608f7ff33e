"""``install``: adds SVI to a WanGP, brings an older installation up to date, or repairs what WanGP's updater undid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..checkout import plugin
from ..checkout.inspection import Checkout, inspect
from ..checkout.profiles import profile_files
from ..errors import quoted
from ..gitfilter.plan import with_filter
from ..gitfilter.refresh import refresh
from ..package_data import runtime_files
from ..patching import patchset, state
from ..patching.plan import plan_install
from ..patching.tested import caution
from ..plugin.planning import BESIDE
from ..report.result import Result
from ..writing import transaction
from ..writing.change import Plan
from . import exchange
from .changes import Committed, carry_out, diff_of, file_changes, hook_places
from .interrupted import recover

_DONE = {
    "outdated": "SVI in WanGP {version} was brought up to date.",
    "wiped": "SVI is back in WanGP {version}; an update of WanGP had removed it.",
    "partial": "SVI in WanGP {version} was repaired.",
}


def _about_plugin(checkout: Checkout) -> str:
    """Say what the plugin has to do with it, where it is enabled or would spare a person trouble."""
    if plugin.look(checkout.root).enabled:
        return BESIDE.format(quoted(checkout.root))
    if checkout.kind != "zip" and plugin.can_load(checkout.root):
        return (
            "SVI can also be a plugin, which edits no file of WanGP: svi-install install --plugin "
            f"{quoted(checkout.root)}"
        )
    return ""


def install(
    root: Path,
    *,
    dry_run: bool = False,
    committed: Committed = lambda _result: None,
    agree: Callable[[str], bool] = lambda _question: False,
) -> Result:
    """Add SVI to a checkout, or bring what is there to the present state.

    Args:
        root: the folder that holds ``wgp.py``.
        dry_run: plan everything and write nothing.
        committed: is told the result as soon as the files are changed.
        agree: answers whether lines of others go, or changed lines of ours are put back.

    Returns:
        What was done or would be done.

    Raises:
        SviError: this WanGP cannot be patched safely, or a write failed; then nothing is changed.
    """
    checkout = inspect(root)
    notes = () if dry_run else recover(checkout.root)
    patches = patchset.load()
    before = state.read(checkout.root, patches)
    profiles = profile_files(checkout.root)
    way = exchange.way_out(checkout.root, patches, before) if before.name in ("foreign", "edited") else None
    if way is not None and not (dry_run or agree(way.question)):
        raise exchange.refusal(checkout.root, before, way)
    cleared = {} if way is None else way.cleared

    def make() -> Plan:
        plan = plan_install(checkout.root, patches, runtime_files(), profiles, cleared)
        return with_filter(plan, tuple(profiles))

    plan = transaction.planned(checkout.root, make)
    changes = file_changes(plan)
    hooks = hook_places(plan)
    version = checkout.version
    notes = (
        *notes,
        *(way.notes if way else ()),
        *plan.notes,
        *filter(None, [caution(version, patches), _about_plugin(checkout)]),
    )
    if not changes:
        notes = (*notes, *filter(None, [] if dry_run else [refresh(checkout.root)]))
        headline = f"SVI is already in WanGP {version}; nothing to do."
        return Result("install", "unchanged", headline, checkout, before.name, hooks=hooks, notes=notes)
    if dry_run:
        headline = f"SVI would be added to WanGP {version}; nothing was changed."
        return Result(
            "install",
            "planned",
            headline,
            checkout,
            before.name,
            changes,
            hooks,
            notes,
            diff=diff_of(plan, patches.paths),
        )
    headline = _DONE.get(before.name, "SVI is now in WanGP {version}.").format(version=version)
    use = 'Start WanGP, choose Wan2.1, Image2video and one of the "SVI" profiles.'
    back = f"To take SVI out again: svi-install --revert {quoted(checkout.root)}"
    result = Result("install", "done", headline, checkout, "installed", changes, hooks, (*notes, use, back))
    result = carry_out(plan, result, committed)
    notes = (*result.notes, *filter(None, [refresh(checkout.root)]))
    return result._replace(notes=notes, state=state.read(checkout.root, patches).name)
