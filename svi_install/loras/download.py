"""A download that survives cuts, crashes and restarts, proves what it gets and uses several connections."""

from __future__ import annotations

import contextlib
import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import space
from .connection import Channel, Growth, Worker, abandon, share
from .failures import TransferError, disk_error, download_error
from .hashing import Follower
from .part import Part
from .progress import Phase, Progress, Rate, Report, human_size
from .settings import Limits
from .transport import Answer, Transport

_TICK = 0.25
_LONGEST_BACKOFF = 60.0
# Before the first byte a typing error or a missing network is likelier than a passing fault.
_FIRST_ATTEMPTS = 3
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Job:
    """One file to bring.

    Args:
        name: LoRA as a person calls it.
        target: final path.
        urls: addresses of the same file, the preferred one first.
        sha256: hash it must have, empty when nobody has pinned it.
        size: bytes it must have, None when nobody has pinned it.
    """

    name: str
    target: Path
    urls: tuple[str, ...]
    sha256: str = ""
    size: int | None = None


@dataclass(frozen=True)
class Arrival:
    """A file whose bytes are all there, still under its temporary name.

    Args:
        sha256: hash of the bytes on disk; it is the pinned or published one where there is one.
        size: bytes of it.
        published: True when the hash was known before and not merely computed.
        identity: hash or etag that names the file on its server.
        url: address it came from.
        fetched: bytes that came over the network in this run.
        resumed: bytes that earlier runs had left.
    """

    sha256: str
    size: int
    published: bool
    identity: str
    url: str
    fetched: int
    resumed: int


class _RestartError(Exception):
    """What is in the part file is of no use for this answer."""


class Download:
    """Brings one file into its part file.

    Args:
        job: what to bring.
        part: the open part file.
        transport: makes the requests.
        limits: numbers to keep to.
        report: gets the progress.
        pause: waits a number of seconds.
    """

    def __init__(
        self,
        job: Job,
        part: Part,
        transport: Transport,
        *,
        limits: Limits,
        report: Report,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._job = job
        self._part = part
        self._transport = transport
        self._limits = limits
        self._report = report
        self._pause = pause
        self._rate = Rate()
        self._wake = threading.Event()
        self._admission = threading.Lock()
        self._fetched = 0

    def run(self) -> Arrival:
        """Bring all bytes and hash them.

        Returns:
            What arrived.

        Raises:
            SviError: the file cannot be had; what arrived stays for the next run.
        """
        resumed = self._part.received
        failures: list[TransferError] = []
        for url in self._job.urls:
            try:
                sha256 = self._from(url)
            except TransferError as failure:
                failures.append(failure)
                if url != self._job.urls[-1]:
                    self._say("retry", note=f"{failure.message} Trying the next address.")
                continue
            except OSError as error:
                raise disk_error(error, self._part.path, "write") from error
            state = self._part.state
            size = self._part.received
            known = bool(_HASH.fullmatch(state.identity))
            return Arrival(sha256, size, known, state.identity, url, self._fetched, min(resumed, size))
        # The first address is the one a person knows, so its failure is the one to report.
        raise download_error(failures[0], self._job.target.name, self._part.received)

    def _from(self, url: str) -> str:
        damaged = False
        for _ in range(self._limits.attempts):
            follower = Follower(self._part.path, lambda: self._part.frontier)
            try:
                self._bring(url, follower)
                # The disk works while the hash catches up.
                self._part.sync_soon()
                sha256 = follower.finish(self._part.received, lambda done: self._say("hash", done=done))
            except _RestartError as restart:
                self._part.begin("", "", "", None)
                self._say("retry", note=str(restart))
                continue
            finally:
                follower.stop()
                with contextlib.suppress(OSError):
                    self._part.save()
            wanted = self._job.sha256 or self._part.state.identity
            if not _HASH.fullmatch(wanted) or sha256 == wanted:
                return sha256
            self._part.begin("", "", "", None)
            if damaged:
                break
            damaged = True
            self._say("retry", note="What arrived is damaged; the download starts again.")
        if damaged:
            raise TransferError("wrong-bytes", "What arrived is damaged: its sha256 is not the published one.", url)
        raise TransferError("restarts", "The server cannot go on with a broken download, and every one broke.", url)

    def _bring(self, url: str, follower: Follower) -> None:
        workers: list[Worker] = []
        growth = Growth(self._limits)
        channel = Channel(
            url, self._part, follower, self._transport, self._limits, lambda *seen: self._admit(url, *seen), self._wake
        )
        failures, high = 0, self._part.received
        try:
            while not self._complete():
                wanted = growth.advise(time.monotonic(), self._part.received, self._left())
                self._adjust(channel, workers, wanted)
                self._wake.wait(_TICK)
                self._wake.clear()
                failure = self._failure_of(workers)
                self._say("download")
                if failure is None:
                    continue
                if workers:
                    # A second connection was refused; the first one goes on alone.
                    growth.settle(len(workers))
                    continue
                failures = 1 if self._part.received > high else failures + 1
                high = max(high, self._part.received)
                self._part.save()
                self._wait(failure, failures)
        finally:
            abandon(workers)
            for worker in workers:
                self._fetched += worker.fetched

    def _complete(self) -> bool:
        return self._part.state.size is not None and not self._part.gaps()

    def _left(self) -> int:
        size = self._part.state.size
        return 0 if size is None else size - self._part.received

    def _adjust(self, channel: Channel, workers: list[Worker], wanted: int) -> None:
        while len(workers) > max(1, wanted):
            worker = workers.pop()
            worker.abandoned = True
            self._fetched += worker.fetched
        while len(workers) < wanted:
            stretch = share(self._part, workers)
            if stretch is None:
                return
            workers.append(Worker(channel, *stretch))

    def _failure_of(self, workers: list[Worker]) -> TransferError | None:
        """Take the connections out that have ended and return what one of them died of."""
        failure: TransferError | None = None
        limit = self._limits.connect + self._limits.stall_seconds
        for worker in list(workers):
            if worker.is_alive() and (worker.opened or time.monotonic() - worker.started < limit):
                continue
            worker.abandoned = True
            workers.remove(worker)
            self._fetched += worker.fetched
            error = worker.error
            if isinstance(error, TransferError):
                failure = error
            elif error is not None:
                raise error
            elif not worker.opened:
                failure = TransferError("timeout", "The server begins an answer but never ends it.", "")
        return failure

    def _admit(self, url: str, answer: Answer, start: int) -> int:
        """Decide whether the bytes of an answer belong to what is in the part file."""
        job = self._job
        with self._admission:
            if job.sha256 and answer.sha256 and answer.sha256 != job.sha256:
                raise TransferError("other-file", "The server offers another file than the pinned one.", url)
            if job.size is not None and answer.size not in (None, job.size):
                raise TransferError("other-file", f"The server offers {answer.size} bytes instead of {job.size}.", url)
            identity = job.sha256 or answer.sha256 or answer.etag
            state = self._part.state
            if not self._part.received:
                if answer.start:
                    raise TransferError("range", "The server answers with another part of the file.", url)
                if answer.size is not None:
                    space.require(job.target.parent, answer.size, job.target.name)
                self._part.begin(url, identity, answer.validator, answer.size)
                return self._part.epoch
            if not identity or identity != state.identity or answer.size not in (None, state.size):
                raise _RestartError("The file on the server has changed; the download starts again.")
            if answer.start != start:
                raise _RestartError("The server cannot send the rest of a file; the download starts again.")
            if (url, answer.validator) != (state.url, state.validator):
                self._part.adopt(url, answer.validator)
            return self._part.epoch

    def _wait(self, failure: TransferError, failures: int) -> None:
        limit = self._limits.attempts if self._fetched else min(_FIRST_ATTEMPTS, self._limits.attempts)
        if failure.kind in ("busy", "server"):
            limit = self._limits.attempts
        if not failure.passing or failures >= limit:
            raise failure
        delay = min(_LONGEST_BACKOFF, self._limits.backoff * 2 ** (failures - 1)) * random.uniform(0.75, 1.25)
        if failure.wait is not None:
            if failure.wait > self._limits.longest_wait:
                raise failure
            delay = max(delay, failure.wait)
        self._say("retry", note=f"{failure.message} Trying again in {delay:.0f} s.")
        self._pause(delay)
        # The rate is that of the connection, not of the wait.
        self._rate = Rate()

    def _say(self, phase: Phase, note: str = "", done: int | None = None) -> None:
        received = self._part.received
        rate = self._rate.add(time.monotonic(), received)
        shown = received if done is None else done
        total = self._part.state.size
        self._report(Progress(self._job.name, self._job.target.name, phase, shown, total, rate, note))


def summary(done: int, total: int | None) -> str:
    """Say in words how far a download is.

    Args:
        done: bytes that are there.
        total: bytes of the whole file, None while it is not known.

    Returns:
        Such as ``1.1 GB of 2.3 GB (48 %)``.
    """
    if not total:
        return human_size(done)
    return f"{human_size(done)} of {human_size(total)} ({done * 100 // total} %)"
