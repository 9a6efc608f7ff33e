"""Plans to put the plugin into a WanGP for people who use the terminal, and to take it out again, byte for byte.

What WanGP's own Plugins tab has cloned is WanGP's to update and remove: such a plugin is only enabled or disabled here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from .. import __version__
from ..checkout.plugin import CONFIG, ENABLED, HOME, LOADS, NAME
from ..errors import EXIT_UNSUPPORTED, SviError
from ..package_data import PATCHED
from ..patching.reader import Reader
from ..writing import files
from ..writing.change import Change, Plan
from ..writing.journal import pack, unpack
from . import build

RECORD = f"{files.FOLDER}/plugin.json"
# A copy is nobody's repository: git is to see nothing of it, also where WanGP's own list of ignored files is older.
_IGNORE_ALL = b"*\n"
BESIDE = (
    f"The plugin {NAME} is enabled too, and steps aside as long as there are hooks in WanGP's files. To keep the "
    "plugin alone: svi-install install --plugin {}"
)
_HASH = re.compile(r"[0-9a-f]{64}")


class _Record(NamedTuple):
    added: Mapping[str, str]
    before: bytes | None
    after: str


def plan_in(root: Path) -> Plan:
    """Plan to put the plugin into a WanGP and to enable it.

    Raises:
        SviError: this WanGP is too old for it, or a file of somebody else is in the way.
    """
    reader = Reader(root)
    if LOADS not in (reader.read(PATCHED[0]) or b""):
        raise SviError(
            "too-old",
            f"This WanGP does not load plugins of models; that came with {build.NEEDS}. Nothing was changed.",
            "Update WanGP, or put SVI into its files: svi-install",
            EXIT_UNSUPPORTED,
        )
    old = _record(reader)
    notes: list[str] = []
    changes: list[Change] = []
    wanted = {} if reader.exists(f"{HOME}/.git") else _files()
    for path, data in wanted.items():
        now = reader.read(path)
        if now not in (None, data) and files.digest(now or b"") != old.added.get(path):
            raise SviError(
                "edited-plugin",
                f"{path} is not the file that svi-install put there. Nothing was changed.",
                f"Move the folder {HOME} away, then run the same command again.",
            )
        changes.append(Change(path, now, data))
    gone = [path for path in old.added if path not in wanted and reader.read(path) is not None]
    changes += [Change(path, reader.read(path), None) for path in gone if _is(reader, path, old.added[path])]
    config = reader.read(CONFIG)
    enabled = _with(config, True)
    if enabled is None:
        notes.append(
            "WanGP has not been started yet: start it, press Enable beside the plugin in its tab Plugins, restart it."
        )
    elif enabled != config:
        changes.append(Change(CONFIG, config, enabled))
    before, after = old.before, old.after
    if enabled is not None and enabled != config:
        before, after = config, files.digest(enabled)
    stored = reader.read(RECORD)
    added = {path: files.digest(data) for path, data in wanted.items()}
    record = Change(RECORD, stored, _written(_Record(added, before, after)))
    return Plan("install", root, _real((*changes, record)), {}, tuple(notes))


def plan_out(root: Path) -> Plan:
    """Plan to take the plugin out again: the configuration as it was, and every file that was put there."""
    reader = Reader(root)
    stored = reader.read(RECORD) if reader.is_file(RECORD) else None
    if stored is None:
        return Plan("revert", root, (), {})
    old = _record(reader)
    changes: list[Change] = []
    notes: list[str] = []
    config = reader.read(CONFIG)
    without = old.before if files.digest(config or b"") == old.after else _with(config, False)
    if config is not None and without is not None:
        changes.append(Change(CONFIG, config, without))
    if reader.exists(f"{HOME}/.git"):
        return Plan("revert", root, _real((*changes, Change(RECORD, stored, None))), {})
    known = old.added or {path: files.digest(data) for path, data in _files().items()}
    for path, wanted in known.items():
        if reader.read(path) is None:
            continue
        if _is(reader, path, wanted):
            changes.append(Change(path, reader.read(path), None))
        else:
            notes.append(f"{path} was changed since the install and was kept.")
    changes += [Change(path, reader.read(path), None) for path in _made_since(root)]
    changes.append(Change(RECORD, stored, None))
    return Plan("revert", root, _real(changes), {}, tuple(notes), _folders(known))


def both(first: Plan, second: Plan) -> Plan:
    """Return one plan that does what two do."""
    return first._replace(
        changes=(*first.changes, *second.changes),
        notes=(*first.notes, *second.notes),
        sweep=(*first.sweep, *second.sweep),
    )


def _real(changes: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(change for change in changes if change.before != change.after)


def _files() -> dict[str, bytes]:
    return {f"{HOME}/{path}": data for path, data in {**build.files(), ".gitignore": _IGNORE_ALL}.items()}


def _is(reader: Reader, path: str, wanted: str) -> bool:
    return reader.removable(path) and files.digest(reader.read(path) or b"") == wanted


def _made_since(root: Path) -> list[str]:
    """Return what the plugin has remembered, and its switch."""
    home = root / HOME
    found = [*sorted((home / "cache").glob("*")), home / "off"]
    return [path.relative_to(root).as_posix() for path in found if files.kind(path) == "file"]


def _folders(paths: Mapping[str, str]) -> tuple[str, ...]:
    """Return the folders of the plugin with Python's caches in them, deepest first."""
    found = {str(parent) for path in paths for parent in PurePosixPath(path).parents if HOME in str(parent)}
    caches = {f"{folder}/__pycache__" for folder in found}
    # A WanGP without any plugin has not had the folder of all plugins either; it goes only when it is empty.
    return tuple(sorted({*found, *caches, f"{HOME}/cache", "plugins"}, key=lambda each: (-each.count("/"), each)))


def _with(config: bytes | None, wanted: bool) -> bytes | None:
    """Return a configuration in which the plugin is enabled or not; None where there is none that can be read."""
    try:
        settings = json.loads(config or b"")
        listed = settings.get(ENABLED, [])
    except (ValueError, AttributeError):
        return None
    if not isinstance(listed, list):
        return None
    if (NAME in listed) == wanted:
        return config
    others = [each for each in listed if each != NAME]
    settings[ENABLED] = [*others, NAME] if wanted else others
    # As WanGP writes it itself: on one line after its first start, in steps of four when its settings are saved.
    indent = 4 if b"\n" in (config or b"").strip() else None
    return json.dumps(settings, indent=indent).encode()


def _record(reader: Reader) -> _Record:
    try:
        stored = json.loads(reader.read(RECORD) or b"")
        added = {str(path): str(each) for path, each in stored["added"].items() if _HASH.fullmatch(each)}
        before = None if stored["before"] is None else unpack(str(stored["before"]))
        return _Record(
            {path: each for path, each in added.items() if path.startswith(f"{HOME}/")}, before, stored["after"]
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return _Record({}, None, "")


def _written(record: _Record) -> bytes:
    before = None if record.before is None else pack(record.before)
    stored = {"version": __version__, "added": dict(record.added), "before": before, "after": record.after}
    return json.dumps(stored, indent=1).encode() + b"\n"
