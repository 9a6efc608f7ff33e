"""What an install leaves behind: the bytes before, hashes, versions, and which files are ours. Relative paths only."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ..errors import SviError
from ..package_data import MARKER
from ..writing import files
from ..writing.files import FOLDER

SCHEMA = 1
PATH = f"{FOLDER}/receipt.json"
TIGHT = "receipt.tight"  # its name while a revert on a full disk is on its way
_HASH = re.compile(r"[0-9a-f]{64}")
_LATEST = 1 << 62  # nanoseconds since 1970 that every disk can hold, some 146 years
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Patched(NamedTuple):
    """One file of WanGP's own that carries hooks.

    Attributes:
        path: relative to the checkout, with forward slashes.
        before: sha256 of the pristine bytes.
        after: sha256 of the bytes with hooks.
        pristine: the pristine bytes, compressed and in base64.
        proof: how they were proven pristine: ``published``, ``git`` or ``hooks``.
        mtime_ns: the file's time of last change before the install, None when not known.
        lines: the hook lines without indentation, so that any other svi-install can take them out.
        found: hook lines of another svi-install that were in the file before; should the command that wrote this
            receipt be interrupted, they may still be there.
    """

    path: str
    before: str
    after: str
    pristine: str
    proof: str
    mtime_ns: int | None
    lines: tuple[str, ...]
    found: tuple[str, ...] = ()

    def pristine_bytes(self) -> bytes | None:
        """Return the pristine bytes, or None when the receipt was damaged."""
        # Imported late, because the status asks for hashes alone and must start fast.
        from ..writing.journal import unpack

        try:
            data = unpack(self.pristine)
        except ValueError:
            return None
        return data if files.digest(data) == self.before else None


class Receipt(NamedTuple):
    """What one install did.

    Attributes:
        version: of svi-install.
        patch_set: version of the patch set.
        wangp: WanGP's version then, for people.
        time: when, as ISO text in UTC.
        patched: WanGP's own files with hooks.
        added: sha256 by path of the files that are ours.
        folders: folders that were made, parents first.
        found: sha256 by path of files of ours that the install replaced or removed; should it be interrupted, they may
            still be there.
        damaged: some of it could not be read; what is here is what could.
    """

    version: str
    patch_set: str
    wangp: str
    time: str
    patched: tuple[Patched, ...]
    added: Mapping[str, str]
    folders: tuple[str, ...]
    found: Mapping[str, str] = _NOTHING
    damaged: bool = False

    def of(self, path: str) -> Patched | None:
        """Return what is known of one patched file."""
        return next((entry for entry in self.patched if entry.path == path), None)

    def to_bytes(self) -> bytes:
        """Return the receipt as it is stored."""
        raw = {
            "schema": SCHEMA,
            "version": self.version,
            "patch_set": self.patch_set,
            "wangp": self.wangp,
            "time": self.time,
            "patched": [entry._asdict() for entry in self.patched],
            "added": dict(self.added),
            "folders": list(self.folders),
            "found": dict(self.found),
        }
        return json.dumps({**raw, "sum": _sum(raw)}, indent=1).encode() + b"\n"

    def left_over(self, away: Mapping[str, str]) -> Receipt:
        """Return what to remember when SVI was taken out but for files whose drive is not there.

        Args:
            away: sha256 by path of those files.
        """
        folders = tuple(name for name in self.folders if any(path.startswith(f"{name}/") for path in away))
        return self._replace(patched=(), added=away, folders=folders, found=_NOTHING, damaged=False)

    def is_left_over(self) -> bool:
        """Tell whether SVI was taken out but for files on a drive that was not there."""
        return not self.patched and not self.damaged and bool(self.added)


def parse(data: bytes) -> Receipt | None:
    """Read a stored receipt.

    Args:
        data: its bytes.

    Returns:
        The receipt; of a damaged one every entry that is whole, marked as damaged, because each is checked against the
        files before it is acted on. None when nothing of it can be read or it is of a newer kind: hooks alone are
        enough to revert.
    """
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        return None
    reader = _Reader()
    patched = tuple(entry for item in reader.items(raw.get("patched")) if (entry := reader.patched(item)) is not None)
    added = reader.hashes(raw.get("added"))
    found = reader.hashes(raw.get("found", {}))
    folders = tuple(name for name in reader.items(raw.get("folders")) if reader.check(_is_path(name)))
    # Receipts of 0.1.0 have no sum.
    reader.check("sum" not in raw or raw["sum"] == _sum({name: value for name, value in raw.items() if name != "sum"}))
    version, patch_set, wangp, time = (reader.text(raw.get(name)) for name in ("version", "patch_set", "wangp", "time"))
    if reader.damaged and not (patched or added):
        return None
    return Receipt(version, patch_set, wangp, time, patched, added, folders, found, reader.damaged)


def _sum(raw: Mapping[str, Any]) -> str:
    try:
        return files.digest(json.dumps(raw, sort_keys=True).encode())
    except RecursionError:
        return ""


def _is_text(value: Any) -> bool:
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def _is_path(value: Any) -> bool:
    return _is_text(value) and bool(value) and "\0" not in value


class _Reader:
    """Takes the whole entries of a receipt and remembers whether there were others."""

    def __init__(self) -> None:
        self.damaged = False

    def check(self, good: bool) -> bool:
        self.damaged = self.damaged or not good
        return good

    def text(self, value: Any) -> str:
        return str(value) if self.check(_is_text(value)) else "unknown"

    def items(self, value: Any) -> list[Any]:
        return value if self.check(isinstance(value, list)) else []

    def hashes(self, value: Any) -> Mapping[str, str]:
        pairs = value.items() if self.check(isinstance(value, dict)) else ()
        return MappingProxyType(
            {path: hashed for path, hashed in pairs if self.check(_is_path(path) and _is_hash(hashed))}
        )

    def lines(self, value: Any) -> tuple[str, ...]:
        # A line without our mark may be one of WanGP's own.
        return tuple(line for line in self.items(value) if self.check(_is_text(line) and line.endswith(MARKER)))

    def patched(self, raw: Any) -> Patched | None:
        if not self.check(isinstance(raw, dict) and _is_path(raw.get("path"))):
            return None
        hashes = [raw.get(name) for name in ("before", "after")]
        before, after = (hashed if self.check(_is_hash(hashed)) else "" for hashed in hashes)
        mtime = raw.get("mtime_ns")
        whole = mtime is None or (type(mtime) is int and 0 <= mtime < _LATEST)
        return Patched(
            raw["path"],
            before,
            after,
            self.text(raw.get("pristine")),
            self.text(raw.get("proof")),
            mtime if self.check(whole) else None,
            self.lines(raw.get("lines")),
            self.lines(raw.get("found", [])),
        )


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def load(root: Path) -> Receipt | None:
    """Read the receipt of a checkout.

    Returns:
        The receipt, None when there is none that can be read.

    Raises:
        SviError: it is there and the disk refuses to give it.
    """
    data = read(root / PATH)
    return None if data is None else parse(data)


def read(path: Path) -> bytes | None:
    """Return the bytes of a stored receipt; whatever lies there and is no file counts as none.

    Returns:
        The bytes, None when there is no file.

    Raises:
        SviError: it is there and the disk refuses to give it.
    """
    try:
        return files.read(path)
    except SviError as error:
        if error.code != "not-a-file":
            raise
        return None
