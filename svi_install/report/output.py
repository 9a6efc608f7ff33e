"""Where and how to print, and the few things that every printer needs."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, NamedTuple, cast

from ..errors import quoted
from .command_names import SUBCOMMANDS
from .wrapping import columns, wrapped

PROGRAM = "svi-install"
_STYLES = {"bold": "1", "green": "32", "yellow": "33", "red": "31", "cyan": "36", "dim": "2"}
# Control characters but line ends and tabs, and those that turn the direction of writing.
_OBEYED = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]"


def give_up(stream: IO[str]) -> None:
    """Let what is still in the buffer of a stream go nowhere, or Python would complain of it when it ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)


class Patient(io.TextIOBase):
    """A stream for words beside the work: where nobody can read them any more, the work goes on without them."""

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        if self._stream is not None:
            try:
                self._stream.write(text)
            except OSError:
                give_up(self._stream)
        return len(text)

    def flush(self) -> None:
        """Send what can be sent."""
        if self._stream is not None:
            try:
                self._stream.flush()
            except OSError:
                give_up(self._stream)

    def isatty(self) -> bool:
        """Tell whether a person sees it."""
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        """Return the number of the stream behind it."""
        return super().fileno() if self._stream is None else self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Return the encoding of the stream behind it."""
        return getattr(self._stream, "encoding", None) or "utf-8"


class Closed(io.TextIOBase):
    """Stands for a standard output that was closed before this program started: whatever is written fails."""

    def write(self, text: str) -> int:
        """Fail like a closed file."""
        raise OSError(errno.EBADF, "it was closed")


class Output(NamedTuple):
    """Where and how to print.

    Args:
        out: stream for results.
        err: stream for errors and for what accompanies a diff.
        as_json: print one JSON object and nothing else.
        quiet: print nothing but errors and, in a dry run, the diff.
        color: use colors.
        rich: use a rich table.
        program: how the person starts this program.
    """

    out: IO[str]
    err: IO[str]
    as_json: bool = False
    quiet: bool = False
    color: bool = False
    rich: bool = False
    program: str = PROGRAM


def of_process(*, as_json: bool, quiet: bool, env: Mapping[str, str] = os.environ) -> Output:
    """Choose the way of printing for the streams of this process.

    Args:
        as_json: from ``--json``.
        quiet: from ``--quiet``.
        env: environment variables; ``NO_COLOR``, ``FORCE_COLOR`` and ``TERM`` count.
    """
    out = cast("IO[str]", Closed()) if sys.stdout is None else sys.stdout
    err = cast("IO[str]", Patient(sys.stderr))
    terminal = out.isatty() and env.get("TERM") != "dumb"
    forced = bool(env.get("FORCE_COLOR"))
    color = (forced or (terminal and takes_ansi(env))) and not env.get("NO_COLOR")
    return Output(out, err, as_json, quiet, color, terminal or forced, program(env))


def takes_ansi(env: Mapping[str, str]) -> bool:
    """Tell whether a terminal understands ANSI colors; the old Windows console shows them as rubbish."""
    return sys.platform != "win32" or any(env.get(name) for name in ("WT_SESSION", "TERM_PROGRAM", "ANSICON", "TERM"))


def draws(env: Mapping[str, str]) -> bool:
    """Tell whether lines that stand on the terminal can be drawn again, and let the Windows console do so."""
    if env.get("TERM") == "dumb":
        return False
    if sys.platform == "win32" and not takes_ansi(env):
        import ctypes

        kernel = ctypes.windll.kernel32
        handle, mode = kernel.GetStdHandle(-12), ctypes.c_ulong()
        # 4: ENABLE_VIRTUAL_TERMINAL_PROCESSING, from Windows 10 on.
        return bool(kernel.GetConsoleMode(handle, ctypes.byref(mode)) and kernel.SetConsoleMode(handle, mode.value | 4))
    return True


def program(env: Mapping[str, str]) -> str:
    """Say how the person started this program, so that a proposed command works as it stands.

    Args:
        env: environment variables; the start scripts put their folder into ``SVI_INSTALL_SOURCE``.

    Returns:
        ``svi-install``, or the start script: short in the current folder, else with its path.
    """
    source = env.get("SVI_INSTALL_SOURCE")
    if not source:
        return PROGRAM
    return _windows_script(source, env) if sys.platform == "win32" else _script(source)


def _script(source: str) -> str:
    with contextlib.suppress(OSError):
        # The current folder may have been deleted.
        if Path(source) == Path.cwd():
            return "./install.sh"
    return quoted(f"{source}/install.sh")


def _windows_script(source: str, env: Mapping[str, str]) -> str:
    """Say it as the shell wants it that install.bat was started from: ``cmd``, ``powershell``, or a ``window``.

    A window is what a double click opens: it is gone when the command is typed, so nothing there is near.
    """
    from ..bootstrap import shell

    started = shell(env)
    if started != "window":
        with contextlib.suppress(OSError):
            if Path(source) == Path.cwd():
                return r".\install.bat"
    path = quoted(f"{source}\\install.bat")
    # PowerShell takes a line that begins with a quote for a text.
    return f"& {path}" if started == "powershell" and path[0] in "\"'" else path


def spoken(text: str, to: Output) -> str:
    """Put the person's own way of starting this program into the commands that a text proposes."""
    if to.program == PROGRAM:
        return text
    # The name as the first word of a command, not as the name of the product in a sentence.
    # A color may stand right before it, and its last sign is a letter.
    start = r"(?:\b|(?<=\x1b\[\dm)|(?<=\x1b\[\d\dm))"
    proposed = rf"{start}svi-install (?=-|\"|'|/|[A-Za-z]:\\|PATH\b|(?:{'|'.join(SUBCOMMANDS)})\b)"
    return re.sub(proposed, lambda _: f"{to.program} ", text)


def say(text: str, to: Output) -> None:
    """Print one line for a person while a command runs; nothing with ``--json`` or ``--quiet``."""
    if not (to.as_json or to.quiet):
        print("\n".join(wrapped(text.split("\n"), columns(to.err), to.program)), file=to.err, flush=True)


def paint(text: str, style: str, color: bool) -> str:
    """Wrap text in the ANSI codes of a style, or return it as it is."""
    return f"\033[{_STYLES[style]}m{text}\033[0m" if color else text


def printable(text: str) -> str:
    """Spell out what a terminal would obey: text of others must not move the cursor or hide lines."""
    if text.isprintable():
        return text
    return re.sub(_OBEYED, lambda match: match[0].encode("unicode_escape").decode("ascii"), text)
