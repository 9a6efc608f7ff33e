"""Reads what a terminal types when a file or folder is dragged into it; each one quotes in its own way."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

# PowerShell makes a command of it: & 'C:\My folder'
_CALLED = re.compile(r"^&\s+(?=['\"])")


def dropped(text: str, *, windows: bool = sys.platform == "win32") -> Path | None:
    """Return the path that a person dragged or typed.

    Args:
        text: the line, as it came.
        windows: a backslash separates folders there and stands before a space elsewhere.

    Returns:
        The path, None when there is none in the line.
    """
    text = _CALLED.sub("", text.strip()).strip()
    bare = text
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        bare = text[1:-1].replace(text[0] * 2, text[0]) if windows else _of_shell(text)
    elif text.startswith("file://"):
        bare = _of_address(text, windows)
    elif not windows and "\\" in text:
        bare = _of_shell(text)
    bare = bare.strip()
    return Path(bare) if bare and "\0" not in bare else None


def _of_shell(text: str) -> str:
    """Undo the quoting of a terminal on Linux or macOS; a name that only looks so is taken as it is."""
    import shlex

    try:
        words = shlex.split(text)
    except ValueError:
        return text.strip("'\"")
    return words[0] if len(words) == 1 else " ".join(words)


def _of_address(text: str, windows: bool) -> str:
    parts = urlsplit(text)
    path = unquote(parts.path)
    if not windows:
        return path
    # file:///C:/Videos, and file://server/share/Videos
    path = path.replace("/", "\\")
    return rf"\\{parts.netloc}{path}" if parts.netloc else path.removeprefix("\\")
