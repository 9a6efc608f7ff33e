"""A file that is still arriving: its bytes, what is known of them, and the lock that keeps a second process out."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .part_state import BINARY, Extents, HeldError, State, booted, clip, merge, open_locked, read_newest, write_slot

# Two clocks that both run since the machine started drift apart a little; a restart moves them by much more.
_SAME_BOOT = 2.0
_SAVE_EVERY = 4 * 1024 * 1024
_SYNC_PAUSE = 0.25
# Access denied, sharing violation, lock violation.
_HELD = {5, 32, 33}
_RENAME_ATTEMPTS = 9


class ClosedError(Exception):
    """A connection that was given up still wanted to write."""


class Part:
    """The two files beside the target: ``NAME.part`` with the bytes and ``NAME.part.state``.

    The state file is also the lock. It is not JSON by name, because WanGP offers every JSON in a LoRA folder as
    settings.

    Args:
        target: final path of the file.
        sync: bytes after which they are forced to the disk.

    Raises:
        HeldError: another process is at work on the same file.
        OSError: the folder cannot be written.
    """

    def __init__(self, target: Path, sync: int) -> None:
        self.path = target.with_name(target.name + ".part")
        self.state_path = target.with_name(target.name + ".part.state")
        self._sync = sync
        self._guard = threading.Lock()
        self._unsaved = 0
        self._unsynced = 0
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._closed = False
        self.epoch = 0
        self._failure: OSError | None = None
        self._state_fd, self._instead = open_locked(self.state_path)
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | BINARY, 0o666)
        except BaseException:
            self._unlock()
            raise
        self.state = self._recall()
        self._flusher = threading.Thread(target=self._keep_durable, daemon=True)
        self._flusher.start()

    def _recall(self) -> State:
        state = read_newest(self._state_fd)
        if state is None:
            return State(booted=booted())
        # After a restart of the machine only what was forced to the disk can be relied on.
        same_boot = abs(state.booted - booted()) < _SAME_BOOT
        length = os.fstat(self._fd).st_size
        trusted = clip(state.done if same_boot else state.durable, length)
        return state._replace(done=trusted, durable=clip(state.durable, length), booted=booted())

    @property
    def received(self) -> int:
        """Bytes that are there."""
        return sum(end - start for start, end in self.state.done)

    @property
    def frontier(self) -> int:
        """Offset up to which there is no gap."""
        done = self.state.done
        return done[0][1] if done and done[0][0] == 0 else 0

    def gaps(self) -> Extents:
        """List what is missing.

        Returns:
            Extents in order; the last one ends at the size, or is open (end -1) while the size is not known.
        """
        missing: list[tuple[int, int]] = []
        at = 0
        for start, end in self.state.done:
            if start > at:
                missing.append((at, start))
            at = end
        size = self.state.size
        if size is None:
            missing.append((at, -1))
        elif at < size:
            missing.append((at, size))
        return tuple(missing)

    def begin(self, url: str, identity: str, validator: str, size: int | None) -> None:
        """Forget what is there and start with a new file.

        Args:
            url: address the bytes come from.
            identity: hash or etag of the file on the server.
            validator: etag for ``If-Range``.
            size: bytes of the whole file.

        Raises:
            OSError: the disk refuses.
        """
        with self._guard:
            self.epoch += 1
            os.ftruncate(self._fd, 0)
            number = self.state.number
            self.state = State(url, identity, validator, size, booted=booted(), number=number)
            self._save()
            os.fsync(self._state_fd)

    def adopt(self, url: str, validator: str) -> None:
        """Note that the same file now comes from another address.

        Args:
            url: the address.
            validator: etag for ``If-Range`` at that address.
        """
        with self._guard:
            self.state = self.state._replace(url=url, validator=validator)
            self._save()

    def finish_size(self, size: int, epoch: int) -> None:
        """Note the size that only the end of the file told.

        Args:
            size: bytes of the whole file.
            epoch: as for `write`.

        Raises:
            ClosedError: the part file has been started anew since.
        """
        with self._guard:
            if epoch != self.epoch:
                raise ClosedError
            self.state = self.state._replace(size=size)

    def write(self, offset: int, data: memoryview, epoch: int) -> None:
        """Store bytes.

        Args:
            offset: where they belong.
            data: the bytes.
            epoch: value of the attribute when the connection was admitted.

        Raises:
            ClosedError: the part file was let go of or has been started anew since.
            OSError: the disk refuses.
        """
        with self._guard:
            if self._failure is not None:
                raise self._failure
            if self._closed or epoch != self.epoch:
                raise ClosedError
            os.lseek(self._fd, offset, os.SEEK_SET)
            end = offset + len(data)
            while data:
                data = data[os.write(self._fd, data) :]
            self.state = self.state._replace(done=merge(self.state.done, offset, end))
            self._unsaved += end - offset
            self._unsynced += end - offset
            if self._unsaved >= _SAVE_EVERY:
                self._save()
            if self._unsynced >= self._sync:
                self._unsynced = 0
                self._wake.set()

    def save(self) -> None:
        """Write the state, so that a later run goes on from here.

        Raises:
            OSError: the disk refuses.
        """
        with self._guard:
            self._save()

    def sync_soon(self) -> None:
        """Have bytes and state forced to the disk in the background."""
        self._wake.set()

    def sync(self) -> None:
        """Force bytes and state to the disk.

        Raises:
            OSError: the disk refuses.
        """
        with self._guard:
            epoch, snapshot = self.epoch, self.state.done
        os.fsync(self._fd)
        with self._guard:
            if epoch == self.epoch:
                self.state = self.state._replace(durable=snapshot)
            self._save()
        os.fsync(self._state_fd)

    def close(self) -> None:
        """Let go of both files; they stay for a later run."""
        if self._let_go():
            self._unlock()

    def discard(self) -> None:
        """Let go of both files and remove what is left of them."""
        if self._let_go():
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)
            self._remove_state()

    def publish(self, target: Path, pause: Callable[[float], None]) -> None:
        """Give the complete file its final name.

        Args:
            target: the final path.
            pause: waits a number of seconds.

        Raises:
            OSError: the file cannot be renamed; it stays as it is for a later run.
        """
        self.sync()
        self._let_go()
        try:
            _rename(self.path, target, pause)
        except OSError:
            self._unlock()
            raise
        _sync_folder(target.parent)
        self._remove_state()

    def _let_go(self) -> bool:
        with self._guard:
            if self._closed:
                return False
            # A connection that was given up may still be about to write; the number of a closed file is soon another's.
            self._closed = True
        self._ended.set()
        self._wake.set()
        self._flusher.join()
        os.close(self._fd)
        return True

    def _remove_state(self) -> None:
        if sys.platform == "win32":
            self._unlock()
        # Elsewhere it is removed while still locked: who waits for it then sees that its file is no longer on disk.
        with contextlib.suppress(OSError):
            self.state_path.unlink()
        if sys.platform != "win32":
            self._unlock()

    def _unlock(self) -> None:
        os.close(self._state_fd)
        if self._instead is not None:
            os.close(self._instead)

    def _keep_durable(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._closed:
                return
            try:
                self.sync()
                # A disk that is asked all the time has no time to write.
                self._ended.wait(_SYNC_PAUSE)
            except OSError as error:
                self._failure = error
                return

    def _save(self) -> None:
        self.state = self.state._replace(number=self.state.number + 1)
        self._unsaved = 0
        write_slot(self._state_fd, self.state)


def waiting(target: Path, sync: int, pause: float, limit: float) -> Iterator[Part | None]:
    """Open the part file as soon as no other process has it.

    Args:
        target: final path of the file.
        sync: bytes after which they are forced to the disk.
        pause: seconds between two looks.
        limit: seconds after which to give up.

    Yields:
        None each time the part is held by another process, then the part.

    Raises:
        HeldError: the other process did not finish in time.
        OSError: the folder cannot be written.
    """
    until = time.monotonic() + limit
    while True:
        try:
            part = Part(target, sync)
        except HeldError:
            if time.monotonic() > until:
                raise
            yield None
            time.sleep(pause)
            continue
        yield part
        return


def _rename(source: Path, target: Path, pause: Callable[[float], None]) -> None:
    for attempt in range(_RENAME_ATTEMPTS):
        try:
            source.replace(target)
            return
        except PermissionError as error:
            # On Windows an antivirus opens a new file for some seconds.
            if getattr(error, "winerror", None) not in _HELD or attempt == _RENAME_ATTEMPTS - 1:
                raise
            pause(0.1 * 2**attempt)


def _sync_folder(folder: Path) -> None:
    # Windows refuses to open a folder.
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
