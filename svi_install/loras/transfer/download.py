"""A download that survives cuts, crashes and restarts, proves what it gets and uses several connections."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...writing.own_files import ChangedError
from ..proof import Follower, TamperedError
from .connections import Channel, Growth, Worker, abandon, share
from .failures import TransferError, disk_error, download_error, require_room
from .part import Part
from .progress import Phase, Progress, Rate, Report, human_size
from .settings import Limits
from .transport import Answer, Transport

_TICK = 0.25
_LONGEST_BACKOFF = 60.0
_CATCH_UP = 2.0
# Before the first byte a typing error or a missing network is likelier than a passing fault.
_FIRST_ATTEMPTS = 3
_DAMAGED = "What arrived is damaged: its sha256 differs from the published one"


@dataclass(frozen=True)
class Job:
    """One file to download.

    Args:
        name: what people call the LoRA.
        urls: addresses of the same file, the preferred one first.
        sha256: pinned hash, or empty.
        size: pinned size in bytes, or None.
        least: smallest size it can have, in bytes.
        most: largest size.
    """

    name: str
    target: Path
    urls: tuple[str, ...]
    sha256: str = ""
    size: int | None = None
    least: int = 0
    most: int = 64 * 1024**3


@dataclass(frozen=True)
class Arrival:
    """A file whose bytes are all there, still under its temporary name.

    Args:
        sha256: hash of the bytes on disk; it is the pinned or published one where there is one.
        size: bytes of it.
        published: True when the hash was known before and not merely computed.
        host: who publishes the hash, empty without one.
        url: address it came from.
        fetched: bytes that came over the network in this run.
        resumed: bytes that earlier runs had left.
    """

    sha256: str
    size: int
    published: bool
    host: str
    url: str
    fetched: int
    resumed: int


class _RestartError(Exception):
    """What is in the part file is of no use for this answer."""


class Download:
    """Downloads one file into its part file."""

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
        """Download all bytes and hash them.

        Raises:
            SviError: the file cannot be had; what arrived stays for the next run.
        """
        resumed = self._part.received
        if self._part.doubt:
            self._say("retry", note=self._part.doubt)
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
            return Arrival(sha256, size, state.hashed, state.host, url, self._fetched, min(resumed, size))
        # The first address is the one a person knows, so its failure is the one to report.
        raise download_error(failures[0], self._job.target.name, self._part.received)

    def _from(self, url: str) -> str:
        again = ""
        for _ in range(self._limits.attempts):
            follower = self._follower()
            self._part.proof = follower.proof
            try:
                why, sha256 = self._whole(url, follower)
            except _RestartError as restart:
                self._part.forget()
                self._say("retry", note=str(restart))
                continue
            finally:
                if not self._part.state.hashed:
                    # What nobody can vouch for later is lost.
                    follower.catch_up(_CATCH_UP)
                follower.stop()
                with contextlib.suppress(OSError):
                    self._part.save()
            if not why:
                return sha256
            if not self._part.named():
                name = self._part.path.name
                raise TransferError("changed", f"Another program has replaced {name} with a file of its own.", url)
            self._part.forget()
            if again:
                kind = "wrong-bytes" if why == _DAMAGED else "changed"
                raise TransferError(kind, f"{why}.", url)
            again = why
            self._say("retry", note=f"{why}; starting the download again.")
        raise TransferError("restarts", "The server cannot continue a broken download, and every attempt broke.", url)

    def _follower(self) -> Follower:
        part = self._part
        part.watch()
        return Follower(part.path.name, part.read, lambda: part.frontier, part.expect, self._from_memory)

    def _from_memory(self) -> bool:
        """Tell whether what arrives is hashed before it is in the file, which then has to be read again.

        Where somebody states a hash and no other program has the file open, hashing what is in it once is enough.
        """
        return not (self._wanted() and self._part.untouched)

    def _wanted(self) -> str:
        """Return the hash that the file must have, empty when nobody states one."""
        state = self._part.state
        return self._job.sha256 or (state.identity if state.hashed else "")

    def _whole(self, url: str, follower: Follower) -> tuple[str, str]:
        """Download the rest and hash what is on the disk; return why it is of no use, if so, and its sha256."""
        name = self._part.path.name
        try:
            self._receive(url, follower)
            untouched = self._part.seal()
            wanted = self._wanted()
            if wanted and not untouched:
                # What was not hashed while it arrived is hashed when the file is read again.
                follower.stop()
            else:
                found = follower.finish(self._part.received, lambda done: self._say("hash", done=done))
            if wanted and untouched:
                self._say("hash", done=self._part.received)
                self._part.intact()
            else:
                found = self._part.sha256(follower.marks(), lambda done: self._say("hash", done=done))
        except ChangedError:
            return f"Another program has written to {name}", ""
        except TamperedError as tampered:
            return str(tampered), ""
        return _DAMAGED if wanted not in ("", found) else "", found

    def _receive(self, url: str, follower: Follower) -> None:
        workers: list[Worker] = []
        growth = Growth(self._limits)
        channel = Channel(
            url,
            self._part,
            follower,
            self._transport,
            self._limits,
            lambda answer, start: self._admit(url, answer, start),
            self._wake,
            self._job.most,
        )
        failures, high, since = 0, self._part.received, time.monotonic()
        try:
            while not self._complete():
                wanted = growth.advise(time.monotonic(), self._part.received, self._left())
                self._adjust(channel, workers, wanted)
                self._wake.wait(_TICK)
                self._wake.clear()
                follower.check()
                failure = self._failure_of(workers)
                self._say("download")
                if failure is None:
                    continue
                if workers:
                    # A second connection was refused; the first one goes on alone.
                    growth.settle(len(workers))
                    continue
                # A server that lets a byte through before each failure would be asked forever.
                worth = self._limits.stall_rate * (time.monotonic() - since)
                gained = self._part.received - high
                failures = 1 if gained > worth and failure.kind != "slow" else failures + 1
                high = max(high, self._part.received)
                self._part.save()
                self._wait(failure, failures)
                since = time.monotonic()
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
            worker.abandon()
            self._fetched += worker.fetched
        while len(workers) < wanted:
            stretch = share(self._part, workers)
            if stretch is None:
                return
            workers.append(Worker(channel, *stretch))

    def _failure_of(self, workers: list[Worker]) -> TransferError | None:
        """Take the connections out that have ended and return what one of them died of."""
        failure: TransferError | None = None
        for worker in list(workers):
            stuck = self._stuck(worker)
            if worker.is_alive() and not stuck:
                continue
            worker.abandon()
            workers.remove(worker)
            self._fetched += worker.fetched
            error = worker.error
            if stuck:
                # What the connection says after it was cut is no reason.
                failure = TransferError("timeout", stuck)
            elif isinstance(error, TransferError):
                failure = error
            elif error is not None:
                raise error
        return failure

    def _stuck(self, worker: Worker) -> str:
        """Say why a connection will never get anywhere, empty while it may."""
        limit, now = self._limits.connect + self._limits.stall_seconds, time.monotonic()
        if not worker.opened:
            # The transport itself gives up after that time; only what it cannot cut short is left to this.
            return "The server starts to answer but never finishes." if now - worker.started > 2 * limit else ""
        reading = worker.reading
        return (
            "The server stopped in the middle of its answer." if reading is not None and now - reading > limit else ""
        )

    def _admit(self, url: str, answer: Answer, start: int) -> int:
        """Decide whether the bytes of an answer belong to what is in the part file."""
        job = self._job
        with self._admission:
            if job.sha256 and answer.sha256 and answer.sha256 != job.sha256:
                raise TransferError("other-file", "The server has a different file than the pinned one.", url)
            if job.size is not None and answer.size not in (None, job.size):
                raise TransferError(
                    "other-file", f"The server's file has {answer.size} bytes instead of {job.size}.", url
                )
            if answer.size is not None and not job.least <= answer.size <= job.most:
                why = f"The server's file has {answer.size:,} bytes, which cannot be {job.target.name}."
                raise TransferError("other-file", why, url)
            identity = job.sha256 or answer.sha256 or (f"etag:{answer.etag}" if answer.etag else "")
            state = self._part.state
            if not self._part.received:
                if answer.start:
                    raise TransferError(
                        "range", "The server sends a different part of the file than it was asked for.", url
                    )
                if answer.size is not None:
                    require_room(job.target.parent, answer.size, job.target.name)
                self._part.begin(url, identity, answer.validator, answer.size, answer.host)
                return self._part.epoch
            if not identity:
                raise _RestartError(
                    "The server does not say which version of the file it sends; starting the download again."
                )
            if url != state.url and not state.hashed:
                raise _RestartError("Another address may have a different file; starting the download again.")
            if identity != state.identity or answer.size not in (None, state.size):
                raise _RestartError("The file on the server has changed; starting the download again.")
            if answer.start != start:
                raise _RestartError("The server cannot continue where we stopped; starting the download again.")
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
    """Say in words how far a download is."""
    if not total:
        return human_size(done)
    return f"{human_size(done)} of {human_size(total)} ({done * 100 // total} %)"
