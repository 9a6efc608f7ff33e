"""Makes ``patches/others.json``, what another patch set did to WanGP: ``python -m svi_install.history.others GIT``.

GIT is a clone of https://github.com/TeaRexcellence/wan2gp-svi. No line of it is stored: its lines are known by their
hashes, and what was there before is told as pieces of what is there now.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

from ..package_data import data_folder
from ..patching import others
from . import repository

FILES = {
    "wgp.py": "wgp.patch",
    "models/wan/any2video.py": "any2video.patch",
    "models/wan/modules/model.py": "model.patch",
}
_HUNK = re.compile(r"(?m)^@@ .*@@.*\n")


class Edit(NamedTuple):
    """What one hunk changes, from its first changed line to its last: the lines before and after."""

    old: tuple[str, ...]
    new: tuple[str, ...]


def edits(diff: str) -> list[Edit]:
    """Read a unified diff of one file."""
    found = []
    for hunk in _HUNK.split(diff)[1:]:
        # A line without anything stands for an empty line of context whose space was lost.
        lines = [line or " " for line in hunk.splitlines() if not line.startswith("\\")]
        changed = [number for number, line in enumerate(lines) if line[0] in "+-"]
        part = lines[changed[0] : changed[-1] + 1]
        old, new = (tuple(line[1:] for line in part if line[0] in f" {sign}") for sign in "-+")
        found.append(Edit(old, new))
    return found


def entry(edit: Edit) -> dict[str, Any]:
    """Return an edit as `others` reads it."""
    hashes = [others.line_hash(line.encode()) for line in edit.new]
    return {"lines": hashes, "out": [_piece(edit, old) for old in edit.old]}


def _piece(edit: Edit, old: str) -> list[Any]:
    """Say a line of before by one of after: its number, what stays at its start and at its end, and what is between."""
    if old in edit.new:
        return [edit.new.index(old)]
    ways = []
    for number, new in enumerate(edit.new):
        start = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
        rest = min(len(old), len(new)) - start
        end = next((at for at in range(rest) if old[-1 - at] != new[-1 - at]), rest)
        ways.append([number, start, end, old[start : len(old) - end]])
    return min(ways, key=lambda way: len(way[3]))


def collect(git: Path) -> bytes:
    """Return what to store, of every version that was published."""
    commits = [commit.id for commit in repository.log(git, [repository.tip(git)], [])]
    units: dict[str, list[dict[str, Any]]] = {}
    versions: dict[str, dict[str, list[int]]] = {}
    for path, file in FILES.items():
        units[path], versions[path] = [], {}
        ids = repository.blob_ids(git, (f"{commit}:{file}" for commit in commits))
        first = {blob: commit for commit, blob in zip(reversed(commits), reversed(ids), strict=True) if blob}
        for blob, text in zip(first, repository.read_blobs(git, first), strict=True):
            found = [entry(edit) for edit in edits(text.decode().replace("\r\n", "\n"))]
            units[path] += [unit for unit in found if unit not in units[path]]
            versions[path][first[blob][:7]] = sorted(units[path].index(unit) for unit in found)
    files = {path: {"units": units[path], "versions": versions[path]} for path in FILES}
    return json.dumps({"schema": others.SCHEMA, "files": files}, indent=0).encode() + b"\n"


if __name__ == "__main__":
    (data_folder("patches") / others.NAME).write_bytes(collect(Path(sys.argv[1])))
