"""What git runs, as its settings: a command that takes our lines out (clean) and one that places them (smudge)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from .sections import FILTER

SCRIPT = Path(__file__).with_name("smudge.py")
_SED = "LC_ALL=C sed -e '/# svi-install[[:space:]]*$/d'"
# The sed of macOS and of the older BSDs ends a last line that has no end. So the text gets one more line end, and awk
# puts line ends only between the lines.
_AWK = '{ cat; echo; } | LC_ALL=C awk \'!/# svi-install[ \\t\\r]*$/ { printf "%s%s", end, $0; end = "\\n" }\''


def clean(platform: str = sys.platform) -> str:
    """Return the shell command that takes our lines out; it needs nothing of svi-install."""
    return _SED if platform.startswith(("linux", "win", "cygwin", "msys")) else _AWK


def smudge(python: str, script: str) -> str:
    """Return the shell command that places the hooks, and lets the text through where svi-install is gone.

    Args:
        python: svi-install's own Python, an absolute path.
        script: the file that it runs.
    """
    gone = "svi-install is not there any more, so SVI is not in"
    ends = "git config --remove-section filter.svi-install"
    return (
        f"if test -x {_quoted(python)} && test -f {_quoted(script)}; then {_quoted(python)} -I {_quoted(script)} \0; "
        f'else echo "{gone} "\0"; to end this message: {ends}" >&2; cat; fi'
    )


def settings(python: str, script: str, platform: str = sys.platform) -> tuple[str, ...]:
    """Return the lines of the section for git's settings."""
    commands = (("clean", clean(platform)), ("smudge", smudge(python, script)))
    return (f'[filter "{FILTER}"]', *(f"\t{name} = {_value(command)}" for name, command in commands))


def attributes(paths: Sequence[str]) -> tuple[str, ...]:
    """Return the lines that give WanGP's files to the filter."""
    return tuple(f"/{path} filter={FILTER}" for path in paths)


def excludes(paths: Sequence[str]) -> tuple[str, ...]:
    """Return the lines that keep our own files out of what git lists, and let WanGP's win where the names are one."""
    return tuple("/" + "".join(f"\\{sign}" if sign in "*?[]\\" else sign for sign in path) for path in paths)


def _quoted(path: str) -> str:
    return "'" + path.replace("'", "'\\''") + "'"


def _value(command: str) -> str:
    # Git puts in a file's name for %f, written \0 until here, and takes %% for a percent sign.
    text = command.replace("%", "%%").replace("\0", "%f")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
