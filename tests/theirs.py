"""A patch set of somebody else's, made up here: it edits lines of the miniature WanGP, as wan2gp-svi edits WanGP's."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from svi_install.history import others as making
from tests.miniature import WGP


def patched(text: str, *, older: bool = False) -> str:
    """Put it in; the older version lacks the second half."""
    lines = text.split("\n")
    at = next(number for number, line in enumerate(lines) if "window_no += 1" in line)
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    lines[at] = f"{lines[at]} + svi_ref_pad_num"
    lines.insert(at, f"{indent}# endless")
    if not older:
        lines[0:0] = ["svi_num_motion_frames = 1", "", "svi_ref_pad_num = 0"]
    return "\n".join(lines)


def diff(text: str, *, older: bool = False) -> str:
    before, after = text.splitlines(keepends=True), patched(text, older=older).splitlines(keepends=True)
    return "".join(difflib.unified_diff(before, after, "a/wgp.py", "b/wgp.py"))


def table(text: str) -> dict[str, Any]:
    """What would be known of its two versions."""
    versions = [[making.entry(edit) for edit in making.edits(diff(text, older=older))] for older in (True, False)]
    units: list[dict[str, Any]] = []
    for version in versions:
        units += [unit for unit in version if unit not in units]
    numbers = {str(name): [units.index(unit) for unit in version] for name, version in enumerate(versions)}
    return {WGP: {"units": units, "versions": numbers}}


def put_in(root: Path, *, older: bool = False) -> None:
    file = root / WGP
    file.write_bytes(patched(file.read_bytes().decode(), older=older).encode())
