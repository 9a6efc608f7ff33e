"""Finding WanGP folders: where to look is decided by pure functions of paths, looking is done at the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import NamedTuple, TypeVar

from ..errors import EXIT_NO_CHECKOUT, SviError
from .inspection import holds_comfyui, is_comfyui, missing_marker
from .places import cloud_folders, pinokio_homes, usual_places

P = TypeVar("P", bound=PurePath)


class Surroundings(NamedTuple):
    """What locating depends on, so that it can be tested without a real home folder.

    Args:
        cwd: the current folder.
        home: the person's home folder.
        env: environment variables.
        drives: roots to look at besides the home folder: drive roots on Windows, empty elsewhere.
        source: folder of the script that was started, None when svi-install runs on its own.
    """

    cwd: Path
    home: Path
    env: Mapping[str, str]
    drives: tuple[Path, ...] = ()
    source: Path | None = None


class Look(NamedTuple):
    """One place that was looked at and the marker that it lacks."""

    path: PurePath
    missing: str


def surroundings(path: Path | None = None) -> Surroundings:
    """Read the real current folder, home folder, environment and drives.

    Args:
        path: what the person gave; for an absolute one it does not matter where the person stands.

    Raises:
        SviError: the current folder was deleted.
    """
    drives: tuple[Path, ...] = ()
    if sys.platform == "win32":
        drives = tuple(drive for letter in "CDEFGHIJKLMNOPQRSTUVWXYZ" if (drive := Path(f"{letter}:\\")).exists())
    source = os.environ.get("SVI_INSTALL_SOURCE")
    home = home_folder()
    return Surroundings(_current_folder(path, home), home, os.environ, drives, Path(source) if source else None)


def home_folder() -> Path:
    """Return the person's home folder; the root of the disk for a user who has none, as in some containers."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.path.abspath(os.sep))  # noqa: PTH100 - resolving would need the current folder


def _current_folder(path: Path | None, home: Path) -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        if path is not None and (path.is_absolute() or str(path).startswith("~")):
            return home
        raise SviError(
            "no-current-folder",
            f"The current folder cannot be used: {(error.strerror or str(error)).lower()}. It was probably "
            "deleted or renamed. Nothing was changed.",
            "Change to a folder that exists (cd), or give the full path of WanGP: svi-install PATH",
            EXIT_NO_CHECKOUT,
        ) from error


def upwards(folder: P) -> tuple[P, ...]:
    """Return a folder and its parents, nearest first."""
    return (folder, *folder.parents)


def locate(path: Path | None, here: Surroundings) -> tuple[Path, ...]:
    """Find the WanGP folders that a command may mean.

    Args:
        path: what the person gave; a path inside a checkout counts as the checkout.

    Returns:
        The folders, at least one. More than one only when no path was given and none is nearer than another.

    Raises:
        SviError: nothing found (exit code 3); the message lists each place and the marker that it lacks.
    """
    if path is not None:
        return (_explicit(path, here),)
    home = here.env.get("WANGP_HOME")
    if home:
        return (_explicit(Path(home), here, "WANGP_HOME names "),)
    starts = [here.cwd] if here.source is None else [here.cwd, here.source]
    looked: list[Look] = []
    for start in starts:
        for folder in upwards(start.absolute()):
            look = Look(folder, missing_marker(folder))
            if not look.missing:
                return (folder,)
            looked.append(look)
    candidates = [folder for start in starts for folder in _beside(start.absolute())]
    clouds, pinokios = cloud_folders(here.home, here.env), pinokio_homes(here.home, here.env)
    for pattern in usual_places(here.home, here.drives, clouds, pinokios):
        candidates += _expand(pattern)
    found: dict[tuple[int, int], Path] = {}
    for folder in dict.fromkeys(candidates):
        look = Look(folder, missing_marker(folder))
        if not look.missing:
            status = folder.stat()
            found.setdefault((status.st_dev, status.st_ino), folder)
        looked.append(look)
    if not found:
        raise _nothing(looked)
    return tuple(found.values())


def _explicit(path: Path, here: Surroundings, prefix: str = "") -> Path:
    hint = "Give the folder that contains wgp.py: svi-install PATH"
    path = Path(os.path.normpath(here.cwd / _expanded(path, here, prefix, hint)))
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise _refusal("no-such-path", f"{prefix}{path}: no such file or folder.", hint) from error
    except OSError as error:
        raise _refusal("no-such-path", f"{prefix}{path} cannot be read: {error.strerror}.", hint) from error
    looked: list[Look] = []
    for folder in dict.fromkeys([*upwards(path), *upwards(path.resolve())]):
        look = Look(folder, missing_marker(folder))
        if not look.missing:
            return folder
        looked.append(look)
    if path.is_file():
        raise _refusal("not-a-folder", f"{prefix}{path} is a file, and no folder above it is a WanGP folder.", hint)
    if holds_comfyui(path) or any(is_comfyui(folder) for folder in upwards(path)):
        why = f"{prefix}{path} belongs to ComfyUI; svi-install adds SVI to WanGP only."
        raise _refusal("comfyui", why, "Give WanGP's folder, the one that contains wgp.py: svi-install PATH")
    inside = within(path)
    if inside:
        hint = f'Did you mean this one? svi-install "{inside[0]}"'
    why = f"{prefix}{path} is not a WanGP folder."
    if not inside and looked[0].missing == "no wgp.py" and not any(path.iterdir()):
        why = f"{prefix}{path} is an empty folder, not a WanGP folder."
    raise _refusal("no-checkout", why, hint, looked)


def within(folder: Path) -> tuple[Path, ...]:
    """Return the WanGP folders that lie in a folder."""
    return tuple(child for child in _below(folder) if not missing_marker(child))


def _expanded(path: Path, here: Surroundings, prefix: str, hint: str) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        if os.path.lexists(here.cwd / path):
            return path  # a folder that is really called that
        user = path.parts[0].removeprefix("~")
        why = f"there is no user {user} on this computer" if user else "your home folder could not be found"
        raise _refusal("no-such-path", f"{prefix}{path}: {why}.", hint) from error


def _beside(folder: Path) -> list[Path]:
    return [child for base in (folder, folder.parent) for child in _below(base)]


def _below(folder: Path) -> list[Path]:
    """Return the folders in a folder; for one that Pinokio made, the ``app`` folder in it stands for it."""
    try:
        children = sorted(child for child in folder.iterdir() if not child.name.startswith(".") and child.is_dir())
    except OSError:
        return []
    return [child / "app" if child.suffix == ".git" and (child / "app").is_dir() else child for child in children]


def _expand(pattern: Path) -> list[Path]:
    for position, part in enumerate(pattern.parts):
        if "*" in part:
            base = Path(*pattern.parts[:position])
            return sorted(base.glob(str(Path(*pattern.parts[position:])))) or [pattern]
    return [pattern]


def _nothing(looked: Iterable[Look]) -> SviError:
    hint = "Give the folder that contains wgp.py: svi-install PATH (or set WANGP_HOME to it)"
    return _refusal("no-checkout", "No WanGP folder was found.", hint, looked)


def _refusal(code: str, why: str, hint: str, looked: Iterable[Look] = ()) -> SviError:
    message = f"{why} Nothing was changed."
    listing = listed(looked)
    if listing:
        message += " Looked at:\n" + "\n".join(f"  {line}" for line in listing)
    return SviError(code, message, hint, EXIT_NO_CHECKOUT)


def listed(looked: Iterable[Look]) -> list[str]:
    """Name every place that was looked at, one line per parent folder and missing marker.

    Args:
        looked: the places in the order of the search.

    Returns:
        Lines such as ``/home/me: Wan2GP, WanGP: no such folder``.
    """
    groups: dict[tuple[PurePath | None, str], list[str]] = {}
    for look in dict.fromkeys(looked):
        parent, name = look.path.parent, look.path.name
        if not name:
            # The root of a drive has no name and is its own parent.
            groups.setdefault((None, look.missing), []).append(str(look.path))
            continue
        if name == "app" and parent.suffix == ".git":
            parent, name = parent.parent, f"{parent.name}/app"
        groups.setdefault((parent, look.missing), []).append(name)
    lines = []
    for (base, missing), names in groups.items():
        if base is None:
            lines.append(f"{', '.join(names)}: {missing}")
        elif len(names) == 1:
            lines.append(f"{base / names[0]}: {missing}")
        else:
            lines.append(f"{base}: {', '.join(names)}: {missing}")
    return lines
