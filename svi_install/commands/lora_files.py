"""What becomes of SVI's LoRA files when SVI is taken out: they stay, and go only when asked for."""

from __future__ import annotations

from pathlib import Path

from ..errors import EXIT_FAILED, quoted
from ..loras import catalogue, local_files, needs
from ..loras.inventory import Need
from ..loras.transfer.progress import human_size
from ..loras.transfer.settings import ledger_path
from ..report.result import Result

_ACCELERATOR = "accelerator"


def keep_or_remove(result: Result, root: Path, *, remove: bool, dry_run: bool) -> Result:
    """Say which of SVI's LoRAs are still in WanGP's folders, or delete them."""
    present = svi_loras(root)
    if not present:
        return result
    if not remove:
        size = human_size(sum(need.size or 0 for need in present))
        count = f"{len(present)} LoRA file{'s' if len(present) > 1 else ''} of SVI ({size})"
        note = f"{count} stayed in WanGP's folders; to delete them: svi-install --revert --loras {quoted(root)}"
        return result._replace(notes=(*result.notes, note))
    known = ledger_path()
    notes: list[str] = []
    todo: list[str] = []
    removed = 0
    for need in present:
        entry = local_files.lookup(known, need.target)
        if entry is None or entry.url != need.file.url:
            notes.append(f"{need.target} did not come from svi-install, so it was kept.")
            continue
        if not dry_run:
            try:
                need.target.unlink()
            except OSError as error:
                todo.append(f"delete {need.target} yourself: that failed ({error.strerror or error}).")
                continue
        removed += 1
        notes.append(f"{need.target} {'would be' if dry_run else 'was'} deleted ({human_size(need.size or 0)}).")
    status = "done" if removed and not dry_run else result.status
    headline = "SVI's LoRAs were deleted." if status == "done" and result.status == "unchanged" else result.headline
    return result._replace(
        status=status,
        headline=headline,
        notes=(*result.notes, *notes),
        todo=(*result.todo, *todo),
        exit_code=EXIT_FAILED if todo else result.exit_code,
    )


def svi_loras(root: Path) -> tuple[Need, ...]:
    """Return SVI's own LoRA files that are in WanGP's folders, in any precision; accelerators serve others too."""
    names = [lora.name for lora in catalogue.load().loras if lora.variant != _ACCELERATOR]
    found = {
        need.target: need
        for precision in ("fp32", "fp16")
        for need in needs(root, names, precision=precision)
        # What is damaged takes room too.
        if need.present or need.fault
    }
    return tuple(found.values())
