"""Before any command: the end of one that was interrupted earlier."""

from __future__ import annotations

from pathlib import Path

from ..receipt import PATH

_RECOVERED = {
    "undone": "An interrupted {command} was undone first.",
    "finished": "An interrupted {command} was finished first.",
}


def recover(root: Path) -> tuple[str, ...]:
    """Finish or undo what an earlier command left half done.

    Args:
        root: the checkout.

    Returns:
        Notes for the person; none when nothing was left.

    Raises:
        SviError: another svi-install is at work there, or the disk refused.
    """
    # Nearly always there is nothing to do, and then nothing is to be imported for it.
    if not _litter(root):
        return ()
    from .. import transaction

    recovery = transaction.recover(root)
    if recovery is None:
        return ()
    kept = (f"{path} was changed since and was left as it is." for path in recovery.kept)
    return (_RECOVERED[recovery.action].format(command=recovery.command or "command"), *kept)


def _litter(root: Path) -> bool:
    """Tell whether anything but a receipt lies in the folder of ours."""
    receipt = root / PATH
    try:
        return list(receipt.parent.iterdir()) != [receipt]
    except OSError:
        return False
