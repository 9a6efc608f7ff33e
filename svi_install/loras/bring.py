"""Brings one LoRA to its place: from where it lies already, from another folder, or from the hub."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..errors import EXIT_DOWNLOAD, EXIT_INTERRUPTED, SviError
from . import hashing, ledger, local, verify
from .catalogue import LoraFile
from .download import Arrival, Download, Job, summary
from .failures import TransferError, disk_error
from .items import Fetched, Need, Problem, Proof
from .part import Part, waiting
from .part_state import HeldError
from .progress import Phase, Progress, Report
from .settings import Settings
from .transport import Transport

_LOOK_AGAIN = 0.5
_LONGEST_WAIT = 12 * 3600.0


@dataclass(frozen=True)
class _Known:
    """What is known of the right file before its bytes are."""

    sha256: str
    size: int | None
    proof: Proof


class Run:
    """One command with everything it needs.

    Args:
        root: WanGP's folder.
        settings: hub, token and limits.
        report: gets the progress.
        pause: waits a number of seconds.
    """

    def __init__(self, root: Path, settings: Settings, report: Report, pause: Callable[[float], None]) -> None:
        self._root = root
        self._settings = settings
        self._report = report
        self._pause = pause
        self._transport = Transport(settings)

    def bring(self, need: Need) -> Fetched:
        """Put one LoRA in its place.

        Args:
            need: what is wanted and where.

        Returns:
            What is there now.

        Raises:
            SviError: it cannot be had; what has arrived waits for the next run.
        """
        self._say(need, "resolve")
        if need.target.is_file():
            return self._have(need)
        made = [folder for folder in need.target.parents if not folder.exists()]
        try:
            need.target.parent.mkdir(parents=True, exist_ok=True)
            part = self._open(need)
        except OSError as error:
            raise disk_error(error, need.target, "write") from error
        try:
            # Another process may have brought it while this one waited.
            return self._instead(need, part) if need.target.is_file() else self._fill(need, part)
        except KeyboardInterrupt as stop:
            done = summary(part.received, part.state.size)
            raise SviError(
                "interrupted",
                f"Stopped at {done} of {need.file.filename}. What has arrived is kept. The installation is untouched.",
                f"To go on: {self._again(need)}",
                EXIT_INTERRUPTED,
            ) from stop
        finally:
            if part.received:
                part.close()
            else:
                part.discard()
            for folder in made:
                with contextlib.suppress(OSError):
                    # Only what is empty goes.
                    folder.rmdir()

    def check(self, need: Need) -> Fetched | Problem:
        """Hash a file that is there again.

        Args:
            need: the file.

        Returns:
            What it was proven by, or what is wrong with it.
        """
        path, name = need.target, need.lora.name
        try:
            return self._prove(need)
        except verify.UnsoundError as unsound:
            return Problem(name, path, str(unsound))
        except OSError as error:
            return Problem(name, path, f"it cannot be read ({error.strerror or error})")

    def _open(self, need: Need) -> Part:
        said = False
        try:
            for part in waiting(need.target, self._settings.limits.sync, _LOOK_AGAIN, _LONGEST_WAIT):
                if part is not None:
                    return part
                if not said:
                    self._say(need, "wait", "Another svi-install is downloading this file; waiting for it.")
                    said = True
        except HeldError:
            pass
        raise SviError(
            "download-held",
            f"Another svi-install has been at work on {need.file.filename} for hours. The installation is untouched.",
            "End that other svi-install, then run the same command again.",
            EXIT_DOWNLOAD,
        )

    def _again(self, need: Need) -> str:
        # Late, because only a failure needs it.
        from ..state import quoted

        return f"svi-install fetch {need.lora.name} {quoted(self._root)}"

    def _instead(self, need: Need, part: Part) -> Fetched:
        """Take what somebody else has put there meanwhile; what arrived is of use only when that is another file."""
        fetched = self._have(need)
        part.discard()
        return fetched

    def _have(self, need: Need) -> Fetched:
        entry = ledger.lookup(self._settings.ledger, need.target)
        urls = [place.url() for place in (need.file.place, *need.file.mirrors)]
        if entry and entry.url in urls and need.file.sha256 in ("", entry.sha256):
            return self._done(
                need, Fetched(need.lora.name, need.target, "have", entry.size, entry.sha256, _proof(entry))
            )
        try:
            return self._done(need, self._prove(need))
        except verify.UnsoundError as unsound:
            raise SviError(
                "lora-name-taken",
                f"{need.target} is not the file it should be: {unsound}. It was left untouched.",
                f"Move or rename that file, then run: {self._again(need)}",
                EXIT_DOWNLOAD,
            ) from unsound
        except OSError as error:
            raise disk_error(error, need.target, "read") from error

    def _prove(self, need: Need) -> Fetched:
        """Compare a file with what is known of it, and remember it; UnsoundError when it differs."""
        path = need.target
        size = path.stat().st_size
        known = self._known(need.file)
        if known is not None and known.size not in (None, size):
            raise verify.UnsoundError(f"it has {size} bytes instead of {known.size}")
        if known is None:
            self._check_tensors(need, path)
        sha256 = hashing.of_file(path, lambda done: self._say(need, "hash", done=done, total=size))
        before = ledger.first_seen(self._settings.ledger, path)
        if known is not None and sha256 != known.sha256:
            raise verify.UnsoundError("its sha256 is not the published one")
        if known is None and before is not None and before.url == need.file.url and before.sha256 != sha256:
            raise verify.UnsoundError("its sha256 is another one than when it was first seen")
        proof: Proof = "first-use" if known is None else known.proof
        ledger.record(self._settings.ledger, path, need.file.url, sha256, proof)
        return Fetched(need.lora.name, path, "have", size, sha256, proof)

    def _known(self, file: LoraFile) -> _Known | None:
        if file.sha256:
            return _Known(file.sha256, file.size, "pinned")
        if self._settings.offline:
            return None
        try:
            answer = self._transport.head(self._urls(file)[0])
        except TransferError:
            return None
        return _Known(answer.sha256, answer.size, "published") if answer.sha256 else None

    def _urls(self, file: LoraFile) -> tuple[str, ...]:
        own = file.place.url(file.commit, self._settings.endpoint)
        return (own, *(mirror.url("main", self._settings.endpoint) for mirror in file.mirrors))

    def _fill(self, need: Need, part: Part) -> Fetched:
        if not part.received:
            found = self._from_here(need)
            if found is not None:
                return found
        if self._settings.offline:
            raise SviError(
                "download-offline",
                f"{need.file.filename} is not on this computer and HF_HUB_OFFLINE forbids downloads.",
                "Unset HF_HUB_OFFLINE, then run the same command again.",
                EXIT_DOWNLOAD,
            )
        file = need.file
        job = Job(need.lora.name, need.target, self._urls(file), file.sha256, file.size)
        arrival = Download(
            job, part, self._transport, limits=self._settings.limits, report=self._report, pause=self._pause
        ).run()
        try:
            self._check_arrival(need, part, arrival)
            if need.target.exists():
                return self._instead(need, part)
            part.publish(need.target, self._pause)
        except OSError as error:
            raise disk_error(error, need.target, "rename") from error
        proof: Proof = "pinned" if file.sha256 else "published" if arrival.published else "first-use"
        ledger.record(self._settings.ledger, need.target, file.url, arrival.sha256, proof)
        fetched = Fetched(
            need.lora.name,
            need.target,
            "downloaded",
            arrival.size,
            arrival.sha256,
            proof,
            arrival.fetched,
            arrival.resumed,
        )
        return self._done(need, fetched)

    def _check_arrival(self, need: Need, part: Part, arrival: Arrival) -> None:
        if arrival.published:
            return
        try:
            self._check_tensors(need, part.path)
        except verify.UnsoundError as unsound:
            part.discard()
            raise SviError(
                "download-not-a-lora",
                f"What {arrival.url} sends is not {need.file.filename}: {unsound}. It was thrown away.",
                "Choose a mirror: svi-install fetch --mirror URL",
                EXIT_DOWNLOAD,
            ) from unsound

    def _check_tensors(self, need: Need, path: Path) -> None:
        if not need.file.filename.endswith(".safetensors"):
            return
        header = verify.read_header(path)
        if need.lora.layout is not None:
            verify.check_layout(header, need.lora.layout)

    def _from_here(self, need: Need) -> Fetched | None:
        found = local.candidates(self._root, need.file, need.target, self._settings.caches)
        known = self._known(need.file) if found else None
        for path in found:
            wanted = known.sha256 if known else local.blob_hash(path)
            size = path.stat().st_size
            if not wanted or (known and known.size not in (None, size)):
                continue
            try:
                how = local.take(path, need.target, wanted, partial(self._copying, need, size))
            except OSError as error:
                raise disk_error(error, need.target, "write") from error
            if how:
                proof: Proof = known.proof if known else "published"
                ledger.record(self._settings.ledger, need.target, need.file.url, wanted, proof)
                return self._done(need, Fetched(need.lora.name, need.target, how, size, wanted, proof))
        return None

    def _copying(self, need: Need, size: int, done: int) -> None:
        self._say(need, "copy", done=done, total=size)

    def _done(self, need: Need, fetched: Fetched) -> Fetched:
        self._say(need, "done", done=fetched.size, total=fetched.size)
        return fetched

    def _say(self, need: Need, phase: Phase, note: str = "", done: int = 0, total: int | None = None) -> None:
        self._report(Progress(need.lora.name, need.file.filename, phase, done, total or need.size, 0.0, note))


def _proof(entry: ledger.Entry) -> Proof:
    if entry.proof == "pinned":
        return "pinned"
    return "published" if entry.proof == "published" else "first-use"
