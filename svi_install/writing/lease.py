"""Whether another program has, or has had, a file of ours open, so that what was read from it need not be read again.

What is proven: Linux grants a write lease (fcntl(2), F_SETLEASE) only on a file that nobody else has open, not even as
a mapping in memory, and takes it away when anybody opens or truncates that file under whatever name, root included.
A lease that is still there at the end therefore shows that nobody else has written to the file since it was granted.
It does not show who renamed or removed the file, nor what happened before. On disks that other machines write to, on
file systems not named here and on macOS and Windows there is no lease; then the file has to be read again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path

# How long another program that opens the file waits at most; the kernel holds it back until we have let go.
_GLANCE = 0.05
# Written by this machine alone, and honest about it (their kernel code has the lease of the virtual file system).
_LOCAL = {"ext2", "ext3", "ext4", "xfs", "f2fs", "tmpfs", "overlay"}


class Lease:
    """A lease on an open file, from now on until it is let go of or another program opens the file."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._ended = threading.Event()
        self._watcher: threading.Thread | None = None
        if sys.platform == "linux" and _local(fd):
            import fcntl

            with contextlib.suppress(OSError):
                # The signal that tells of it would end the process; this one is ignored, and we look for ourselves.
                fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
                fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
                self._watcher = threading.Thread(target=self._watch, daemon=True)
                self._watcher.start()

    @property
    def unbroken(self) -> bool:
        """True when nobody else has opened the file since the lease was taken."""
        if sys.platform != "linux" or self._watcher is None or self._ended.is_set():
            return False
        import fcntl

        return fcntl.fcntl(self._fd, fcntl.F_GETLEASE) == fcntl.F_WRLCK

    def _watch(self) -> None:
        while self.unbroken:
            self._ended.wait(_GLANCE)
        self._release()

    def _release(self) -> None:
        if sys.platform == "linux" and not self._ended.is_set():
            import fcntl

            self._ended.set()
            with contextlib.suppress(OSError):
                fcntl.fcntl(self._fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)

    def end(self) -> None:
        """Let go of the file; call it before the descriptor is closed."""
        if self._watcher is not None:
            self._release()
            self._watcher.join()


def _local(fd: int) -> bool:
    """Tell whether only this machine writes to the disk of a file."""
    device = os.fstat(fd).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        with Path("/proc/self/mountinfo").open(encoding="utf-8", errors="replace") as mounts:
            kinds = {line.split(" - ")[1].split()[0] for line in mounts if line.split()[2] == wanted}
    except (OSError, IndexError):
        return False
    return bool(kinds) and kinds <= _LOCAL
