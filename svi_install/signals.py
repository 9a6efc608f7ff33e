"""Ctrl-C, SIGTERM and a closed terminal end a command in one way, at a moment when that leaves nothing odd behind.

`catch` belongs to the owner of the process. A signal that comes while the program starts, or within an import where
Python may lose an exception and print a stack trace, waits until that is over. Once it is known how the command ended,
a signal no longer changes that: the first one lets the report be finished, the next one cuts it off.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType, TracebackType

from .errors import EXIT_INTERRUPTED

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
_AGAIN = 0.005  # seconds until a signal that came within an import is looked at again
_PATIENCE = 400  # so many times; no import takes two seconds
_IMPORT = "<frozen importlib"


class Stopped(KeyboardInterrupt):
    """A signal asked this process to stop; what cleans up after Ctrl-C cleans up after each of them."""


class _Ears:
    """What was heard so far."""

    waiting = 0
    last = 0
    ready = False
    tries = 0
    final: int | None = None


def catch() -> None:
    """Take over the signals that ask a process to stop, except those that whoever started it told it to ignore."""
    for name in _NAMES:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _hear)
    sys.unraisablehook = _lost


def ignore() -> None:
    """Ignore them all: the report is out, and Python, while it ends, would let a signal change the exit code."""
    for name in _NAMES:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is _hear:
            signal.signal(number, signal.SIG_IGN)


def exit_code() -> int:
    """Return the exit code of a command that was stopped: 128 and the number of the signal."""
    return 128 + _Ears.last if _Ears.last else EXIT_INTERRUPTED


def ended_from_outside() -> bool:
    """Tell whether another program asked this one to stop, rather than a person with Ctrl-C."""
    return _Ears.last not in (0, signal.SIGINT)


def decided(code: int) -> None:
    """Say that the command has ended with this exit code and only the report is left."""
    _Ears.final, _Ears.waiting = code, 0
    if sys.platform != "win32":
        # A clock that still runs would end the process when Python has already put its own handler away.
        signal.setitimer(signal.ITIMER_REAL, 0)


class heard:  # noqa: N801 - reads as a statement: with heard():
    """The part of the program that a signal may stop; one that came before stops it at once."""

    def __enter__(self) -> None:
        """Begin, unless a signal was waiting."""
        _Ears.final = None
        if _Ears.waiting:
            _stop()
        _Ears.ready = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Go back to remembering signals only."""
        _Ears.ready = False


def put_off() -> bool:
    """Let a signal wait until `let_in` gets what this returns; meant for moments that must not be left half way."""
    before, _Ears.ready = _Ears.ready, False
    return before


def let_in(before: bool) -> None:
    """End what `put_off` began; a signal that has come meanwhile stops the program here."""
    _Ears.ready = before
    if before and _Ears.waiting:
        _stop()


@contextlib.contextmanager
def kept_from_children() -> Iterator[None]:
    """Start processes that never hear Ctrl-C, which a terminal sends to all: their parent hears it, and ends them."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _hear(number: int, frame: FrameType | None) -> None:
    if _Ears.final is not None and _Ears.waiting:
        os._exit(_Ears.final)
    _Ears.waiting = _Ears.last = number
    _consider(frame)


def _consider(frame: FrameType | None) -> None:
    if not _Ears.ready or not _Ears.waiting:
        return
    if sys.platform != "win32" and _importing(frame) and _Ears.tries < _PATIENCE:
        _Ears.tries += 1
        _look_again()
        return
    _Ears.tries = 0
    _stop()


def _stop() -> None:
    _Ears.waiting = 0
    raise Stopped


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORT):
            return True
        frame = frame.f_back
    return False


def _look_again() -> None:
    # Windows has no such clock; there a signal stops an import at once.
    if sys.platform != "win32":
        signal.signal(signal.SIGALRM, lambda _number, frame: _consider(frame))
        signal.setitimer(signal.ITIMER_REAL, _AGAIN)


def _lost(event: sys.UnraisableHookArgs) -> None:
    """Hear a signal again that Python dropped, because it came in a place that cannot raise."""
    if not isinstance(event.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(event)
        return
    _Ears.waiting = _Ears.last or signal.SIGINT
    if _Ears.ready:
        _look_again()
