"""Single keys from a terminal, as words: ``up``, ``down``, ``enter``, or the sign that was typed."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator

_NAMES = {
    "\x1b[A": "up", "\x1bOA": "up", "\xe0H": "up", "\x00H": "up",
    "\x1b[B": "down", "\x1bOB": "down", "\xe0P": "down", "\x00P": "down",
    "\r": "enter", "\n": "enter",
}  # fmt: skip
# An arrow is several signs, and what comes through a slow line may bring several keys at once.
_KEY = re.compile(r"\x1b[\[O][0-9;]*[A-Za-z~]|[\xe0\x00].|.", re.DOTALL)


def named(text: str) -> list[str]:
    """Return the keys in what a terminal sent."""
    return [_NAMES.get(key, key) for key in _KEY.findall(text)]


@contextlib.contextmanager
def unbuffered() -> Iterator[None]:
    """Let keys come one by one and unseen; nothing that was typed before is lost, as `click.getchar` would lose it."""
    if sys.platform == "win32":
        yield
        return
    import termios
    import tty

    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    try:
        tty.setcbreak(number, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def read() -> list[str]:
    """Wait for keys.

    Raises:
        EOFError: the terminal is gone.
    """
    if sys.platform == "win32":
        import click

        return named(click.getchar())
    data = os.read(sys.stdin.fileno(), 64)
    if not data:
        raise EOFError
    return named(data.decode("utf-8", "replace"))
