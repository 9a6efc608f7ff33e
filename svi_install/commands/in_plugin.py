"""``install --plugin``: puts SVI into a WanGP as a plugin, and takes hooks out of its files, in one transaction."""

from __future__ import annotations

from pathlib import Path

from ..checkout import plugin
from ..checkout.inspection import inspect
from ..checkout.profiles import profile_files
from ..errors import quoted
from ..gitfilter.plan import without_filter
from ..gitfilter.refresh import refresh
from ..package_data import runtime_files
from ..patching import patchset, state
from ..patching.plan import plan_revert
from ..plugin import planning
from ..report.result import Result
from ..writing import transaction
from .changes import Committed, carry_out, diff_of, file_changes
from .interrupted import recover


def install(root: Path, *, dry_run: bool = False, committed: Committed = lambda _result: None) -> Result:
    """Put the plugin into a checkout and enable it; hooks in WanGP's files make way for it.

    Args:
        root: the folder that holds ``wgp.py``.
        dry_run: plan everything and write nothing.
        committed: is told the result as soon as the files are changed.

    Raises:
        SviError: this WanGP loads no such plugins, something is in the way, or a write failed; nothing is changed.
    """
    checkout = inspect(root)
    notes = () if dry_run else recover(checkout.root)
    patches = patchset.load()
    before = state.read(checkout.root, patches)
    profiles = profile_files(checkout.root)
    plan = transaction.planned(
        checkout.root,
        lambda: planning.both(
            without_filter(plan_revert(checkout.root, patches, runtime_files(), profiles)),
            planning.plan_in(checkout.root),
        )._replace(command="install"),
    )
    changes = file_changes(plan)
    notes = (*notes, *plan.notes)
    version = checkout.version
    if not changes:
        headline = f"SVI is already in WanGP {version}, as a plugin; nothing to do."
        return Result("install", "unchanged", headline, checkout, before.name, notes=notes)
    if dry_run:
        headline = f"SVI would be added to WanGP {version} as a plugin; nothing was changed."
        diff = diff_of(plan, (*patches.paths, plugin.CONFIG))
        return Result("install", "planned", headline, checkout, before.name, changes, notes=notes, diff=diff)
    if before.name != "absent":
        notes = (*notes, "WanGP's own files are as they were: the plugin puts the hooks into memory.")
    use = 'Restart WanGP, choose Wan2.1, Image2video and one of the "SVI" profiles.'
    back = f"To take SVI out again: svi-install --revert {quoted(checkout.root)}"
    headline = f"SVI is now in WanGP {version}, as the plugin {plugin.NAME}."
    result = Result("install", "done", headline, checkout, "absent", changes, notes=(*notes, use, back))
    result = carry_out(plan, result, committed)
    notes = (*result.notes, *filter(None, [refresh(checkout.root)]))
    return result._replace(state=state.read(checkout.root, patches).name, notes=notes)
