"""The one error class of the package; the command line turns it into an exit code and a few plain lines."""

from __future__ import annotations

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


def quoted(root: Path) -> str:
    """Return a path as a person types it on a command line."""
    text = str(root)
    return f'"{text}"' if any(not (sign.isalnum() or sign in "/\\:._-") for sign in text) else text
