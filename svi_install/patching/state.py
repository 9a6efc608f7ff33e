"""What a checkout is now, told by hashes and hooks; cheap enough to be asked before every start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from .. import __version__
from ..checkout import git_index
from ..errors import SviError, counted, quoted
from ..package_data import runtime_files
from ..writing import files, receipt
from ..writing.receipt import Patched, Receipt
from . import hooks
from .hooks import Found
from .patchset import PatchSet, Variant
from .pristine import extended, hook_lines

Name = Literal["absent", "installed", "outdated", "wiped", "partial", "edited", "foreign", "unsupported"]
_NEXT: Mapping[Name, str] = {
    "absent": "svi-install {}",
    "installed": "svi-install --revert {}",
    "outdated": "svi-install {}",
    "wiped": "svi-install {}",
    "partial": "svi-install {}",
    "edited": "svi-install doctor {}",
    "foreign": "svi-install doctor {}",
    "unsupported": "svi-install doctor {}",
}


class State(NamedTuple):
    """The state of a checkout.

    Attributes:
        name: one of the eight states.
        details: what led to it, one sentence each; also what is worth knowing in the state ``installed``.
        next_command: the one command to run next.
        found: per patched file what is there of each hook.
        receipt: the receipt, None when there is none that can be read.
        kept: git has brought another WanGP since the install and kept SVI in it.
    """

    name: Name
    details: tuple[str, ...]
    next_command: str
    found: Mapping[str, tuple[Found, ...]]
    receipt: Receipt | None
    kept: bool = False


class _Seen(NamedTuple):
    """One patched file: its hooks and whether they are all of this svi-install, all of another one, or none.

    ``as_written``: an install with these hooks wrote it just so, and looked for everything else in it before.
    ``kept``: without the hooks it is what git has checked out, and that is not what the install found.
    """

    found: tuple[Found, ...]
    kind: Literal["current", "other", "none", "some", "edited"]
    details: tuple[str, ...] = ()
    as_written: bool = False
    kept: bool = False


def read(root: Path, patchset: PatchSet, runtime: Mapping[str, bytes] | None = None) -> State:
    """Tell what a checkout is.

    Args:
        patchset: the hooks to look for.
        runtime: bytes by path of the module that the hooks call; that of this package when None.

    Raises:
        SviError: a file is there and cannot be read.
    """
    runtime = runtime_files() if runtime is None else runtime
    old = receipt.load(root)
    data = {path: files.read(root / path) for path in patchset.paths}
    seen = {
        path: _look(root, patchset.variants[path], path, content, None if old is None else old.of(path))
        for path, content in data.items()
        if content is not None
    }
    found = MappingProxyType({path: item.found for path, item in seen.items()})
    unfit = _unfit(patchset, data, seen)
    name, details = unfit or _judge(root, patchset, seen, old, runtime)
    if name == "absent" and (reasons := _unplaceable(patchset, data)):
        name, details = "unsupported", reasons
    kept = name == "installed" and any(item.kept for item in seen.values())
    following = _NEXT[name]
    if name == "foreign" and _can_go(data):
        details = (*details, "svi-install can take them out, line by line as they went in.")
        following = _NEXT["absent"]
    return State(name, details, following.format(quoted(root)), found, old, kept)


def _can_go(data: Mapping[str, bytes | None]) -> bool:
    """Tell whether what another patch set put in is known word for word in every file."""
    from . import others

    theirs = [(path, content) for path, content in data.items() if content and hooks.foreign(content, path)]
    return all(others.take_out(path, content) is not None for path, content in theirs)


def _look(root: Path, variants: tuple[Variant, ...], path: str, data: bytes, recorded: Patched | None) -> _Seen:
    found = hooks.find_hooks(variants, path, data)
    ours = all(item.state == "ours" for item in found)
    changed = recorded is not None and files.digest(data) != recorded.after
    if ours and recorded is not None and not changed and recorded.lines == hook_lines(variants):
        return _Seen(found, "current", as_written=True)
    known = extended(variants, recorded)
    strange = hooks.edited_lines(known, data)
    if strange:
        return _Seen(
            found,
            "edited",
            tuple(f"{path}, line {number}: somebody changed this line: {text}" for number, text in strange),
        )
    clean = hooks.remove_hooks(known, path, data)
    if ours:
        if changed and git_index.is_committed(root, path, clean):
            return _Seen(found, "current", kept=True)
        return _Seen(
            found, "current", (f"{path} has other changes since the install; they are kept.",) if changed else ()
        )
    if clean == data:
        return _Seen(found, "none")
    # Without a receipt the lines of the first svi-install are known from the patch set.
    lines = variants[0].retired if recorded is None else recorded.lines
    if lines and set(lines) != set(hook_lines(variants)):
        there = set(map(bytes.strip, data.splitlines()))
        if {line.encode() for line in lines} <= there:
            return _Seen(found, "other")
    if broken := [item.hook for item in found if item.state == "edited"]:
        return _Seen(found, "some", (f"{path}: hook {', '.join(broken)} is there in part or twice.",))
    missing = [item.hook for item in found if item.state == "missing"]
    return _Seen(found, "some", (f"{path}: hook {', '.join(missing)} is missing.",))


def _unfit(
    patchset: PatchSet, data: Mapping[str, bytes | None], seen: Mapping[str, _Seen]
) -> tuple[Name, tuple[str, ...]] | None:
    """Recognise files that cannot carry hooks whatever else is there."""
    absent = tuple(f"{path} is missing." for path in patchset.paths if data[path] is None)
    if absent:
        return "unsupported", absent
    contents = {path: content for path, content in data.items() if content and not seen[path].as_written}
    others = {path: hooks.foreign(content, path) for path, content in contents.items()}
    if any(others.values()):
        return "foreign", tuple(f"{path} carries the patches of {other}." for path, other in others.items() if other)
    merges = tuple(
        f"{path}, line {line}: a merge was left unfinished."
        for path, content in contents.items()
        if (line := hooks.conflict_line(content))
    )
    return ("unsupported", merges) if merges else None


def _judge(
    root: Path, patchset: PatchSet, seen: Mapping[str, _Seen], old: Receipt | None, runtime: Mapping[str, bytes]
) -> tuple[Name, tuple[str, ...]]:
    kinds = {item.kind for item in seen.values()}
    details = tuple(detail for item in seen.values() for detail in item.details)
    ours, there = _runtime(root, old, runtime)
    if "edited" in kinds:
        return "edited", details
    if kinds == {"none"}:
        if old is None and not there:
            return "absent", ()
        if old is not None and old.is_left_over() and not there:
            return "absent", (
                f"SVI left {counted(len(old.added), 'profile')} on a drive that was not there when it was taken out; "
                f"run svi-install --revert {quoted(root)} when it is back.",
            )
        return "wiped", ("WanGP's files were reset, by its updater or by hand: no hook is left.",)
    if strange := [path for path, state in ours.items() if state == "changed"]:
        return "edited", (*details, *(f"{path} is not the file that svi-install put there." for path in strange))
    bare = tuple(_why_bare(root, patchset, path) for path, item in seen.items() if item.kind == "none")
    lost = tuple(f"{path} is missing." for path, state in ours.items() if state == "missing")
    if bare or "some" in kinds or lost:
        return "partial", (*details, *bare, *lost)
    if "other" in kinds or "older" in ours.values():
        version = "Another version of svi-install" if old is None else f"svi-install version {old.version}"
        if old is not None and old.version == __version__:
            version = f"An earlier build of {version}"
        return "outdated", (f"{version} is installed here; this is {__version__}.", *details)
    if old is None:
        return "installed", (*details, "Its receipt is missing; the next svi-install writes a new one.")
    if old.damaged:
        return "installed", (*details, "Its receipt is damaged; the next svi-install writes a new one.")
    return "installed", details


def _why_bare(root: Path, patchset: PatchSet, path: str) -> str:
    """Say why a file has no hooks while others do: somebody put it back, or this WanGP has no place for them."""
    from . import placement

    try:
        placement.place(patchset.variants[path], path, files.read(root / path) or b"")
    except SviError as error:
        return f"{path} has no hooks: {error.message}"
    return f"{path} was reset: no hook is left."


def _runtime(root: Path, old: Receipt | None, runtime: Mapping[str, bytes]) -> tuple[dict[str, str], bool]:
    """Return what became of each file of the runtime, and whether any of them is there."""
    states: dict[str, str] = {}
    for path, wanted in runtime.items():
        now = files.read(root / path)
        if now is None:
            # A file that the installed version does not have is not lost: that version is another one.
            known = old is None or path in old.added
            states[path] = "missing" if known else "older"
        elif now == wanted:
            states[path] = "current"
        elif old is not None and old.added.get(path) == files.digest(now):
            states[path] = "older"
        else:
            states[path] = "changed"
    return states, any(state != "missing" and files.kind(root / path) != "nothing" for path, state in states.items())


def _unplaceable(patchset: PatchSet, data: Mapping[str, bytes | None]) -> tuple[str, ...]:
    """Name the hooks whose anchor is nowhere; whether the others have a safe place, only placing can tell."""
    reasons: list[str] = []
    for path in patchset.paths:
        content = data[path] or b""
        anchors: dict[str, set[bytes]] = {}
        for variant in patchset.variants[path]:
            for hunk in variant.hunks:
                anchors.setdefault(hunk.hook, set()).add(hunk.anchor_line.strip().encode())
        reasons += [
            f"{path}: there is no place for hook {hook}."
            for hook, texts in anchors.items()
            if not any(text in content for text in texts)
        ]
    return tuple(reasons)
