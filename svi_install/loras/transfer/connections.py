"""One connection of a download in a thread of its own, and how many of them pay."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..proof import Follower
from .failures import TransferError, require_room
from .part import Part
from .part_state import Extents, merge, uncovered
from .progress import human_size
from .settings import Limits
from .transport import Answer, Transport

# Parts smaller than that are not worth a connection.
_SMALLEST_SHARE = 8 * 1024 * 1024
_FLUSH_SECONDS = 0.2
_ROOM_STEP = 64 * 1024 * 1024
_GAIN = 1.15


@dataclass(frozen=True)
class Channel:
    """What all connections of one download share.

    Args:
        admit: is shown an answer and the offset it was asked for before a byte is stored; returns the part's epoch,
            and raises when the answer does not belong to what is in the part.
        wake: set when a connection has ended.
        most: the file cannot be larger, in bytes.
    """

    url: str
    part: Part
    follower: Follower
    transport: Transport
    limits: Limits
    admit: Callable[[Answer, int], int]
    wake: threading.Event
    most: int


class Worker(threading.Thread):
    """Downloads one stretch of the file; its end is -1 while the size is not known."""

    def __init__(self, channel: Channel, start: int, stop: int) -> None:
        super().__init__(daemon=True)
        self.position = start
        self.stop = stop
        self.fetched = 0
        self.error: Exception | None = None
        self.opened = False
        self.abandoned = False
        self.reading: float | None = None
        self.started = time.monotonic()
        self._channel = channel
        self._ranges = False
        self._epoch = -1
        self._answer: Answer | None = None
        self._room = start
        self.start()

    @property
    def splittable(self) -> bool:
        """True when a second connection may take a share of what is left."""
        return self.opened and self._ranges and self.stop - self.position >= 2 * _SMALLEST_SHARE

    def abandon(self) -> None:
        """Drop the connection, even while it waits for a byte; nothing it still receives is stored."""
        self.abandoned = True
        if self._answer is not None:
            self._answer.body.abort()

    def run(self) -> None:
        """Download the stretch and leave what went wrong, if anything, in `error`."""
        answer: Answer | None = None
        try:
            answer = self._answer = self._open()
            self._receive(answer)
        except Exception as error:  # noqa: BLE001 - handed over to the thread that started this one
            self.error = error
        finally:
            if answer is not None:
                answer.body.close()
            self._channel.wake.set()

    def _open(self) -> Answer:
        known = self._channel.part.state
        validator = known.validator if known.url == self._channel.url else ""
        end = self.stop if 0 <= self.stop != known.size else None
        answer = self._channel.transport.get(self._channel.url, self.position, end, validator if self.position else "")
        if answer.start != self.position and validator and answer.sha256 == known.identity:
            # The etag changed but the file did not, as when the hub moves it to another store.
            answer.body.close()
            answer = self._channel.transport.get(self._channel.url, self.position, end)
        try:
            self._epoch = self._channel.admit(answer, self.position)
        except BaseException:
            answer.body.close()
            raise
        if self.stop < 0 and answer.size is not None:
            self.stop = answer.size
        # Two connections make one download only if something says that both send the same file.
        self._ranges = answer.ranges and bool(self._channel.part.state.identity)
        self.opened = True
        return answer

    def _receive(self, answer: Answer) -> None:
        check = time.monotonic()
        since = self.fetched
        while not self.abandoned and (self.stop < 0 or self.position < self.stop):
            block = self._channel.follower.buffer(self._channel.limits.block)
            filled, ended = self._fill(answer, memoryview(block))
            count = filled if self.stop < 0 else min(filled, self.stop - self.position)
            if count:
                self._channel.part.write(self.position, memoryview(block)[:count], self._epoch)
            self._channel.follower.give(self.position, block, count)
            self.position += count
            self.fetched += count
            if self.stop < 0:
                self._limit()
            if ended:
                self._end()
                return
            now = time.monotonic()
            if now - check >= self._channel.limits.stall_seconds:
                if self.fetched - since < self._channel.limits.stall_rate * (now - check):
                    raise TransferError("slow", "The connection is almost at a standstill.", self._channel.url)
                check, since = now, self.fetched

    def _limit(self) -> None:
        """Keep a file of unknown size from filling the disk."""
        if self.position > self._channel.most:
            why = f"The server has sent {human_size(self.position)} and keeps going."
            raise TransferError("endless", why, self._channel.url)
        if self.position >= self._room:
            require_room(self._channel.part.path.parent, _ROOM_STEP, self._channel.part.path.name)
            self._room = self.position + _ROOM_STEP

    def _fill(self, answer: Answer, view: memoryview) -> tuple[int, bool]:
        began = time.monotonic()
        filled = 0
        room = len(view) if self.stop < 0 else min(len(view), max(1, self.stop - self.position))
        while filled < room and not self.abandoned:
            try:
                self.reading = time.monotonic()
                count = answer.body.readinto(view[filled:room])
                self.reading = None
            except TransferError:
                if filled:
                    # What has arrived counts; the next read meets the same end again.
                    self._store_rest(view[:filled])
                raise
            if not count:
                return filled, True
            filled += count
            if time.monotonic() - began > _FLUSH_SECONDS:
                break
        return filled, False

    def _store_rest(self, data: memoryview) -> None:
        if not self.abandoned:
            self._channel.part.write(self.position, data, self._epoch)
            self.position += len(data)
            self.fetched += len(data)

    def _end(self) -> None:
        if self.stop < 0:
            self._channel.part.finish_size(self.position, self._epoch)
        elif self.position < self.stop:
            raise TransferError("cut", "The server ended the connection too early.", self._channel.url)


def abandon(workers: list[Worker]) -> None:
    """Drop connections; nothing they still receive is stored."""
    for worker in workers:
        worker.abandon()


def share(part: Part, workers: list[Worker]) -> tuple[int, int] | None:
    """Find a stretch for one more connection, taking half of the largest one when all are taken."""
    free = _subtract(part.gaps(), [(worker.position, worker.stop) for worker in workers])
    if free:
        return free[0]
    candidates = [worker for worker in workers if worker.splittable]
    if not candidates:
        return None
    largest = max(candidates, key=lambda worker: worker.stop - worker.position)
    stop = largest.stop
    largest.stop = (largest.position + stop) // 2
    return largest.stop, stop


def _subtract(gaps: Extents, taken: list[tuple[int, int]]) -> Extents:
    if any(end < 0 for _, end in (*gaps, *taken)):
        # A connection without a known end takes everything.
        return () if taken else gaps
    covered: Extents = ()
    for start, end in taken:
        covered = merge(covered, start, end)
    return tuple(free for gap in gaps for free in uncovered(covered, *gap))


class Growth:
    """Finds out by trying whether one more connection makes the download faster."""

    def __init__(self, limits: Limits) -> None:
        self._most = limits.connections
        self._period = limits.trial_seconds
        self._worthwhile = limits.worthwhile_seconds
        self._count = 1
        self._trial = False
        self._settled = self._most <= 1
        self._base = 0.0
        self._since: tuple[float, int] | None = None

    def advise(self, now: float, received: int, left: int) -> int:
        """Say how many connections there should be."""
        if self._settled or self._since is None:
            self._since = self._since or (now, received)
            return self._count
        start, before = self._since
        if now - start < self._period:
            return self._count
        rate = (received - before) / (now - start)
        self._since = (now, received)
        if self._trial and rate < self._base * _GAIN:
            self._count -= 1
            self._settled = True
            return self._count
        self._base = rate
        if self._count >= self._most or left < rate * self._worthwhile:
            self._trial = False
            self._settled = self._count >= self._most
            return self._count
        self._count += 1
        self._trial = True
        return self._count

    def settle(self, count: int) -> None:
        """Stop trying."""
        self._count = count
        self._settled = True
