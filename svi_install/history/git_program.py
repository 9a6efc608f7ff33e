"""Where people have a git that is not on the PATH: the programs that bring one of their own."""

from __future__ import annotations

import glob
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

_WINDOWS = (
    r"{ProgramFiles}\Git\cmd",
    r"{ProgramFiles(x86)}\Git\cmd",
    r"{LOCALAPPDATA}\Programs\Git\cmd",
    r"{LOCALAPPDATA}\GitHubDesktop\app-*\resources\app\git\cmd",
    r"{PINOKIO}\bin\git\cmd",
    r"{PINOKIO}\bin\miniconda\Library\bin",
)
_MAC = (
    "/opt/homebrew/bin",
    "/usr/local/bin",
    "/Applications/GitHub Desktop.app/Contents/Resources/app/git/bin",
    "{PINOKIO}/bin/miniconda/bin",
)
_OTHER = (
    "/usr/lib/github-desktop/resources/app/git/bin",
    "/opt/GitHub Desktop/resources/app/git/bin",
    "{PINOKIO}/bin/git/bin",
    "{PINOKIO}/bin/miniconda/bin",
)


def folder(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> str | None:
    """Return the folder of a git.

    Returns:
        An empty string where it is on the PATH, None where there is none.
    """
    if shutil.which("git", path=environ.get("PATH")):
        return ""
    patterns = {"win32": _WINDOWS, "darwin": _MAC}.get(platform, _OTHER)
    name = "git.exe" if platform == "win32" else "git"
    for pattern in patterns:
        for base in _pinokios(environ) if "{PINOKIO}" in pattern else ("",):
            try:
                place = pattern.replace("{PINOKIO}", glob.escape(base)).format_map(environ)
            except KeyError:
                continue
            # The newest of several versions; nothing but a program counts.
            for found in sorted(glob.glob(place), reverse=True):  # noqa: PTH207
                if os.access(Path(found) / name, os.X_OK):
                    return found
    return None


def _pinokios(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return where Pinokio may have its home: where it says itself, around the current folder, or where it asks for."""
    homes = [Path(environ[name]) for name in ("PINOKIO_HOME",) if environ.get(name)]
    homes += [parent for parent in Path.cwd().parents if (parent / "api").is_dir() and (parent / "bin").is_dir()]
    for name in ("USERPROFILE", "HOME"):
        if environ.get(name):
            homes.append(Path(environ[name]) / "pinokio")
    homes += [Path(f"{drive}:\\pinokio") for drive in "CDE"] if "USERPROFILE" in environ else []
    return tuple(map(str, homes))
