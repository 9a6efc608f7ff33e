"""Reads the patch set: the diffs in ``patches/`` and the table that says what each of them is for."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from ..errors import EXIT_USAGE, SviError
from ..package_data import MARKER, data_folder
from . import diffs
from .diffs import bad

SCHEMA = 1
TABLE = "table.json"
READ = "diffs.json"  # made by `python -m svi_install.history.contents`


class Hunk(NamedTuple):
    """One insertion: the hook's lines, the lines around them, and the function they belong into.

    ``anchor`` names the side whose nearest line is never dropped when context is reduced. ``line`` is the number of the
    line that the insertion stands before, in the release that the diff was made from.
    """

    hook: str
    reason: str
    functions: tuple[str, ...]
    before: tuple[str, ...]
    added: tuple[str, ...]
    after: tuple[str, ...]
    anchor: Literal["before", "after"] = "after"
    line: int = 0

    @property
    def anchor_line(self) -> str:
        """The one context line that is never dropped."""
        return self.before[-1] if self.anchor == "before" else self.after[0]


class Variant(NamedTuple):
    """One diff of one file; ``retired`` holds hook lines of older patch sets, without indentation."""

    path: str
    name: str
    hunks: tuple[Hunk, ...]
    releases: tuple[str, ...]
    diff: str = ""
    retired: tuple[str, ...] = ()


class PatchSet(NamedTuple):
    """All diffs, by file in the order in which an install writes them.

    ``commits`` holds the known releases by date, ``since`` the first release with a function's name.
    """

    version: str
    paths: tuple[str, ...]
    variants: Mapping[str, tuple[Variant, ...]]
    commits: Mapping[str, str]
    since: Mapping[str, str]


def load(folder: Path | None = None) -> PatchSet:
    """Read the patch set of a folder, the package's own when None, and check it against its table.

    Returns:
        The patch set. Its version is a hash over the diffs.

    Raises:
        SviError: a file is missing, damaged, or says something else than the table does.
    """
    folder = data_folder("patches") if folder is None else folder
    table = _read_table(folder)
    digest = hashlib.sha256()
    read = functools.partial(_diff, folder, _read_before(folder), digest)
    variants: dict[str, tuple[Variant, ...]] = {}
    try:
        for path, entry in table["files"].items():
            variants[_safe(path)] = tuple(_variant(path, entry, item, read) for item in entry["variants"])
        commits = {str(name): str(commit) for name, commit in table["releases"].items()}
        since = {n: str(v) for e in table["files"].values() for h in e["hooks"] for n, v in h["functions"].items()}
        named = {release for items in variants.values() for item in items for release in item.releases}
    except (KeyError, TypeError, AttributeError) as error:
        raise bad(TABLE, f"an entry is missing or of the wrong kind ({error})") from error
    if not variants or not all(variants.values()) or not commits or (named | set(since.values())) - set(commits):
        raise bad(TABLE, "a file has no diff, or a release is not in its list")
    return PatchSet(
        digest.hexdigest()[:12],
        tuple(variants),
        MappingProxyType(variants),
        MappingProxyType(commits),
        MappingProxyType(since),
    )


def _read_table(folder: Path) -> dict[str, Any]:
    try:
        table = json.loads((folder / TABLE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise bad(TABLE, str(error)) from error
    if not isinstance(table, dict) or table.get("schema") != SCHEMA or not isinstance(table.get("files"), dict):
        raise bad(TABLE, f"schema {SCHEMA} expected")
    return table


def _read_before(folder: Path) -> Mapping[str, Any]:
    """Return what is known of reading the diffs; see `diffs.read`, which takes nothing of it on trust."""
    try:
        listed = json.loads((folder / READ).read_bytes())
    except (OSError, ValueError):
        return {}
    return listed if isinstance(listed, dict) else {}


def _safe(path: str) -> str:
    parts = path.split("/")
    if not path.endswith(".py") or "\\" in path or ":" in path or not all(p and p.strip(". ") for p in parts):
        raise bad(TABLE, f"{path!r} is not a path inside WanGP")
    return path


def _diff(folder: Path, listed: Mapping[str, Any], digest: Any, file: str) -> diffs.Diff:
    if "/" in file or "\\" in file or not file.endswith(".diff"):
        raise bad(TABLE, f"{file!r} is not the name of a diff")
    try:
        data = (folder / file).read_bytes()
        diff = diffs.read(file, data, listed)
    except (OSError, ValueError) as error:
        raise bad(file, str(error)) from error
    digest.update(data)
    return diff


def _variant(path: str, entry: Any, item: Any, read: Callable[[str], diffs.Diff]) -> Variant:
    name, file = str(item["name"]), str(item["diff"])
    diff = read(file)
    reasons, hooks = dict(diff.reasons), entry["hooks"]
    if diff.path != path or len(diff.hunks) != len(hooks) or [hook["name"] for hook in hooks] != list(reasons):
        raise bad(file, "its file, hooks or reasons are not those of the table")
    hunks = tuple(_hunk(file, part, hook, reasons) for part, hook in zip(diff.hunks, hooks, strict=True))
    return Variant(path, name, hunks, tuple(map(str, item["releases"])), file, tuple(entry.get("retired", ())))


def _hunk(file: str, part: diffs.DiffHunk, hook: Any, reasons: Mapping[str, str]) -> Hunk:
    anchor: Literal["before", "after"] = "before" if hook["anchor"] == "before" else "after"
    hunk = Hunk(
        hook["name"],
        reasons[hook["name"]],
        tuple(map(str, hook["functions"])),
        part.before,
        part.added,
        part.after,
        anchor,
        part.old_start + len(part.before),
    )
    if anchor == "before" and not part.before:
        raise bad(file, f"hook {hunk.hook} has no line before it")
    if not hunk.anchor_line.strip() or any(not line.endswith(f"  {MARKER}") for line in hunk.added):
        raise bad(file, f"hook {hunk.hook} has an empty anchor, or a line without the mark {MARKER!r}")
    return hunk


def known_at(patchset: PatchSet, release: str) -> PatchSet:
    """Return what the patch set would have been when a release was the newest one.

    Returns:
        The diffs that serve that release or an older one, with the function names and releases that were known then.

    Raises:
        SviError: the patch set does not know the release.
    """
    order = list(patchset.commits)
    if release not in order:
        raise SviError(
            "unknown-release",
            f"The patch set does not list WanGP {release!r}.",
            f"Name one of its releases, from {order[0]} to {order[-1]}.",
            EXIT_USAGE,
        )
    then = set(order[: order.index(release) + 1])
    variants = {
        path: tuple(_cut(item, then, patchset.since) for item in items if then.intersection(item.releases))
        for path, items in patchset.variants.items()
    }
    commits = {name: commit for name, commit in patchset.commits.items() if name in then}
    return patchset._replace(variants=MappingProxyType(variants), commits=MappingProxyType(commits))


def _cut(variant: Variant, then: set[str], since: Mapping[str, str]) -> Variant:
    hunks = tuple(
        hunk._replace(functions=tuple(name for name in hunk.functions if since[name] in then)) for hunk in variant.hunks
    )
    return variant._replace(hunks=hunks, releases=tuple(name for name in variant.releases if name in then))
