"""Puts LoRAs in their places: those already there, those in another folder, and those the hub has to send."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..errors import EXIT_DOWNLOAD, EXIT_INTERRUPTED, SviError
from ..writing.own_files import ChangedError, ForeignError, HeldError
from . import local_files
from .catalogue import LoraFile
from .hub import stated
from .inventory import Fetched, Need, Problem, Proof
from .proof import Unsound, examine, lora_file, of_file
from .transfer.download import Arrival, Download, Job, summary
from .transfer.failures import TransferError, disk_error, existing_parent, require_room, shown
from .transfer.part import Part, waiting
from .transfer.part_state import tidy
from .transfer.progress import Phase, Progress, Report
from .transfer.settings import Settings
from .transfer.transport import Transport

_LOOK_AGAIN = 0.5
_LONGEST_WAIT = 12 * 3600.0
# A LoRA or a model of whose size nothing is known; the largest have 2.3 and 28 GB.
_LARGEST_LORA = 8 * 1024**3
_CACHE = "the hub's cache on this computer"
_LARGEST_MODEL = 64 * 1024**3


@dataclass(frozen=True)
class _Known:
    """What is known of the right file before its bytes are."""

    sha256: str
    size: int | None
    proof: Proof
    host: str = ""


# What `failures` proposes; the file and the folder come into it.
_MIRROR = " ".join(("svi-install", "fetch", "--mirror", ""))


class Run:
    """One command with everything it needs."""

    def __init__(self, root: Path, settings: Settings, report: Report, pause: Callable[[float], None]) -> None:
        self._root = root
        self._settings = settings
        self._report = report
        self._pause = pause
        self._transport = Transport(settings)

    def put_in_place(self, need: Need) -> Fetched:
        """Put one LoRA in its place.

        Raises:
            SviError: it cannot be had; what has arrived waits for the next run.
        """
        self._say(need, "resolve")
        if os.path.lexists(need.target):
            return self._have(need)
        made = [folder for folder in need.target.parents if not folder.exists()]
        try:
            need.target.parent.mkdir(parents=True, exist_ok=True)
            part = self._open(need)
        except OSError as error:
            raise disk_error(error, need.target, "write") from error
        except ForeignError as foreign:
            raise SviError(
                "download-in-the-way",
                f"{foreign.path} is {foreign.what}, not a file of svi-install. It was left untouched.",
                f"Move or remove {foreign.path}, then run: {self._again(need)}",
                EXIT_DOWNLOAD,
            ) from foreign
        try:
            # Another process may have put it there while this one waited.
            return self._instead(need, part) if os.path.lexists(need.target) else self._fill(need, part)
        except KeyboardInterrupt as stop:
            done = summary(part.received, part.state.size)
            raise SviError(
                "interrupted",
                f"Stopped at {done} of {need.file.filename}. What has arrived is kept; the installation is untouched.",
                f"To continue: {self._again(need)}",
                EXIT_INTERRUPTED,
            ) from stop
        except SviError as error:
            error.hint = self._with_folder(error.hint, need)
            raise
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
        """Hash a file that is there once more."""
        path, name = need.target, need.lora.name
        try:
            return self._prove(need)
        except Unsound as unsound:
            return Problem(name, path, str(unsound))
        except OSError as error:
            return Problem(name, path, f"cannot be read ({error.strerror or error})")

    def _open(self, need: Need) -> Part:
        said = False
        try:
            for part in waiting(need.target, self._settings.limits.sync, _LOOK_AGAIN, _LONGEST_WAIT):
                if part is not None:
                    return part
                if not said:
                    self._say(need, "wait", "Another svi-install is already downloading this file; waiting for it.")
                    said = True
        except HeldError:
            pass
        raise SviError(
            "download-held",
            f"Another svi-install has been downloading {need.file.filename} for hours. The installation is untouched.",
            "Stop the other svi-install, then run the same command again.",
            EXIT_DOWNLOAD,
        )

    def _again(self, need: Need) -> str:
        if need.lora.variant == "gguf":
            # `fetch` knows no models; `render` downloads them.
            return "the same svi-install render command again"
        # Late, because only a failure needs it.
        from ..errors import quoted

        return f"svi-install fetch {need.lora.name} {quoted(self._root)}"

    def _with_folder(self, hint: str, need: Need) -> str:
        """Let a hint that proposes a mirror name the file and the folder, so that it works as it stands."""
        before, proposed, mirror = hint.partition(_MIRROR)
        if not proposed:
            return hint
        if need.lora.variant == "gguf":
            return f"{before}set HF_ENDPOINT to its address, then run the same command again."
        from ..errors import quoted

        return f"{before}svi-install fetch {need.lora.name} {quoted(self._root)} --mirror {mirror}"

    def _instead(self, need: Need, part: Part) -> Fetched:
        """Take what somebody else has put there meanwhile; what arrived is of use only when that is another file."""
        fetched = self._have(need)
        part.discard()
        return fetched

    def _have(self, need: Need) -> Fetched:
        tidy(need.target)
        urls = [place.url() for place in (need.file.place, *need.file.mirrors)]
        try:
            entry = local_files.lookup(self._settings.ledger, need.target)
            if entry and entry.url in urls and need.file.sha256 in ("", entry.sha256):
                examine(need.target, need.lora, need.file)
                fetched = Fetched(need.lora.name, need.target, "have", entry.size, entry.sha256, _proof(entry))
                return self._done(need, fetched._replace(host=entry.host))
            return self._done(need, self._prove(need))
        except Unsound as unsound:
            raise SviError(
                "lora-name-taken",
                f"{need.target} is not the file it should be: it {unsound}. It was left untouched.",
                f"Move or rename that file, then run: {self._again(need)}",
                EXIT_DOWNLOAD,
            ) from unsound
        except FileNotFoundError as gone:
            raise SviError(
                "lora-name-taken",
                f"{need.target} is a link to a file that does not exist. It was left untouched.",
                f"Remove that link, then run: {self._again(need)}",
                EXIT_DOWNLOAD,
            ) from gone
        except OSError as error:
            raise disk_error(error, need.target, "read") from error

    def _prove(self, need: Need) -> Fetched:
        """Compare a file with all that is known of it, and remember it; Unsound when it differs."""
        path = need.target
        examine(path, need.lora, need.file)
        before = path.stat()
        size = before.st_size
        known = self._known(need.file)
        if known is not None and known.size not in (None, size):
            raise Unsound(f"has {size:,} bytes instead of {known.size:,}")
        sha256 = of_file(path, lambda done: self._say(need, "hash", done=done, total=size))
        after = path.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise Unsound("was changed while it was being read")
        first = local_files.first_seen(self._settings.ledger, path)
        if known is not None and sha256 != known.sha256:
            raise Unsound("has a different sha256 than the published one")
        if known is None and first is not None and first.url == need.file.url and first.sha256 != sha256:
            raise Unsound("has a different sha256 than when it was first seen")
        known = known or _Known(sha256, size, "layout")
        return self._record(need, Fetched(need.lora.name, path, "have", size, sha256, known.proof, host=known.host))

    def _record(self, need: Need, fetched: Fetched) -> Fetched:
        book, url = self._settings.ledger, need.file.url
        local_files.record(book, fetched.path, url, fetched.sha256, fetched.proof, host=fetched.host)
        return fetched

    def _known(self, file: LoraFile) -> _Known | None:
        if file.sha256:
            return _Known(file.sha256, file.size, "pinned")
        if self._settings.offline:
            return None
        try:
            said = stated(file.place, self._settings, file.commit)
        except TransferError:
            return None
        return _Known(said.sha256, said.size, "published", said.host) if said.sha256 else None

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
                f"{need.file.filename} is not on this computer, and HF_HUB_OFFLINE does not allow downloads.",
                "Unset HF_HUB_OFFLINE, then run the same command again.",
                EXIT_DOWNLOAD,
            )
        try:
            arrival = self._arrived(need, part)
            part.publish(need.target, self._pause)
        except FileExistsError:
            return self._have(need)
        except ChangedError as changed:
            part.discard()
            raise SviError(
                "download-changed",
                f"Another program has changed {part.path}: it {changed}. It was not put in place.",
                f"Close that program, then run: {self._again(need)}",
                EXIT_DOWNLOAD,
            ) from changed
        except OSError as error:
            raise disk_error(error, need.target, "rename") from error
        proof: Proof = "pinned" if need.file.sha256 else "published" if arrival.published else "layout"
        fetched = Fetched(
            need.lora.name,
            need.target,
            "downloaded",
            arrival.size,
            arrival.sha256,
            proof,
            arrival.fetched,
            arrival.resumed,
            arrival.host if proof == "published" else "",
        )
        return self._done(need, self._record(need, fetched))

    def _job(self, need: Need) -> Job:
        file = need.file
        least, most = 0, _LARGEST_MODEL if need.lora.variant == "gguf" else _LARGEST_LORA
        if file.size is not None:
            least = most = file.size
        elif file.tensor_bytes is not None:
            least, most = file.tensor_bytes, file.tensor_bytes + 8 + lora_file.LARGEST_LIST
        return Job(need.lora.name, need.target, self._urls(file), file.sha256, file.size, least, most)

    def _arrived(self, need: Need, part: Part) -> Arrival:
        """Download the file and compare its head with what the LoRA must have, whoever vouches for its bytes."""
        download = Download(
            self._job(need), part, self._transport, limits=self._settings.limits, report=self._report, pause=self._pause
        )
        arrival = download.run()
        try:
            try:
                self._examine(need, part)
            except Unsound as unsound:
                if arrival.published or not arrival.resumed:
                    raise
                # It may be what an earlier run has left that is wrong.
                part.forget()
                why = f"What arrived earlier is of no use, it {unsound}; starting the download again."
                self._say(need, "retry", why)
                arrival = download.run()
                self._examine(need, part)
        except Unsound as unsound:
            part.discard()
            raise SviError(
                "download-not-a-lora",
                f"What {shown(arrival.url)} sends is not {need.file.filename}: it {unsound}. It was discarded.",
                "Try a mirror: svi-install fetch --mirror URL",
                EXIT_DOWNLOAD,
            ) from unsound
        return arrival

    def _examine(self, need: Need, part: Part) -> None:
        part.intact()
        examine(part.path, need.lora, need.file)

    def _from_here(self, need: Need) -> Fetched | None:
        found = local_files.candidates(self._root, need.file, need.target, self._settings.cache)
        known = self._known(need.file) if found else None
        for path in found:
            blob = local_files.blob_hash(path)
            vouched = known or (_Known(blob, None, "published", _CACHE) if blob else None)
            try:
                size = examine(path, need.lora, need.file).size
                if vouched is None or vouched.size not in (None, size):
                    continue
                how = local_files.take(path, need.target, vouched.sha256, partial(self._copying, need, size))
            except Unsound:
                continue
            except FileExistsError:
                return self._have(need)
            except OSError as error:
                raise disk_error(error, need.target, "write") from error
            if how:
                fetched = Fetched(need.lora.name, need.target, how, size, vouched.sha256, vouched.proof)
                return self._done(need, self._record(need, fetched._replace(host=vouched.host)))
        return None

    def _copying(self, need: Need, size: int, done: int) -> None:
        self._say(need, "copy", done=done, total=size)

    def _done(self, need: Need, fetched: Fetched) -> Fetched:
        self._say(need, "done", done=fetched.size, total=fetched.size)
        return fetched

    def _say(self, need: Need, phase: Phase, note: str = "", done: int = 0, total: int | None = None) -> None:
        self._report(Progress(need.lora.name, need.file.filename, phase, done, total or need.size, 0.0, note))


def _proof(entry: local_files.Entry) -> Proof:
    if entry.proof == "pinned":
        return "pinned"
    return "published" if entry.proof == "published" else "layout"


def require_room_for(wanted: Sequence[Need]) -> None:
    """Refuse before the first byte when all that is missing does not fit together."""
    missing = [need for need in wanted if not need.present and not need.fault]
    disks: dict[int, list[Need]] = {}
    for need in missing:
        with contextlib.suppress(OSError):
            disks.setdefault(existing_parent(need.target.parent).stat().st_dev, []).append(need)
    for group in disks.values():
        left = sum(max(0, (need.size or 0) - need.kept) for need in group)
        require_room(group[0].target.parent, left, ", ".join(need.file.filename for need in group))
