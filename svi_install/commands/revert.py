"""``revert``: takes SVI out of a WanGP again, byte for byte."""

from __future__ import annotations

from pathlib import Path

from ..checkout.inspection import inspect
from ..checkout.profiles import profile_files
from ..errors import counted
from ..gitfilter.plan import without_filter
from ..gitfilter.refresh import refresh
from ..package_data import runtime_files
from ..patching import patchset, state
from ..patching.plan import plan_revert
from ..plugin import planning
from ..report.result import Result
from ..writing import files, transaction
from ..writing.change import Plan
from .changes import Committed, carry_out, diff_of, file_changes
from .interrupted import recover


def revert(root: Path, *, dry_run: bool = False, committed: Committed = lambda _result: None) -> Result:
    """Take SVI out of a checkout.

    Args:
        root: the folder that holds ``wgp.py``.
        dry_run: plan everything and write nothing.
        committed: is told the result as soon as the files are changed.

    Returns:
        What was done or would be done.

    Raises:
        SviError: a line of ours was changed by somebody, or a write failed; then nothing is changed.
    """
    checkout = inspect(root)
    notes = () if dry_run else recover(checkout.root)
    patches = patchset.load()
    before = state.read(checkout.root, patches)
    profiles = profile_files(checkout.root)
    models = _models(checkout.root)

    def make() -> Plan:
        out_of_files = without_filter(plan_revert(checkout.root, patches, runtime_files(), profiles, written=models))
        return planning.both(out_of_files, planning.plan_out(checkout.root))

    plan = transaction.planned(checkout.root, make)
    changes = file_changes(plan)
    notes = (*notes, *plan.notes)
    version = checkout.version
    if not changes and not plan.sweep:
        headline = f"SVI is not in WanGP {version}; nothing to do."
        if plan.away:
            headline = f"{counted(len(plan.away), 'SVI profile')} cannot be reached right now; nothing was changed."
        details = () if plan.away else before.details
        return Result("revert", "unchanged", headline, checkout, before.name, notes=(*notes, *details))
    if dry_run:
        headline = f"SVI would be taken out of WanGP {version}; nothing was changed."
        return Result(
            "revert",
            "planned",
            headline,
            checkout,
            before.name,
            changes,
            notes=notes,
            diff=diff_of(plan, patches.paths),
        )
    headline = f"SVI was taken out of WanGP {version}."
    if plan.away:
        away = f"{counted(len(plan.away), 'profile')} that cannot be reached right now"
        headline = f"SVI was taken out of WanGP {version}, except for {away}."
    result = Result("revert", "done", headline, checkout, "absent", changes, notes=notes)
    result = carry_out(plan, result, committed)
    notes = (*result.notes, *filter(None, [refresh(checkout.root)]))
    return result._replace(notes=notes, state=state.read(checkout.root, patches).name)


def _models(root: Path) -> dict[str, bytes]:
    """Return the definitions of quantized models that `render` wrote.

    Raises:
        SviError: the disk does not say whether there are any.
    """
    folder = root / "finetunes"
    try:
        # Nearly always there are none, and then taking SVI out is to depend on as little as possible.
        if not any(folder.glob("svi_*.json")):
            return {}
    except OSError as error:
        raise files.plain(error, folder, "read") from error
    from ..storyboard.headless.quality import definitions

    return definitions(root)
