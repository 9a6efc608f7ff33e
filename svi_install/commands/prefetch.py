"""The LoRA download after an install: wanted but never needed, because WanGP fetches what is missing on first use."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from ..errors import SviError, quoted
from ..loras import Need, needs, prefetch
from ..loras.inventory import seen
from ..loras.transfer.progress import Report, human_size, no_report
from ..report.result import Result


def missing_loras(root: Path) -> tuple[Need, ...]:
    """Return the LoRAs of the default set that this WanGP does not have yet, in no precision and not damaged."""
    wanted = {one.lora.name for one in seen(root) if not one.look.present and not one.look.fault}
    return tuple(need for need in needs(root, None) if need.lora.name in wanted)


def damaged_loras(root: Path) -> tuple[str, ...]:
    """Say for each LoRA that is there and cannot load what to do about it."""
    return tuple(
        f"remove {quoted(one.path)}, which {one.look.fault}, then: svi-install fetch {one.lora.name} {quoted(root)}"
        for one in seen(root)
        if one.look.fault
    )


def question(missing: tuple[Need, ...]) -> str:
    """Return what a person is asked before the download."""
    sizes = [need.size for need in missing]
    total = f" ({human_size(sum(size or 0 for size in sizes))})" if all(sizes) else ""
    return f"Download {_names(missing)} now{total}?"


def add_loras(
    result: Result,
    root: Path,
    *,
    agree: Callable[[str], bool],
    progress: Callable[[], AbstractContextManager[Report]] = lambda: nullcontext(no_report),
) -> Result:
    """Download the default LoRA after an install."""
    missing: tuple[Need, ...] = ()
    try:
        if damaged := damaged_loras(root):
            result = result._replace(todo=(*result.todo, *damaged))
        missing = missing_loras(root)
        if not missing:
            return result
        if not agree(question(missing)):
            return result._replace(todo=(*result.todo, _later(missing, root)))
        with progress() as report:
            fetched = prefetch(root, [need.lora.name for need in missing], report=report)
    except (SviError, KeyboardInterrupt) as error:
        # SVI is in by now, and that stays true whatever becomes of the LoRA.
        why = f"{error.message} {error.hint}".strip() if isinstance(error, SviError) else "Stopped."
        todo = (*result.todo, _later(missing, root)) if missing else result.todo
        return result._replace(notes=(*result.notes, why), todo=todo)
    notes = tuple(f"LoRA {file.name}: {file.path} ({human_size(file.size)}, {file.vouched})" for file in fetched.files)
    return result._replace(status="done", notes=(*result.notes, *notes))


def _later(missing: tuple[Need, ...], root: Path) -> str:
    return f"fetch {_names(missing)}: svi-install fetch {quoted(root)} (or let WanGP download it on first use)"


def _names(missing: tuple[Need, ...]) -> str:
    return "the LoRA of " + ", ".join(need.lora.name for need in missing)
