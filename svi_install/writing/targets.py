"""Where a planned path may lead: inside the checkout, or into the LoRA folders that the person set up elsewhere."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path, PurePosixPath

from ..errors import SviError
from . import files, git_folder

_LINKABLE = ("loras", "loras/wan_i2v", "loras/wan", "profiles", "profiles/wan_i2v", "profiles/wan_2_2")


def outside_roots(root: Path) -> tuple[Path, ...]:
    """Return the folders outside the checkout that belong to it by the person's own set-up.

    These are the LoRA folder that ``wgp_config.json`` names and what the LoRA and profile folders link to, as Pinokio
    does. Only the checkout itself decides this: neither a plan, nor a receipt, nor a journal can add to it.

    Raises:
        SviError: the disk does not say which folders these are.
    """
    base = Path(os.path.realpath(root))
    candidates = [Path(os.path.realpath(base / name)) for name in _LINKABLE]
    configured = _configured(base / "wgp_config.json")
    if isinstance(configured, str) and configured and "\0" not in configured:
        candidates.append(Path(os.path.realpath(base / configured)))
    beyond = dict.fromkeys(path for path in candidates if not path.is_relative_to(base))
    return tuple(path for path in beyond if files.kind(path) == "folder")


def _configured(file: Path) -> object:
    # WanGP's own file may be anything; only that the disk refuses it must not pass for "no such folder".
    try:
        return json.loads(files.read(file) or b"").get("loras_root")
    except SviError as error:
        if error.code != "not-a-file":
            raise
        return None
    except (ValueError, AttributeError, RecursionError):
        return None


def resolve(root: Path, path: str, outside: tuple[Path, ...] = ()) -> Path:
    """Return the real file or folder behind a planned path after checking that it may be written.

    A link stays a link: what is returned is where it leads.

    Args:
        path: relative to the checkout with forward slashes, or absolute when below one of ``outside``.

    Returns:
        The resolved path, which need not exist.

    Raises:
        SviError: the path is not plain, or it leads out of the checkout or into git's own folder, except for the few
            files that `git_folder` names.
    """
    pure = PurePosixPath(path)
    absolute = Path(path).is_absolute()
    relative = Path(path).relative_to(Path(path).anchor).as_posix() if absolute else path
    if not pure.name or "\0" in path or ".." in pure.parts or (not absolute and pure.as_posix() != path):
        raise _unsafe(path, "it is not a plain path inside WanGP's folder")
    if "\\" in relative or ":" in relative:
        raise _unsafe(path, "it contains a drive or a backslash")
    base = Path(os.path.realpath(root))
    real = Path(os.path.realpath(root / path))
    if git_folder.may_write(root, path):
        return real
    homes = [home for home in (base, *outside) if real.is_relative_to(home)]
    if not homes or (absolute and base in homes):
        raise _unsafe(path, f"it leads to {real}, outside WanGP's folder")
    if real in homes or any(part.lower() == ".git" for part in real.relative_to(homes[0]).parts):
        raise _unsafe(path, "it leads into git's own folder or to WanGP's folder itself")
    return real


def resolve_file(root: Path, path: str, outside: tuple[Path, ...] = ()) -> Path:
    """Return the real file behind a planned path like `resolve`, and check what is there.

    Returns:
        The resolved path of a regular file, or of nothing yet.

    Raises:
        SviError: as for `resolve`; or a folder, a device or a link to nothing is there.
    """
    real = resolve(root, path, outside)
    ours = real.name.startswith("SVI") and real.suffix == ".json"
    if not (ours or git_folder.may_write(root, path)) and not real.is_relative_to(os.path.realpath(root)):
        raise _unsafe(path, f"it leads to {real}, and only SVI's profiles go to a LoRA folder outside WanGP's folder")
    try:
        found = os.lstat(real)
    except (FileNotFoundError, NotADirectoryError):
        if os.path.lexists(root / path):
            raise _unsafe(path, "it is a link to a file that does not exist") from None
        return real
    except OSError as error:
        raise files.plain(error, real, "read") from error
    if not stat.S_ISREG(found.st_mode):
        raise _unsafe(path, "something that is not a regular file is there")
    return real


def _unsafe(path: str, why: str) -> SviError:
    return SviError(
        "unsafe-path",
        f"Refused to write {path!r}: {why}. Nothing was changed.",
        "Replace the link with the file itself, or reinstall svi-install if you did not create this path.",
    )
