"""The changes in git's folder that belong to an install or a revert: three files, each with a few lines of ours."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import SviError
from ..package_data import PATCHED, RUNTIME_FOLDER
from ..writing import files, git_folder, receipt
from ..writing.change import Change, Plan
from ..writing.files import FOLDER
from ..writing.git_folder import ATTRIBUTES, CONFIG, EXCLUDE, GitFolder
from . import drivers, foreign, sections

_NAMES = (CONFIG, ATTRIBUTES, EXCLUDE)
_BY_HAND = "A git pull will refuse while SVI is in; to update WanGP: svi-install update"


class Wanted(NamedTuple):
    """What is to be in git's folder.

    Attributes:
        lines: by file the lines of ours, none where an install keeps out of git's way.
        notes: what a person should know, one sentence each.
    """

    lines: dict[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()


def with_filter(plan: Plan, added: Sequence[str]) -> Plan:
    """Return a plan of an install that also makes git keep SVI through updates.

    Args:
        added: files of ours in the checkout, which git is not to list.

    Returns:
        The plan; unchanged where there is no git, with a note where git's folder is better left alone.
    """
    git = git_folder.find(plan.root)
    if git is None:
        return plan
    if why := _unfit(git):
        return plan._replace(notes=(*plan.notes, f"{why}, so git does not know SVI. {_BY_HAND}"))
    wanted = _wanted(plan.root, git, added)
    if not wanted.notes and not is_set(plan.root):
        wanted = wanted._replace(notes=("Update WanGP as you always do: git keeps SVI in it.",))
    return _with(plan, git, wanted)


def without_filter(plan: Plan) -> Plan:
    """Return a plan of a revert that also takes our lines out of git's folder."""
    git = git_folder.find(plan.root)
    if git is None:
        return plan
    if others := _others_with_svi(plan.root, git):
        note = f"git's filter stays, because the work tree {others[0]} of this repository has SVI too."
        return plan._replace(notes=(*plan.notes, note)) if plan.changes else plan
    done = _with(plan, git, Wanted(dict.fromkeys(_NAMES, ())))
    gone = [change.path for change in done.changes[len(plan.changes) :] if change.after is None]
    made = dict.fromkeys(path.rpartition("/")[0] for path in gone if path.endswith((ATTRIBUTES, EXCLUDE)))
    return done._replace(sweep=(*done.sweep, *made))


def _others_with_svi(root: Path, git: GitFolder) -> tuple[Path, ...]:
    """Return the other work trees of a repository that have a receipt."""
    found = [git.common.parent]
    for named in sorted(git.common.glob("worktrees/*/gitdir")):
        data = files.read(named) or b""
        found.append((named.parent / os.fsdecode(data.strip())).parent)
    here = Path(os.path.realpath(root))
    others = (other for other in found if Path(os.path.realpath(other)) != here)
    return tuple(other for other in others if files.kind(other / receipt.PATH) == "file")


def is_set(root: Path) -> bool:
    """Tell whether git has our filter for all of WanGP's files in this checkout."""
    git = git_folder.find(root)
    if git is None:
        return False
    try:
        data = files.read(git.common / ATTRIBUTES) or b""
        settings = files.read(git.common / CONFIG) or b""
    except SviError:
        return False
    lines = {line.strip() for line in data.splitlines()}
    return sections.BEGIN in settings and all(line.encode() in lines for line in drivers.attributes(PATCHED))


def _wanted(root: Path, git: GitFolder, added: Sequence[str]) -> Wanted:
    nothing: dict[str, tuple[str, ...]] = dict.fromkeys(_NAMES, ())
    theirs = foreign.filtered(root, git, PATCHED)
    ours = tuple(path for path in PATCHED if path not in theirs)
    notes = (f"{', '.join(theirs)} already has a git filter here, and that one stays. {_BY_HAND}",) if theirs else ()
    if not ours:
        return Wanted(nothing, notes)
    inside = tuple(path for path in added if not path.startswith(f"{RUNTIME_FOLDER}/") and not Path(path).is_absolute())
    lines = {
        CONFIG: drivers.settings(Path(sys.executable).as_posix(), drivers.SCRIPT.as_posix()),
        ATTRIBUTES: drivers.attributes(ours),
        EXCLUDE: drivers.excludes((f"{RUNTIME_FOLDER}/", f"{FOLDER}/", *inside)),
    }
    return Wanted(lines, notes)


def _unfit(git: GitFolder) -> str:
    """Say why git's folder is better left alone; an update is then what it is without a filter."""
    for name in _NAMES:
        file = git.common / name
        if (kind := files.kind(file)) == "nothing":
            if name == CONFIG or os.path.lexists(file):
                return f"{file} is missing"
        elif kind != "file":
            return f"{file} is no file"
        elif not os.access(file, os.W_OK) or not os.access(Path(os.path.realpath(file)).parent, os.W_OK):
            return f"{file} may not be written to"
        if os.path.lexists(f"{file}.lock"):
            return f"git is at work in {git.common} ({file.name}.lock is there)"
    if (sections.take(files.read(git.common / CONFIG)) or b"").endswith(b"\\"):
        return f"{git.common / CONFIG} ends in the middle of a line"
    if not sys.executable or any(sign in f"{sys.executable}{drivers.SCRIPT}" for sign in "\n\r\0"):
        return "the place of svi-install's own Python is not known"
    return ""


def _with(plan: Plan, git: GitFolder, wanted: Wanted) -> Plan:
    changes: list[Change] = []
    for name, lines in wanted.lines.items():
        before = files.read(git.common / name) if files.kind(git.common / name) == "file" else None
        after = sections.put(before, lines)
        if after != before:
            changes.append(Change(git_folder.planned_path(plan.root, git, name), before, after))
    return plan._replace(changes=(*plan.changes, *changes), notes=(*plan.notes, *wanted.notes))
