"""Before any command: the end of one that was interrupted earlier."""

from __future__ import annotations

from pathlib import Path

from ..writing.receipt import PATH

_RECOVERED = {
    "undone": "An interrupted {command} was undone first.",
    "finished": "An interrupted {command} was finished first.",
    "mended": "A revert on a full disk was interrupted; every file is whole again. Run svi-install --revert once more.",
    "cleared": "A command was interrupted and its journal is damaged: what it left behind was removed first.",
}

LATER = "Temporary files could not be removed yet; the next svi-install command does that."


def recover(root: Path) -> tuple[str, ...]:
    """Finish or undo what an earlier command left half done.

    Returns:
        Notes for the person; none when nothing was left.

    Raises:
        SviError: another svi-install is at work there, or the disk refused.
    """
    # Nearly always there is nothing to do, and then nothing is to be imported for it.
    if not _litter(root):
        return ()
    from ..writing import transaction

    recovery = transaction.recover(root)
    if recovery is None:
        return ()
    kept = (f"{path} was changed since then and was left as it is." for path in recovery.kept)
    strange = (
        f"{path} is outside this WanGP and not in this computer's records, so it was left alone."
        for path in recovery.strange
    )
    return (_RECOVERED[recovery.action].format(command=recovery.command or "command"), *kept, *strange)


def _litter(root: Path) -> bool:
    """Tell whether anything but a receipt lies in the folder of ours."""
    receipt = root / PATH
    try:
        return list(receipt.parent.iterdir()) != [receipt]
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # what lies there is not known; recovering finds out, or says why it cannot
