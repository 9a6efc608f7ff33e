"""Every file change of a command, computed in memory before anything is written."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from .. import __version__
from ..checkout.inspection import version_in
from ..errors import EXIT_UNSUPPORTED, SviError, counted
from ..package_data import RUNTIME_FOLDER
from ..writing import receipt
from ..writing.change import Change, Placement, Plan
from ..writing.files import digest
from ..writing.journal import pack
from ..writing.receipt import Patched, Receipt
from . import known
from .pristine import Pristine, hook_lines, take_out
from .reader import Reader

if TYPE_CHECKING:
    from .patchset import PatchSet, Variant

CACHE = f"{RUNTIME_FOLDER}/__pycache__"


class Cleared(NamedTuple):
    """A file as it is, as it is to count, and where a copy of it is to be kept, empty where none is needed."""

    before: bytes
    after: bytes
    copy: str = ""


class _Removal(NamedTuple):
    """What goes, what is to be said about the rest, and sha256 by path of what cannot be reached now."""

    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    away: Mapping[str, str] = MappingProxyType({})

    def plus(self, other: _Removal) -> _Removal:
        """Return both, each file once."""
        known = {change.path for change in self.changes} | set(self.away)
        changes = tuple(change for change in other.changes if change.path not in known)
        notes = tuple(note for note in other.notes if note not in self.notes)
        return _Removal((*self.changes, *changes), (*self.notes, *notes), {**other.away, **self.away})


class _File(NamedTuple):
    path: str
    data: bytes
    clean: Pristine
    placement: Placement


def plan_install(
    root: Path,
    patchset: PatchSet,
    runtime: Mapping[str, bytes],
    profiles: Mapping[str, bytes],
    cleared: Mapping[str, Cleared] = MappingProxyType({}),
) -> Plan:
    """Plan an install, an upgrade, a downgrade or a repair; which of them follows from the files.

    Args:
        runtime: bytes by path of the module that the hooks call, in write order.
        profiles: bytes by path of the profiles; a file of a person's own under such a name is kept.
        cleared: by path what a file is to count as, where somebody else's lines are to go.

    Returns:
        The plan, without changes when everything is in place already.

    Raises:
        SviError: a hook has no safe place, or a line or file of ours was changed by somebody.
    """
    reader = Reader(root)
    stored, old = _stored(reader)
    if _strange_receipt(reader, stored):
        raise SviError(
            "not-a-file",
            f"{root / receipt.PATH} is a link or no file at all, so nothing can be noted there. Nothing was changed.",
            "Delete it, then run the same command again.",
        )
    patched = tuple(_patched(path, patchset.variants[path], reader, old, cleared) for path in patchset.paths)
    hooked_before = any(file.data != file.clean.data for file in patched if file.path not in cleared)
    ours = old is not None or hooked_before or _any_there(reader, runtime)
    added, notes = _additions(reader, old, runtime, profiles, ours)
    notes = (*_broken(patched), *notes)
    stale = _stale(reader, old, {**runtime, **profiles})
    hooked = tuple(Change(file.path, file.data, file.placement.after) for file in patched)
    written = tuple(change for change in (*added.values(), *hooked, *stale.changes) if change.before != change.after)
    new = Receipt(
        __version__,
        patchset.version,
        _wangp(patched),
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        tuple(_entry(file, patchset, reader, old) for file in patched),
        MappingProxyType({**stale.away, **{path: digest(change.after or b"") for path, change in added.items()}}),
        _made(reader, old, tuple(added)),
        _replaced((*added.values(), *stale.changes)),
    )
    places = MappingProxyType({file.path: file.placement.places for file in patched})
    # Changes of a person's own elsewhere in the files are no reason to write a new receipt.
    if old is not None and not written and new._replace(time=old.time, patched=old.patched, found=old.found) == old:
        return Plan("install", root, (), places, notes)
    record = Change(receipt.PATH, stored, new.to_bytes())
    copies = [Change(c.copy, reader.read(c.copy), c.before) for c in cleared.values() if c.copy]
    changes = (record, *copies, *written)
    return Plan("install", root, changes, places, (*notes, *stale.notes), relies=_relies(reader, changes))


def plan_revert(
    root: Path,
    patchset: PatchSet,
    runtime: Mapping[str, bytes],
    profiles: Mapping[str, bytes],
    *,
    written: Mapping[str, bytes] = MappingProxyType({}),
) -> Plan:
    """Plan to take SVI out: the receipt's bytes where a file is as we left it, else only our lines go.

    Args:
        patchset: the hooks to look for; those of the svi-install that wrote the receipt are known from it.
        runtime: bytes by path of the module that the hooks call, to recognise it without a receipt.
        profiles: bytes by path of the profiles, likewise.
        written: bytes by path of what was written for the person since the install, and goes with SVI.

    Returns:
        The plan, without changes when nothing of ours is there.

    Raises:
        SviError: a line of ours was changed by somebody, so that it is not ours to remove.
    """
    reader = Reader(root)
    stored, old = _stored(reader)
    changes: list[Change] = []
    notes: list[str] = []
    for path in reversed(patchset.paths):
        data = reader.read(path)
        if data is None:
            notes.append(f"{path} is missing; it was left so.")
            continue
        recorded = None if old is None else old.of(path)
        clean = take_out(patchset.variants[path], path, data, recorded)
        if clean.data == data:
            continue
        if recorded is not None and not clean.recorded and reader.proof(path, clean.data) == "hooks":
            notes.append(f"{path} was changed since the install: only svi-install's lines go, the changes stay.")
        mtime = recorded.mtime_ns if recorded is not None and clean.recorded else None
        changes.append(Change(path, data, clean.data, mtime))
    gone = _Removal()
    if old is not None:
        gone = _remove_recorded(reader, old, {**runtime, **profiles})
    if old is None or old.damaged:
        if stored is not None or changes or _any_there(reader, runtime):
            gone = gone.plus(_remove_recognised(reader, runtime, profiles))
    else:
        # What a damaged disk may have lost from a receipt of 0.1.0: a file in the runtime's folder that is ours anyway.
        gone = gone.plus(_remove_recognised(reader, runtime, {})._replace(notes=()))
    record: tuple[Change, ...] = ()
    if stored is not None:
        left = None if old is None or not gone.away else old.left_over(gone.away).to_bytes()
        record = (Change(receipt.PATH, stored, left),) if left != stored else ()
    made = () if old is None else tuple(reversed(old.folders))
    sweep = tuple(
        folder
        for folder in dict.fromkeys((CACHE, RUNTIME_FOLDER, *made))
        if reader.exists(folder) and reader.removable(folder)
    )
    later = [Change(path, data, None) for path, data in written.items() if reader.read(path) == data]
    plan = (*changes, *later, *reversed(gone.changes), *record)
    notes += [*gone.notes, *_strange_receipt(reader, stored)]
    return Plan(
        "revert", root, plan, MappingProxyType({}), tuple(notes), sweep, _relies(reader, plan), tuple(gone.away)
    )


def _stored(reader: Reader) -> tuple[bytes | None, Receipt | None]:
    """Return the receipt's bytes, and what can be read of them."""
    if not reader.is_file(receipt.PATH) or not reader.removable(receipt.PATH):
        return None, None
    stored = reader.read(receipt.PATH)
    return stored, None if stored is None else receipt.parse(stored)


def _strange_receipt(reader: Reader, stored: bytes | None) -> tuple[str, ...]:
    if stored is None and (reader.exists(receipt.PATH) or not reader.removable(receipt.PATH)):
        return (f"{receipt.PATH} is not an ordinary file and was left alone; delete it by hand.",)
    return ()


def _broken(patched: tuple[_File, ...]) -> tuple[str, ...]:
    """Say which files of this WanGP were broken before: nobody is to look for the cause in SVI."""
    return tuple(
        f"{file.path} of this WanGP is broken and will not start, with or without SVI ({file.placement.broken}): "
        "update WanGP."
        for file in patched
        if file.placement.broken
    )


def _patched(
    path: str, variants: tuple[Variant, ...], reader: Reader, old: Receipt | None, cleared: Mapping[str, Cleared]
) -> _File:
    data = reader.read(path)
    if data is None:
        raise SviError(
            "incomplete",
            f"{path} is missing in this WanGP. Nothing was changed.",
            "Update or reinstall WanGP, then run svi-install again.",
            EXIT_UNSUPPORTED,
        )
    recorded = None if old is None else old.of(path)
    # An edited line is refused by placing, which names it and says what to do; foreign patches too.
    agreed = cleared.get(path)
    if agreed is not None and agreed.before == data:
        recorded_so = recorded is not None and digest(agreed.after) == recorded.before
        clean = Pristine(agreed.after, recorded=recorded_so)
    else:
        clean = take_out(variants, path, data, recorded, strict=False)
    return _File(path, data, clean, known.settle(variants, path, clean.data))


def _entry(file: _File, patchset: PatchSet, reader: Reader, old: Receipt | None) -> Patched:
    recorded = None if old is None else old.of(file.path)
    before = file.clean.data
    mtime = recorded.mtime_ns if recorded is not None and file.clean.recorded else None
    if file.data == before:
        mtime = reader.mtime_ns(file.path)
    return Patched(
        file.path,
        digest(before),
        digest(file.placement.after),
        pack(before),
        reader.proof(file.path, before),
        mtime,
        hook_lines(patchset.variants[file.path]),
        _other_lines(file, patchset, recorded),
    )


def _other_lines(file: _File, patchset: PatchSet, recorded: Patched | None) -> tuple[str, ...]:
    """Return the lines of another svi-install that are in the file now: interrupted, this install may leave them."""
    if recorded is None:
        return ()
    there = set(map(bytes.strip, file.data.splitlines()))
    ours = set(hook_lines(patchset.variants[file.path]))
    return tuple(line for line in (*recorded.lines, *recorded.found) if line not in ours and line.encode() in there)


def _additions(
    reader: Reader, old: Receipt | None, runtime: Mapping[str, bytes], profiles: Mapping[str, bytes], ours: bool
) -> tuple[dict[str, Change], tuple[str, ...]]:
    """Return the files that are to be ours, and a note for each name that a person's own file holds."""
    added: dict[str, Change] = {}
    notes: list[str] = []
    for path, data in {**runtime, **profiles}.items():
        if blocked := reader.in_the_way(path):
            raise SviError(
                "not-a-folder",
                f"{blocked} is not a folder (or a link to one that is not there), and {path} belongs into it. "
                "Nothing was changed.",
                f"Move {blocked} away or bring back the folder that it links to; then run svi-install again.",
            )
        now = reader.read(path)
        known = old is not None and now is not None and digest(now) in (old.added.get(path), old.found.get(path))
        if now is None or known or (now == data and ours):
            added[path] = Change(path, now, data)
        elif path in runtime and now != data:
            raise SviError(
                "edited-runtime",
                f"{path} is not the file that svi-install put there: somebody changed it. Nothing was changed.",
                f"Move {path} away if you want to keep it, else delete it; then run svi-install again.",
                EXIT_UNSUPPORTED,
            )
        elif now != data:
            notes.append(f"{path} is a file of your own and was kept; svi-install's profile of that name was left out.")
    return added, tuple(notes)


def _stale(reader: Reader, old: Receipt | None, current: Mapping[str, bytes]) -> _Removal:
    """Return the removal of what an older or newer svi-install added and this one does not have."""
    if old is None:
        return _Removal()
    added, found = ({path: sums[path] for path in sums if path not in current} for sums in (old.added, old.found))
    return _remove_recorded(reader, old._replace(added=added, found=found), {})


def _replaced(changes: tuple[Change, ...]) -> Mapping[str, str]:
    """Return the sums of what is there and goes: an interrupted command may leave some of it."""
    replaced = (change for change in changes if change.before not in (None, change.after))
    return MappingProxyType({change.path: digest(change.before or b"") for change in replaced})


def _remove_recorded(reader: Reader, old: Receipt, current: Mapping[str, bytes]) -> _Removal:
    changes: list[Change] = []
    notes: list[str] = []
    away: dict[str, str] = {}
    for path, recorded in {**old.found, **old.added}.items():
        if reader.away(path) and not _folder_is_gone(reader, old, path):
            away[path] = recorded
            continue
        if not reader.removable(path):
            notes.append(f"{path} is no longer a plain file of this WanGP or its LoRA folder and was left alone.")
            continue
        now = reader.read(path)
        if now is None:
            continue
        if digest(now) in (recorded, old.found.get(path)) or now == current.get(path):
            changes.append(Change(path, now, None))
        else:
            notes.append(f"{path} was changed since the install and was kept.")
    if away:
        folders = ", ".join(sorted({str(PurePosixPath(path).parent) for path in away}))
        notes.append(
            f"{folders} is not there now (a drive that is not connected?), so {counted(len(away), 'profile')} stayed "
            "there. That is remembered: run svi-install --revert again when it is back."
        )
    return _Removal(tuple(changes), tuple(notes), away)


def _folder_is_gone(reader: Reader, old: Receipt, path: str) -> bool:
    """Tell whether a folder was made by an install and somebody removed it: then no drive is missing."""
    folder = PurePosixPath(path).parent
    return str(folder) in old.folders and reader.exists(str(folder.parent))


def _remove_recognised(reader: Reader, runtime: Mapping[str, bytes], profiles: Mapping[str, bytes]) -> _Removal:
    changes: list[Change] = []
    notes: list[str] = []
    for path, data in {**runtime, **profiles}.items():
        now = reader.read(path)
        if now == data and reader.removable(path):
            changes.append(Change(path, now, None))
        elif now is not None and path in runtime:
            notes.append(
                f"{path} is not known to this svi-install and was kept; delete the folder {RUNTIME_FOLDER} if it is "
                "not yours."
            )
    return _Removal(tuple(changes), tuple(notes))


def _relies(reader: Reader, changes: tuple[Change, ...]) -> Mapping[str, str | None]:
    changed = {change.path for change in changes}
    read = {path: data for path, data in reader.read_so_far.items() if path not in changed}
    return MappingProxyType({path: None if data is None else digest(data) for path, data in read.items()})


def _any_there(reader: Reader, runtime: Mapping[str, bytes]) -> bool:
    return any(reader.read(path) is not None for path in runtime)


def _made(reader: Reader, old: Receipt | None, paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return the folders that are ours because an install made them, parents first."""
    made = dict.fromkeys(() if old is None else old.folders)
    for path in paths:
        for parent in reversed(PurePosixPath(path).parents):
            if not reader.exists(str(parent)):
                made[str(parent)] = None
    return tuple(made)


def _wangp(patched: tuple[_File, ...]) -> str:
    found = (version_in(file.data) for file in patched if file.path == "wgp.py")
    return next(found, None) or "unknown"
