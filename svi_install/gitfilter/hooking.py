"""Puts the hooks into the text that git is about to write, for a checkout that has SVI."""

from __future__ import annotations

from pathlib import Path

from ..errors import SviError, quoted
from ..patching import known, patchset
from ..patching.pristine import extended, take_out
from ..writing import receipt


def hooked(root: Path, path: str, text: bytes) -> tuple[bytes, str]:
    """Place the hooks.

    Args:
        root: the work tree that git writes to. Other work trees of the repository share the filter; without a receipt
            of its own, a work tree has no SVI, and the text stays as it is.
        path: the file, relative to it.
        text: what git would write, with the line ends that it would write.

    Returns:
        The text, with hooks where they have a safe place, and one line about it where they have none.
    """
    old = receipt.load(root)
    recorded = None if old is None else old.of(path)
    if old is None or recorded is None:
        return text, ""
    patches = patchset.load()
    if old.patch_set != patches.version:
        # The runtime in this checkout knows only the hooks that came with it.
        return text, f"SVI is not in {path}: svi-install was changed since. Run: svi-install {quoted(root)}"
    variants = patches.variants[path]
    try:
        clean = take_out(extended(variants, recorded), path, text, None).data
        placed = known.place(variants, path, clean)
        if placed is None:
            from ..patching import placement

            placed = placement.place(variants, path, clean, known.blocks(path))
    except SviError as error:
        return text, f"SVI is not in {path}: {error.message}"
    return placed.after, ""
