"""Takes SVI out on a disk without room: what goes makes room for what stays, or a file is shortened where it lies.

A transaction needs room for its journal and for each new file. Here everything of ours goes first; without the runtime
the hooks do nothing. What remains is to make WanGP's files shorter by a few lines. While a file is shortened in place
it is not whole, so the receipt, which holds its bytes, becomes the mark of that: the next command makes it whole.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ..errors import SviError
from ..writing.change import Change, Plan
from . import files, receipt, targets
from .receipt import TIGHT as MARK
from .receipt import Patched

_BLOCK = 4096  # disks lose or keep whole blocks


def run(plan: Plan, folder: Path) -> None:
    """Carry out a revert that found no room; the caller holds the lock and nothing of the plan has been done.

    Args:
        plan: the plan of the revert.
        folder: the folder of ours in the checkout.

    Raises:
        SviError: it cannot be done. What was done stays, the message says what that is, and a revert with more room
            goes on from there.
    """
    roots = targets.outside_roots(plan.root)
    stored = folder / Path(receipt.PATH).name
    kept = receipt.load(plan.root)
    steps = [(change, targets.resolve_file(plan.root, change.path, roots)) for change in plan.changes]
    work = [step for step in steps if step[0].path != receipt.PATH]
    place = folder
    try:
        if stored.exists():
            files.replace(stored, folder / MARK)
        else:
            files.write_new(folder / MARK, b"")
        files.sync_folder(folder)
        for change, real in sorted(work, key=lambda step: step[0].after is not None):
            place = real
            _check(change, real)
            if change.after is None:
                files.remove(real)
            else:
                _shorten(change, real, None if kept is None else kept.of(change.path))
            files.sync_folder(real.parent)
        _sweep(plan, roots)
        place = folder
        left = next((change.after for change, _ in steps if change.path == receipt.PATH), None)
        if left is not None:
            files.write_new(stored, left)
        files.remove(folder / MARK)
        files.sync_folder(folder)
    except (OSError, SviError) as error:
        with contextlib.suppress(OSError, SviError):
            mend(plan.root, folder)
        raise _half_done(error, place, plan, [step for step, _ in work]) from error


def _sweep(plan: Plan, roots: tuple[Path, ...]) -> None:
    """Remove the folders that go; one that somebody uses stays."""
    for name in plan.sweep:
        made = targets.resolve(plan.root, name, roots)
        for cached in sorted(made.glob("*.pyc*")) if made.name == "__pycache__" else ():
            files.remove(cached)
        files.remove_folder(made)


def mend(root: Path, folder: Path) -> None:
    """Make whole what an interrupted `run` left: no file is in pieces, nothing is staged, the receipt has its name.

    Args:
        folder: the folder of ours in it.

    Raises:
        OSError: the disk refused; the mark stays for the next time.
        SviError: likewise.
    """
    from . import leftovers

    mark, stored = folder / MARK, folder / Path(receipt.PATH).name
    kept = receipt.parse(files.read(mark) or b"")
    for entry in () if kept is None else kept.patched:
        _mend_file(root, entry)
    leftovers.clear(root, b"", None)
    if kept is None or stored.exists():
        files.remove(mark)
    else:
        files.replace(mark, stored)
    files.sync_folder(folder)


def _check(change: Change, real: Path) -> None:
    if files.read(real) != change.before:
        raise SviError("changed-meanwhile", f"{real} was changed by another program just now, so it was kept.")


def _shorten(change: Change, real: Path, entry: Patched | None) -> None:
    after = change.after or b""
    staged = real.with_name(f".svi-{os.urandom(4).hex()}.0n")
    try:
        files.write_new(staged, after, real, change.mtime_ns)
        files.replace(staged, real)
    except OSError as error:
        files.remove(staged)
        code = files.plain(error, real, "write").code
        # In place only what the receipt can bring back, and never through another name of the same file.
        if code != "disk-full" or entry is None or entry.pristine_bytes() != after or real.stat().st_nlink > 1:
            raise
        files.overwrite(real, _common(change.before or b"", after), after)
        if change.mtime_ns is not None:
            files.set_mtime(real, change.mtime_ns)


def _common(one: bytes, other: bytes) -> int:
    """Return how many bytes two texts begin with in common."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def _mend_file(root: Path, entry: Patched) -> None:
    try:
        real = targets.resolve_file(root, entry.path)
    except SviError as error:
        if error.code != "unsafe-path":
            raise
        return
    data, pristine = files.read(real), entry.pristine_bytes()
    if data is None or pristine is None or files.digest(data) in (entry.before, entry.after):
        return
    hooked = _hooked(entry, pristine)
    if hooked is not None and _in_pieces(data, pristine, hooked):
        files.overwrite(real, _common(data, pristine), pristine)
        if entry.mtime_ns is not None:
            files.set_mtime(real, entry.mtime_ns)


def _hooked(entry: Patched, pristine: bytes) -> bytes | None:
    """Return the bytes that the file had with its hooks, None where this svi-install would place others."""
    from ..patching import patchset, placement

    try:
        after = placement.place(patchset.load().variants[entry.path], entry.path, pristine).after
    except (SviError, KeyError):
        return None
    return after if files.digest(after) == entry.after else None


def _in_pieces(data: bytes, pristine: bytes, hooked: bytes) -> bool:
    """Tell whether a file is partly the one, partly the other: nobody else made it so."""
    if not len(pristine) <= len(data) <= len(hooked):
        return False
    blocks = range(0, len(data), _BLOCK)
    return all(_is_piece(*(text[at : at + _BLOCK] for text in (data, pristine, hooked))) for at in blocks)


def _is_piece(block: bytes, new: bytes, old: bytes) -> bool:
    done = _common(block, new)
    return block[done:] in (b"", old[done : len(block)])


def _half_done(error: OSError | SviError, place: Path, plan: Plan, work: list[Change]) -> SviError:
    failure = files.plain(error, place, "write") if isinstance(error, OSError) else error
    hooked = [
        change.path for change in work if change.after is not None and _is(plan.root / change.path, change.before)
    ]
    gone = sum(change.after is None and not (plan.root / change.path).exists() for change in work)
    lines = f"svi-install's lines are still in {', '.join(hooked)}" if hooked else "WanGP's own files are as they were"
    return SviError(
        failure.code,
        f"{failure.message} There was not enough room to take SVI out in one go: {gone} of svi-install's files are "
        f"removed, {lines}; WanGP works, without SVI.",
        failure.hint or "Run the same command again.",
    )


def _is(path: Path, data: bytes | None) -> bool:
    try:
        return files.read(path) == data
    except SviError:
        return False
