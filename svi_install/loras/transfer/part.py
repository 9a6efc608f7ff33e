"""A file that is still arriving: its bytes, what is known of them, and the lock that keeps a second process out."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ...writing.files import sync_folder
from ...writing.lease import Lease
from ...writing.own_files import ChangedError, HeldError, Seal, compare, open_locked, open_own, rename
from ..proof import Mark, read_again
from .part_state import HASH, Extents, State, booted, clip, merge, missing, read_newest, uncovered, write_slot


def waiting(target: Path, sync: int, pause: float, limit: float) -> Iterator[Part | None]:
    """Open the part file as soon as no other process has it.

    Raises:
        HeldError: the other process did not finish in time.
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


# Two clocks that both run since the machine started drift apart a little; a restart moves them by much more.
_SAME_BOOT = 2.0
_SAVE_EVERY = 4 * 1024 * 1024
_SYNC_PAUSE = 0.25


class ClosedError(Exception):
    """A connection that was given up still wanted to write."""


class Part:
    """The two files beside the target: ``NAME.part`` with the bytes and ``NAME.part.state``.

    The state file is the lock, too. Its name is not one of JSON: WanGP offers every JSON in a LoRA folder as settings.

    Args:
        target: final path of the file.
        sync: bytes after which they are forced to the disk.

    Raises:
        HeldError: another process is at work on the same file.
        ForeignError: something that is no file of ours has the name of one of them.
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
        self._seal: Seal | None = None
        self._lease: Lease | None = None
        self._inode: tuple[int, int] | None = None
        # How much of what is there has a hash, and which; set by who hashes it.
        self.proof: Callable[[], tuple[int, str]] = lambda: (0, "")
        # What an earlier run knew of the begin of the file.
        self.expect: tuple[int, str] | None = None
        # Why nothing of an earlier run is used, for people.
        self.doubt = ""
        self._state_fd, self._instead = open_locked(self.state_path)
        try:
            self._fd = open_own(self.path, os.O_RDWR | os.O_CREAT)
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
        length = os.fstat(self._fd).st_size
        # After a restart of the machine only what was forced to the disk can be relied on.
        same_boot = abs(state.booted - booted()) < _SAME_BOOT
        trusted = clip(state.done if same_boot else state.durable, length)
        begin = trusted[0][1] if trusted and trusted[0][0] == 0 else 0
        if 0 < state.prefix <= begin and HASH.fullmatch(state.digest):
            self.expect = state.prefix, state.digest
        if not state.hashed:
            # Nobody would ever notice what a crash or another program has done to bytes whose hash is not known.
            trusted = ((0, state.prefix),) if self.expect is not None else ()
            if state.done and not trusted:
                self.doubt = "What an earlier run left cannot be checked; starting the download again."
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

    @property
    def untouched(self) -> bool:
        """True when it is known that no other program has opened the file since `watch`."""
        return self._lease is not None and self._lease.unbroken

    def watch(self) -> None:
        """Notice from now on, where the system can tell, when another program opens the file."""
        self._end_lease()
        self._lease = Lease(self._fd)

    def _end_lease(self) -> None:
        if self._lease is not None:
            self._lease.end()
            self._lease = None

    def read(self, offset: int, view: memoryview) -> int:
        """Read what is in the file by the descriptor that is open; opening it once more would look like a program's."""
        if sys.platform != "win32" and hasattr(os, "preadv"):
            return os.preadv(self._fd, [view], offset)
        with self._guard:
            os.lseek(self._fd, offset, os.SEEK_SET)
            data = os.read(self._fd, len(view))
        view[: len(data)] = data
        return len(data)

    def gaps(self) -> Extents:
        """List what is missing; an end that is not known is -1."""
        return missing(self.state)

    def begin(self, url: str, identity: str, validator: str, size: int | None, host: str = "") -> None:
        """Forget what is there and start with a new file."""
        with self._guard:
            self.epoch += 1
            self._seal = self.expect = None
            os.ftruncate(self._fd, 0)
            number = self.state.number
            self.state = State(url, identity, validator, size, booted=booted(), number=number, host=host)
            self._save()
            os.fsync(self._state_fd)

    def forget(self) -> None:
        """Drop what is there."""
        self.proof = lambda: (0, "")
        self.begin("", "", "", None)

    def adopt(self, url: str, validator: str) -> None:
        """Note that the same file now comes from another address."""
        with self._guard:
            self.state = self.state._replace(url=url, validator=validator)
            self._save()

    def finish_size(self, size: int, epoch: int) -> None:
        """Note the size that only the end of the file told.

        Raises:
            ClosedError: the part file has been started anew since.
        """
        with self._guard:
            if epoch != self.epoch:
                raise ClosedError
            self.state = self.state._replace(size=size)

    def write(self, offset: int, data: memoryview, epoch: int) -> None:
        """Store bytes, but never over others: what is there may be hashed already, and two connections may overlap.

        Raises:
            ClosedError: the part file was let go of or has been started anew since.
        """
        with self._guard:
            if self._failure is not None:
                raise self._failure
            if self._closed or epoch != self.epoch:
                raise ClosedError
            end = offset + len(data)
            for start, stop in uncovered(self.state.done, offset, end):
                os.lseek(self._fd, start, os.SEEK_SET)
                rest = data[start - offset : stop - offset]
                while rest:
                    rest = rest[os.write(self._fd, rest) :]
            self.state = self.state._replace(done=merge(self.state.done, offset, end))
            self._unsaved += end - offset
            self._unsynced += end - offset
            if self._unsaved >= _SAVE_EVERY:
                self._save()
            if self._unsynced >= self._sync:
                self._unsynced = 0
                self._wake.set()

    def save(self) -> None:
        """Write the state, so that a later run goes on from here."""
        with self._guard:
            self._save()

    def sync(self) -> None:
        """Force bytes and state to the disk."""
        with self._guard:
            epoch, snapshot = self.epoch, self.state.done
        os.fsync(self._fd)
        with self._guard:
            if epoch == self.epoch:
                self.state = self.state._replace(durable=snapshot)
            self._save()
        os.fsync(self._state_fd)

    def close(self) -> None:
        """Let go of both files and keep them for a later run."""
        if self._let_go(save=True):
            self._unlock()

    def discard(self) -> None:
        """Let go of both files and remove what is left of them."""
        if self._let_go():
            self._remove()

    def seal(self) -> bool:
        """Close the complete file for writing and note what it is, so that a change by another program shows.

        Returns:
            True when no other program has opened it since `watch`.

        Raises:
            ChangedError: it is not what was written.
        """
        self.sync()
        with self._guard:
            # A connection that was dropped may still send what another one has sent already.
            self.epoch += 1
            status = os.fstat(self._fd)
            if status.st_size != self.state.size:
                raise ChangedError(f"has {status.st_size:,} bytes instead of {self.state.size:,}")
            # Writing sets the date. One that no write can set shows every write, however coarse the clock of the disk.
            moment = (int(time.time()) // 2 - 2) * 2_000_000_000
            with contextlib.suppress(OSError):
                os.utime(self.path if sys.platform == "win32" else self._fd, ns=(moment, moment))
            status = os.fstat(self._fd)
            self._seal = Seal(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            self._save()
        # Only now: whoever writes from here on changes the date.
        untouched = self.untouched
        self._end_lease()
        self.intact()
        return untouched

    def intact(self) -> None:
        """Make sure that the sealed file is still the one that has its name, and was not written to.

        Raises:
            ChangedError: it is not.
        """
        with self._guard:
            compare(self._seal, os.fstat(self._fd))
            try:
                named = self.path.lstat()
            except FileNotFoundError:
                raise ChangedError("is gone") from None
            compare(self._seal, named)

    def named(self) -> bool:
        """Tell whether the name still leads to the file that is open."""
        try:
            return _inode(self.path.lstat()) == _inode(os.fstat(self._fd))
        except OSError:
            return False

    def sha256(self, marks: Sequence[Mark], wait: Callable[[int], None]) -> str:
        """Hash what is on the disk, in the sealed file, as `proof.read_again` does.

        Raises:
            ChangedError: another program wrote to it meanwhile.
            TamperedError: it is not what arrived.
        """
        try:
            found = read_again(self.path, marks, self.received, lambda fd: compare(self._seal, os.fstat(fd)), wait)
        except FileNotFoundError:
            raise ChangedError("is gone") from None
        self.intact()
        return found

    def publish(self, target: Path, pause: Callable[[float], None]) -> None:
        """Give the complete and sealed file its final name.

        Raises:
            ChangedError: another program has changed it; it does not keep the final name.
            FileExistsError: something has that name by now and is left alone; the part is removed.
        """
        self.intact()
        self._let_go()
        try:
            rename(self.path, target, pause, lambda status: compare(self._seal, status))
        except (FileExistsError, ChangedError):
            self._remove()
            raise
        except OSError:
            self._unlock()
            raise
        try:
            compare(self._seal, target.lstat())
        except (ChangedError, FileNotFoundError) as changed:
            self._take_back(target)
            raise ChangedError(*changed.args if isinstance(changed, ChangedError) else ("is gone",)) from None
        with contextlib.suppress(OSError):
            sync_folder(target.parent)
        self._remove_state()

    def _take_back(self, target: Path) -> None:
        """Take the final name from a file that was written to while it got it."""
        with contextlib.suppress(OSError):
            status = target.lstat()
            if self._seal is not None and (status.st_dev, status.st_ino) == self._seal[:2]:
                target.unlink()
        self._remove_state()

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            # Another program may have put a file of its own there.
            if self._inode in (None, _inode(self.path.lstat())):
                self.path.unlink(missing_ok=True)
        self._remove_state()

    def _let_go(self, *, save: bool = False) -> bool:
        with self._guard:
            if self._closed:
                return False
            if save and self.state.done:
                with contextlib.suppress(OSError):
                    self._save()
            # A connection that was given up may still be about to write; the number of a closed file is soon another's.
            self._closed = True
        self._ended.set()
        self._wake.set()
        self._flusher.join()
        self._end_lease()
        self._inode = _inode(os.fstat(self._fd))
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
        prefix, digest = self.proof()
        if prefix >= self.state.prefix:
            self.state = self.state._replace(prefix=prefix, digest=digest)
        self.state = self.state._replace(number=self.state.number + 1)
        self._unsaved = 0
        write_slot(self._state_fd, self.state)


def _inode(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
