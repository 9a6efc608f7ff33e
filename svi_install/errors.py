"""The one error class of the package; the command line turns it into an exit code and a few plain lines."""

from __future__ import annotations

import sys
from pathlib import Path

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NO_CHECKOUT = 3
EXIT_UNSUPPORTED = 4
EXIT_DOWNLOAD = 5
EXIT_INTERRUPTED = 130


class SviError(Exception):
    """A failure that a person can act on.

    Args:
        code: short stable identifier for programs, in kebab-case, such as ``no-checkout``.
        message: what happened, to which file, why, and what was left untouched.
        hint: the next command or action, empty when there is none.
        exit_code: exit status of the process, one of the EXIT_ constants.
    """

    def __init__(self, code: str, message: str, hint: str = "", exit_code: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


def quoted(root: Path | str) -> str:
    """Return a path, or a text such as a prompt, as a person types it on a command line."""
    text = str(root)
    if all(sign.isalnum() or sign in "/\\:._-" for sign in text):
        return text
    if sys.platform != "win32" and any(sign in text for sign in '"$`\\!'):
        # Within double quotes a shell would still act on these.
        import shlex

        return shlex.quote(text)
    if sys.platform == "win32" and any(sign in text for sign in "$`\u201c\u201d\u201e") and _in_powershell():
        # Within double quotes PowerShell would still act on these.
        return "'" + text.replace("'", "''") + "'"
    return f'"{text}"'


def _in_powershell() -> bool:
    import os

    return os.environ.get("SVI_INSTALL_SHELL") == "powershell"  # set by bootstrap.py


def counted(number: int, thing: str) -> str:
    """Return a number of things in words, such as ``1 profile`` or ``3 profiles``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
