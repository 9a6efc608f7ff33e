"""A line for each worker of a farm, kept at the end of a terminal with the whole below; what is said stands above."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, cast

from .output import Output, draws

if TYPE_CHECKING:
    from rich.live import Live


class WorkerLines(io.TextIOBase):
    """Stands for the error output; until a worker has something to show, and after the last, it changes nothing.

    Workers are heard in a thread of Dask's while others speak, hence the lock.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._live: Live | None = None
        self._lines: dict[str, str] = {}
        self._begun = ""
        self._lock = threading.RLock()

    def show(self, worker: str, text: str, whole: str) -> None:
        """Replace a worker's line, and the one about the whole below all of them."""
        with self._lock:
            self._lines[worker] = text
            self._draw(whole)

    def drop(self, worker: str, whole: str) -> None:
        """Take a worker's line away until it has something to show again; with nothing left to do, all of it."""
        with self._lock:
            self._lines.pop(worker, None)
            if whole:
                self._draw(whole)
            else:
                self.stop()

    def _draw(self, whole: str) -> None:
        from rich.console import Console, Group
        from rich.live import Live
        from rich.text import Text

        rows = (*(self._lines[worker] for worker in sorted(self._lines)), whole)
        drawn = Group(*(Text(row, no_wrap=True, overflow="ellipsis") for row in rows))
        if self._live is None:
            console = Console(file=self._stream, force_terminal=True, legacy_windows=False, no_color=True)
            # What others write to the standard streams is theirs, a question for one.
            self._live = Live(
                drawn,
                console=console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        self._live.update(drawn, refresh=True)

    def stop(self) -> None:
        """Take the lines away; what is written from now on goes where it always went."""
        with self._lock:
            if self._live is not None:
                self._live.stop()
                self._live = None
            if self._begun:
                self._stream.write(self._begun)
                self._begun = ""

    def write(self, text: str) -> int:
        """Write above the lines, a line at a time; it is not broken, so that a command can be copied."""
        with self._lock:
            if self._live is None:
                self._stream.write(text)
            else:
                *whole, self._begun = (self._begun + text).split("\n")
                for row in whole:
                    self._live.console.out(row, highlight=False)
        return len(text)

    def flush(self) -> None:
        """Send what can be sent."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Tell whether a person sees it."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the number of the stream behind it."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Return the encoding of the stream behind it."""
        return getattr(self._stream, "encoding", None) or "utf-8"


@contextlib.contextmanager
def worker_lines(to: Output) -> Iterator[Output]:
    """Give each worker a line of its own, where a terminal can keep them; elsewhere nothing changes."""
    if to.as_json or to.quiet or not to.err.isatty() or not draws(os.environ):
        yield to
        return
    lines = WorkerLines(to.err)
    try:
        yield to._replace(err=cast("IO[str]", lines))
    finally:
        lines.stop()
