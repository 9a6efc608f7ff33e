"""Finds the bytes that a patched file had before, and proves that they carry no hook."""

from __future__ import annotations

from typing import NamedTuple

from ..writing.files import digest
from ..writing.receipt import Patched
from . import hooks
from .patchset import Variant


class Pristine(NamedTuple):
    """A file's bytes without hooks.

    Attributes:
        data: the bytes.
        recorded: they are, byte for byte, what the receipt recorded.
    """

    data: bytes
    recorded: bool


def hook_lines(variants: tuple[Variant, ...]) -> tuple[str, ...]:
    """Return the hook lines of a file without indentation, each once."""
    lines = (line.strip() for variant in variants for hunk in variant.hunks for line in hunk.added)
    return tuple(dict.fromkeys(lines))


def extended(variants: tuple[Variant, ...], recorded: Patched | None) -> tuple[Variant, ...]:
    """Return variants that also know the hook lines of the svi-install that wrote a receipt, older or newer."""
    if recorded is None:
        return variants
    return tuple(variant._replace(retired=variant.retired + recorded.lines + recorded.found) for variant in variants)


def take_out(
    variants: tuple[Variant, ...], path: str, data: bytes, recorded: Patched | None, *, strict: bool = True
) -> Pristine:
    """Take the hooks out of a file.

    The receipt's bytes are taken where the file is exactly what that install wrote; otherwise the hook lines alone are
    removed, so that everything else a person changed stays.

    Args:
        variants: the diffs of the file.
        data: its bytes now, with or without hooks.
        recorded: the receipt's entry for the file.
        strict: raise when a hook line was changed by somebody; else return such a file as it is.

    Raises:
        SviError: a hook line was changed by somebody and ``strict`` is set.
    """
    if recorded is not None and digest(data) == recorded.after:
        kept = recorded.pristine_bytes()
        if kept is not None:
            return Pristine(kept, recorded=True)
    known = extended(variants, recorded)
    if not strict and hooks.edited_lines(known, data):
        return Pristine(data, recorded=False)
    clean = hooks.remove_hooks(known, path, data)
    return Pristine(clean, recorded=recorded is not None and digest(clean) == recorded.before)
