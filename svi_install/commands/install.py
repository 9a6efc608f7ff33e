"""``install``: adds SVI to a WanGP, brings an older installation up to date, or repairs what WanGP's updater undid."""

from __future__ import annotations

from pathlib import Path

from ..checkout.inspection import inspect
from ..checkout.profiles import profile_files
from ..errors import quoted
from ..package_data import runtime_files
from ..patching import patchset, state
from ..patching.plan import plan_install
from ..patching.tested import caution
from ..report.result import Result
from ..writing import transaction
from .changes import Committed, carry_out, diff_of, file_changes, hook_places
from .interrupted import recover

_DONE = {
    "outdated": "SVI in WanGP {version} was brought up to date.",
    "wiped": "SVI is back in WanGP {version}; an update of WanGP had removed it.",
    "partial": "SVI in WanGP {version} was repaired.",
}


def install(root: Path, *, dry_run: bool = False, committed: Committed = lambda _result: None) -> Result:
    """Add SVI to a checkout, or bring what is there to the present state.

    Args:
        root: the folder that holds ``wgp.py``.
        dry_run: plan everything and write nothing.
        committed: is told the result as soon as the files are changed.

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
    plan = transaction.planned(checkout.root, lambda: plan_install(checkout.root, patches, runtime_files(), profiles))
    changes = file_changes(plan)
    hooks = hook_places(plan)
    version = checkout.version
    notes = (*notes, *plan.notes, *filter(None, [caution(version, patches)]))
    if not changes:
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
    return result._replace(state=state.read(checkout.root, patches).name)
