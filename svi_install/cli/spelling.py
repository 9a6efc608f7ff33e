"""Which command a mistyped word may have been meant for."""

from __future__ import annotations

from ..report.command_names import SUBCOMMANDS

# What people try first, and what it is called here.
_SAID = {
    "uninstall": "revert", "remove": "revert", "undo": "revert", "start": "launch", "run": "launch",
    "upgrade": "update", "download": "fetch", "loras": "fetch --list", "film": "render", "make": "render",
    "repair": "install", "add": "install", "info": "status", "help": "--help", "version": "--version",
}  # fmt: skip


def closest(word: str) -> str:
    """Return the command that is nearest to a word; empty where none is near, or it is a path."""
    if word in _SAID:
        return _SAID[word]
    if not word.replace("-", "").isalpha():
        return ""
    import difflib

    found = difflib.get_close_matches(word.lower(), SUBCOMMANDS, 1, 0.7)
    return found[0] if found else ""
