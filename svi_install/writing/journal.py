"""The journal of a transaction: what the files were and will be, complete on the disk before the first change."""

from __future__ import annotations

import binascii
import functools
import json
import re
import zlib
from typing import NamedTuple

from .files import digest

_SCHEMA = 1
# Names that an install gives to files beside the real ones, and nobody else does.
STAGED = re.compile(r"\.svi-[0-9a-f]{8}\.[0-9]+[no]")
_HASH = re.compile(r"[0-9a-f]{64}")
_LARGEST = 1 << 26  # bytes; no file that is patched comes near it


class Entry(NamedTuple):
    """One file of a transaction.

    Attributes:
        path: as planned.
        before: sha256 of the bytes before, None when there was no file.
        after: sha256 of the bytes after, None when the file goes.
        pristine: the bytes before, compressed and in base64, empty when there was no file.
        new: name of the staged new file beside the real one, empty when the file goes.
        old: name of the kept old file beside the real one, empty when there was none.
    """

    path: str
    before: str | None
    after: str | None
    pristine: str
    new: str
    old: str

    def bytes_before(self) -> bytes:
        """Return the bytes that the file had.

        Raises:
            ValueError: the journal holds other bytes than it says.
        """
        data = unpack(self.pristine)
        if digest(data) != self.before:
            raise ValueError(self.path)
        return data


class Journal(NamedTuple):
    """A transaction on its way.

    Attributes:
        command: what was run.
        time: seconds since 1970.
        entries: files in write order.
        folders: folders that the transaction makes, parents first.
        sweep: folders that go after the commit, deepest first.
    """

    command: str
    time: float
    entries: tuple[Entry, ...]
    folders: tuple[str, ...]
    sweep: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """Return the journal as it is stored: a checksum line, then JSON."""
        # The folders come first: they can be told from a journal that was cut off.
        head = {"schema": _SCHEMA, "folders": self.folders}
        raw = {**head, **self._asdict(), "entries": [entry._asdict() for entry in self.entries]}
        body = json.dumps(raw, ensure_ascii=True).encode()
        return digest(body).encode() + b"\n" + body

    @staticmethod
    def from_bytes(data: bytes) -> Journal | None:
        """Return the stored journal.

        Args:
            data: the bytes of the file.

        Returns:
            The journal, or None when a damaged disk or a hand changed it: such a journal is not acted on.
        """
        checksum, _, body = data.partition(b"\n")
        try:
            if checksum.decode() != digest(body):
                return None
            raw = json.loads(body)
            return Journal(
                str(raw["command"]),
                float(raw["time"]),
                tuple(map(_entry, raw["entries"])),
                tuple(map(str, raw["folders"])),
                tuple(map(str, raw["sweep"])),
            )
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return None


def _entry(raw: dict[str, str | None]) -> Entry:
    entry = Entry(str(raw["path"]), raw["before"], raw["after"], str(raw["pristine"]), str(raw["new"]), str(raw["old"]))
    if not all(not name or STAGED.fullmatch(name) for name in (entry.new, entry.old)):
        raise ValueError(entry.path)
    if not all(hashed is None or _HASH.fullmatch(hashed) for hashed in (entry.before, entry.after)):
        raise ValueError(entry.path)
    return entry


@functools.lru_cache(maxsize=4)
def pack(data: bytes) -> str:
    """Return bytes as compressed base64 text; receipt and journal hold the same ones."""
    # Level 6 saves a fifth and takes more than three times as long.
    return binascii.b2a_base64(zlib.compress(data, 1), newline=False).decode()


def unpack(text: str) -> bytes:
    """Return the bytes that `pack` was given.

    Raises:
        ValueError: the text is damaged.
    """
    import base64  # late: only what takes back comes here

    try:
        machine = zlib.decompressobj()
        data = machine.decompress(base64.b64decode(text, validate=True), _LARGEST)
    except (zlib.error, binascii.Error) as error:
        raise ValueError(str(error)) from error
    if not machine.eof:
        raise ValueError("cut off, or larger than any file of WanGP")
    return data
