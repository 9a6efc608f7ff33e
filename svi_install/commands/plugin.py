"""``plugin``: builds SVI as a plugin of WanGP, complete in itself, in a folder that can be published."""

from __future__ import annotations

import json
from pathlib import Path

from ..checkout.plugin import NAME
from ..errors import SviError, counted, quoted
from ..plugin import build
from ..report.result import Result
from ..writing import files

# What a build may find in its folder and leaves alone.
_KEPT = {".git", ".github", ".gitattributes"}
_OURS = ("svi_install", "patches", "profiles")


def plugin(folder: Path, *, url: str = "") -> Result:
    """Build the plugin.

    Args:
        folder: where; new, empty, a git repository without files, or an earlier build, which is brought up to date.
        url: the address that it will be published at.

    Raises:
        SviError: something else is in the folder, or it cannot be written.
    """
    made = build.files(url)
    try:
        _refuse_others(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for path, data in made.items():
            _write(folder / path, data)
        gone = _stale(folder, set(made))
        for old in gone:
            files.remove(old)
    except OSError as error:
        raise files.plain(error, Path(error.filename or folder), "write") from error
    name = folder.resolve().name
    notes = [f"{counted(len(made), 'file')}, {sum(map(len, made.values())) // 1024} KB, complete in itself."]
    if name != NAME:
        notes.append(
            f"WanGP names a plugin after its repository: publish it as {NAME}. Names that begin with wan2gp- are "
            "the ones that git ignores in WanGP's folder."
        )
    extra = {"folder": str(folder), "files": sorted(made), "removed": [str(path) for path in gone]}
    return Result("plugin", "done", f"The plugin is in {quoted(folder)}.", notes=tuple(notes), extra=extra)


def _refuse_others(folder: Path) -> None:
    if files.kind(folder) == "nothing":
        return
    if files.kind(folder) != "folder":
        raise SviError("not-a-folder", f"{folder} is not a folder. Nothing was written.", "Name a new folder.")
    there = {path.name for path in folder.iterdir()} - _KEPT
    if there and not _is_build(folder):
        raise SviError(
            "not-empty",
            f"{folder} holds other files ({', '.join(sorted(there)[:3])}). Nothing was written.",
            "Name a new folder, an empty one, or one that holds an earlier build.",
        )


def _is_build(folder: Path) -> bool:
    try:
        stored = json.loads((folder / "plugin_info.json").read_bytes())
        return bool(stored["name"] == build.TITLE)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write(path: Path, data: bytes) -> None:
    if files.kind(path) == "file" and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.new")
    files.remove(partial)
    files.write_new(partial, data)
    files.replace(partial, path)


def _stale(folder: Path, made: set[str]) -> list[Path]:
    found = (path for name in _OURS for path in (folder / name).rglob("*") if path.is_file())
    return [path for path in found if path.relative_to(folder).as_posix() not in made]
