"""A terminal with a person before it: what it shows is waited for, then a key is pressed."""

from __future__ import annotations

import errno
import os
import re
import select
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

_OWN = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
# Only what never comes takes that long.
PATIENCE = 60


class Terminal:
    """A program in a pseudo terminal."""

    def __init__(
        self, command: Sequence[str], cwd: Path, env: dict[str, str], width: int = 80, height: int = 50
    ) -> None:
        import fcntl
        import termios

        self.seen = ""
        self._read = 0
        self._end, inside = os.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
        # Makes the pseudo terminal the one that Ctrl-C comes from.
        own = [sys.executable, "-c", _OWN, *command]
        self._process = subprocess.Popen(
            own, cwd=cwd, env=env, stdin=inside, stdout=inside, stderr=inside, start_new_session=True
        )
        os.close(inside)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._end)

    def types(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    def sees(self, *texts: str) -> str:
        """Wait for texts, one after the other, beyond what was seen before; colors and line ends do not matter."""
        for text in texts:
            while (found := self._plain().find(text, self._read)) < 0:
                assert self._more(), f"ended without {text!r}:\n{self.seen}"
            self._read = found + len(text)
        return self.seen

    def _plain(self) -> str:
        return re.sub(r"\s+", " ", re.sub(r"\x1b\[[0-9;]*m", "", self.seen))

    def ends(self) -> int:
        """Wait for the end; return the exit code."""
        while self._more():
            pass
        return self._process.wait(PATIENCE)

    def _more(self) -> bool:
        ready, _, _ = select.select([self._end], [], [], PATIENCE)
        assert ready, f"nothing more came:\n{self.seen}"
        try:
            data = os.read(self._end, 65536)
        except OSError as failure:
            if failure.errno != errno.EIO:  # how Linux says that the program has ended
                raise
            return False
        self.seen += data.decode("utf-8", "replace")
        return bool(data)
