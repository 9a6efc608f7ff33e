"""The runtime's only way to speak: lines on WanGP's console."""

from __future__ import annotations

PREFIX = "[SVI Mode]"


def say(message: str, after_progress: bool = False) -> None:
    """Prints one line that starts with ``[SVI Mode]``; a console that lacks a character gets a question mark for it.

    Args:
        message: what to say.
        after_progress: WanGP may be in the middle of a progress line that it means to write over; ends that first.
    """
    line = f"{PREFIX} {message}"
    if after_progress:
        line = "\n" + line
    try:
        print(line, flush=True)
    except UnicodeEncodeError:
        print(line.encode("ascii", "replace").decode("ascii"), flush=True)
