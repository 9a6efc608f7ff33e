"""``shortcut``: a start file on the desktop that runs ``launch``; people keep starting WanGP the way they did."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from ..checkout.inspection import inspect
from ..checkout.locate import home_folder
from ..errors import SviError, quoted
from ..report.result import Result
from ..writing import files, own_files

_MARK = "svi-install shortcut"
_NAME = "WanGP with SVI"


def shortcut(
    root: Path,
    *,
    folder: Path | None = None,
    remove: bool = False,
    platform: str = sys.platform,
    env: Mapping[str, str] = os.environ,
) -> Result:
    """Make or remove the start file of a checkout.

    Args:
        root: the folder that holds ``wgp.py``.
        folder: where to put it; the desktop when None.
        remove: take it away instead.

    Raises:
        SviError: there is no desktop, or a file of somebody else's has that name; nothing was changed.
    """
    checkout = inspect(root)
    file = place(folder, platform, env)
    now = files.read(file)
    if now is not None and _MARK.encode() not in now:
        raise SviError(
            "own-file",
            f"{file} is not svi-install's, so it was left alone. Nothing was changed.",
            f"Move it away, or choose another folder: svi-install shortcut {quoted(checkout.root)} --folder FOLDER",
        )
    if remove:
        return _removed(file, now, checkout.root)
    data = content(checkout.root, platform)
    extra = {"file": str(file)}
    if now == data.encode():
        return Result("shortcut", "unchanged", f"{file} is there already.", checkout, extra=extra)
    try:
        own_files.write_over(file, data)
        if platform != "win32":
            file.chmod(0o755)
    except OSError as error:
        raise files.plain(error, file, "write") from error
    notes = ("Double-click it to start WanGP: it looks after SVI first. To remove it: svi-install shortcut --remove",)
    return Result("shortcut", "done", f"{file} starts WanGP with SVI.", checkout, notes=notes, extra=extra)


def _removed(file: Path, now: bytes | None, root: Path) -> Result:
    try:
        gone = now is not None and files.remove(file)
    except OSError as error:
        raise files.plain(error, file, "remove") from error
    headline = f"{file} was removed." if gone else f"There is no {file}; nothing to do."
    return Result("shortcut", "done" if gone else "unchanged", headline, inspect(root), extra={"file": str(file)})


def place(folder: Path | None, platform: str, env: Mapping[str, str]) -> Path:
    """Return where the start file belongs.

    Raises:
        SviError: there is no such folder.
    """
    ends = {"win32": ".bat", "darwin": ".command"}
    name = f"{_NAME}{ends.get(platform, '.desktop')}"
    folders = [folder.absolute()] if folder is not None else _desktops(platform, env)
    found = next((each for each in folders if each.is_dir()), None)
    if found is None:
        raise SviError(
            "no-folder",
            f"There is no folder {folders[0]}. Nothing was changed.",
            "Name one: svi-install shortcut --folder FOLDER",
        )
    return found / name


def content(root: Path, platform: str) -> str:
    """Return what the start file holds."""
    if platform == "win32":
        # Within a batch file a percent sign is doubled; the folder may have letters of any language.
        python, path = (str(each).replace("%", "%%") for each in (sys.executable, root))
        run = f'"{python}" -I -m svi_install launch "{path}" -- %*'
        return "\r\n".join(("@echo off", f"rem {_MARK}", "chcp 65001 >nul", run, "pause", ""))
    command = f"{shlex.quote(sys.executable)} -I -m svi_install launch {shlex.quote(str(root))}"
    if platform == "darwin":
        return f"#!/bin/sh\n# {_MARK}\nexec {command}\n"
    # Within the quotes of Exec four signs need a backslash, which itself is doubled in a file of this kind.
    inner = "".join(f"\\\\{sign}" if sign in '"`$\\' else sign for sign in command.replace("%", "%%"))
    rows = ("[Desktop Entry]", f"# {_MARK}", "Type=Application", f"Name={_NAME}", f'Exec=/bin/sh -c "{inner}"')
    return "\n".join((*rows, "Terminal=true", ""))


def _desktops(platform: str, env: Mapping[str, str]) -> list[Path]:
    home = home_folder()
    if platform == "win32":
        cloud = [Path(env[name]) / "Desktop" for name in ("OneDrive", "OneDriveConsumer") if env.get(name)]
        return [home / "Desktop", *cloud]
    named = (files.read(home / ".config" / "user-dirs.dirs") or b"").decode("utf-8", "replace")
    rows = (
        row.partition("=")[2].strip().strip('"') for row in named.splitlines() if row.startswith("XDG_DESKTOP_DIR=")
    )
    return [*(Path(row.replace("$HOME", str(home))) for row in rows), home / "Desktop"]
