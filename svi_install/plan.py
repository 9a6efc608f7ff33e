"""Every file change of a command, computed in memory before anything is written."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from . import __version__, receipt
from .disk import Disk, RealDisk, Witness
from .errors import EXIT_UNSUPPORTED, SviError
from .files import digest
from .journal import pack
from .pristine import Pristine, hook_lines, take_out
from .receipt import Patched, Receipt

if TYPE_CHECKING:
    from .patchset import PatchSet, Variant
    from .placement import Place, Placement

RUNTIME = "svi_wangp"
CACHE = f"{RUNTIME}/__pycache__"
_WANGP = re.compile(rb"^WanGP_version\s*=\s*[\"']([^\"'\r\n]*)[\"']", re.MULTILINE)


class Change(NamedTuple):
    """One file of a plan.

    Attributes:
        path: relative to the checkout with forward slashes; absolute for a LoRA folder outside the checkout.
        before: the bytes now, None when there is no file.
        after: the bytes to be, None when the file goes.
        mtime_ns: time of last change to give it, None for the time of writing.
    """

    path: str
    before: bytes | None
    after: bytes | None
    mtime_ns: int | None = None


class Plan(NamedTuple):
    """What a command is about to do.

    Attributes:
        command: the command, as in ``install``.
        root: the checkout.
        changes: files in write order.
        places: per patched file where its hooks go.
        notes: what a person should know, one sentence each.
        sweep: folders that go afterwards if they are empty, deepest first; caches of Python in them go too.
        relies: sha256 by path of the files that were read and stay as they are, None where there was none.
    """

    command: str
    root: Path
    changes: tuple[Change, ...]
    places: Mapping[str, tuple[Place, ...]]
    notes: tuple[str, ...] = ()
    sweep: tuple[str, ...] = ()
    relies: Mapping[str, str | None] = MappingProxyType({})


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
    *,
    disk: Disk | None = None,
) -> Plan:
    """Plan an install, an upgrade, a downgrade or a repair; which of them follows from the files.

    Args:
        root: the checkout.
        patchset: the hooks to place.
        runtime: bytes by path of the module that the hooks call, in write order.
        profiles: bytes by path of the profiles; a file of a person's own under such a name is kept.
        disk: answers what is in the checkout; the real disk when None.

    Returns:
        The plan, without changes when everything is in place already.

    Raises:
        SviError: a hook has no safe place, or a line or file of ours was changed by somebody.
    """
    disk = Witness(RealDisk(root) if disk is None else disk)
    stored = disk.read(receipt.PATH)
    old = None if stored is None else receipt.parse(stored)
    patched = tuple(_patched(path, patchset.variants[path], disk, old) for path in patchset.paths)
    ours = old is not None or any(file.data != file.clean.data for file in patched) or _any_there(disk, runtime)
    added, notes = _additions(disk, old, runtime, profiles, ours)
    notes = (*_broken(patched), *notes)
    stale, stale_notes = _stale(disk, old, {**runtime, **profiles})
    hooked = tuple(Change(file.path, file.data, file.placement.after) for file in patched)
    written = tuple(change for change in (*added.values(), *hooked, *stale) if change.before != change.after)
    new = Receipt(
        __version__,
        patchset.version,
        _wangp(patched),
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        tuple(_entry(file, patchset, disk, old) for file in patched),
        MappingProxyType({path: digest(change.after or b"") for path, change in added.items()}),
        _made(disk, old, tuple(added)),
    )
    places = MappingProxyType({file.path: file.placement.places for file in patched})
    # Changes of a person's own elsewhere in the files are no reason to write a new receipt.
    if old is not None and not written and new._replace(time=old.time, patched=old.patched) == old:
        return Plan("install", root, (), places, notes)
    record = Change(receipt.PATH, stored, new.to_bytes())
    changes = (record, *written)
    return Plan("install", root, changes, places, (*notes, *stale_notes), relies=_relies(disk, changes))


def plan_revert(
    root: Path,
    patchset: PatchSet,
    runtime: Mapping[str, bytes],
    profiles: Mapping[str, bytes],
    *,
    written: Mapping[str, bytes] = MappingProxyType({}),
    disk: Disk | None = None,
) -> Plan:
    """Plan to take SVI out: the receipt's bytes where a file is as we left it, else only our lines go.

    Args:
        root: the checkout.
        patchset: the hooks to look for; those of the svi-install that wrote the receipt are known from it.
        runtime: bytes by path of the module that the hooks call, to recognise it without a receipt.
        profiles: bytes by path of the profiles, likewise.
        written: bytes by path of what was written for the person since the install, and goes with SVI.
        disk: answers what is in the checkout; the real disk when None.

    Returns:
        The plan, without changes when nothing of ours is there.

    Raises:
        SviError: a line of ours was changed by somebody, so that it is not ours to remove.
    """
    disk = Witness(RealDisk(root) if disk is None else disk)
    stored = disk.read(receipt.PATH)
    old = None if stored is None else receipt.parse(stored)
    changes: list[Change] = []
    notes: list[str] = []
    for path in reversed(patchset.paths):
        data = disk.read(path)
        if data is None:
            notes.append(f"{path} is missing; it was left so.")
            continue
        recorded = None if old is None else old.of(path)
        clean = take_out(patchset.variants[path], path, data, recorded)
        if clean.data == data:
            continue
        if recorded is not None and not clean.recorded:
            notes.append(f"{path} was changed since the install: only svi-install's lines go, the changes stay.")
        mtime = recorded.mtime_ns if recorded is not None and clean.recorded else None
        changes.append(Change(path, data, clean.data, mtime))
    if old is not None:
        removed, kept = _remove_recorded(disk, old, {**runtime, **profiles})
    elif changes or _any_there(disk, runtime):
        removed, kept = _remove_recognised(disk, runtime, profiles)
    else:
        removed, kept = (), ()
    record = () if stored is None else (Change(receipt.PATH, stored, None),)
    made = () if old is None else tuple(reversed(old.folders))
    sweep = tuple(
        folder for folder in dict.fromkeys((CACHE, RUNTIME, *made)) if disk.exists(folder) and disk.removable(folder)
    )
    later = [Change(path, data, None) for path, data in written.items() if disk.read(path) == data]
    plan = (*changes, *later, *reversed(removed), *record)
    return Plan("revert", root, plan, MappingProxyType({}), (*notes, *kept), sweep, _relies(disk, plan))


def _broken(patched: tuple[_File, ...]) -> tuple[str, ...]:
    """Say which files of this WanGP were broken before: nobody is to look for the cause in SVI."""
    return tuple(
        f"{file.path} of this WanGP is broken and will not start, with or without SVI ({file.placement.broken}): "
        "update WanGP."
        for file in patched
        if file.placement.broken
    )


def _patched(path: str, variants: tuple[Variant, ...], disk: Disk, old: Receipt | None) -> _File:
    from .placement import place

    data = disk.read(path)
    if data is None:
        raise SviError(
            "incomplete",
            f"{path} is missing in this WanGP. Nothing was changed.",
            "Update or reinstall WanGP, then run svi-install again.",
            EXIT_UNSUPPORTED,
        )
    recorded = None if old is None else old.of(path)
    # An edited line is refused by placing, which names it and says what to do; foreign patches too.
    clean = take_out(variants, path, data, recorded, strict=False)
    return _File(path, data, clean, place(variants, path, clean.data))


def _entry(file: _File, patchset: PatchSet, disk: Disk, old: Receipt | None) -> Patched:
    recorded = None if old is None else old.of(file.path)
    before = file.clean.data
    mtime = recorded.mtime_ns if recorded is not None and file.clean.recorded else None
    if file.data == before:
        mtime = disk.mtime_ns(file.path)
    return Patched(
        file.path,
        digest(before),
        digest(file.placement.after),
        pack(before),
        disk.proof(file.path, before),
        mtime,
        hook_lines(patchset.variants[file.path]),
    )


def _additions(
    disk: Disk, old: Receipt | None, runtime: Mapping[str, bytes], profiles: Mapping[str, bytes], ours: bool
) -> tuple[dict[str, Change], tuple[str, ...]]:
    """Return the files that are to be ours, and a note for each name that a person's own file holds."""
    added: dict[str, Change] = {}
    notes: list[str] = []
    for path, data in {**runtime, **profiles}.items():
        now = disk.read(path)
        known = old is not None and now is not None and old.added.get(path) == digest(now)
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


def _stale(disk: Disk, old: Receipt | None, current: Mapping[str, bytes]) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Return the removal of what an older or newer svi-install added and this one does not have."""
    if old is None:
        return (), ()
    gone = old._replace(added={path: digest for path, digest in old.added.items() if path not in current})
    return _remove_recorded(disk, gone, {})


def _remove_recorded(
    disk: Disk, old: Receipt, current: Mapping[str, bytes]
) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    changes: list[Change] = []
    notes: list[str] = []
    for path, recorded in old.added.items():
        if not disk.removable(path):
            notes.append(f"{path} is no longer a plain file of this WanGP or its LoRA folder and was left alone.")
            continue
        now = disk.read(path)
        if now is None:
            continue
        if digest(now) == recorded or now == current.get(path):
            changes.append(Change(path, now, None))
        else:
            notes.append(f"{path} was changed since the install and was kept.")
    return tuple(changes), tuple(notes)


def _remove_recognised(
    disk: Disk, runtime: Mapping[str, bytes], profiles: Mapping[str, bytes]
) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    changes: list[Change] = []
    notes: list[str] = []
    for path, data in {**runtime, **profiles}.items():
        now = disk.read(path)
        if now == data:
            changes.append(Change(path, now, None))
        elif now is not None and path in runtime:
            notes.append(
                f"{path} is not known to this svi-install and was kept; delete the folder {RUNTIME} if it is not yours."
            )
    return tuple(changes), tuple(notes)


def _relies(disk: Witness, changes: tuple[Change, ...]) -> Mapping[str, str | None]:
    changed = {change.path for change in changes}
    read = {path: data for path, data in disk.read_so_far.items() if path not in changed}
    return MappingProxyType({path: None if data is None else digest(data) for path, data in read.items()})


def _any_there(disk: Disk, runtime: Mapping[str, bytes]) -> bool:
    return any(disk.read(path) is not None for path in runtime)


def _made(disk: Disk, old: Receipt | None, paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return the folders that are ours because an install made them, parents first."""
    made = dict.fromkeys(() if old is None else old.folders)
    for path in paths:
        for parent in reversed(PurePosixPath(path).parents):
            if not disk.exists(str(parent)):
                made[str(parent)] = None
    return tuple(made)


def _wangp(patched: tuple[_File, ...]) -> str:
    found = (_WANGP.search(file.data) for file in patched if file.path == "wgp.py")
    return next((match[1].decode("utf-8", "replace") for match in found if match), "unknown")
