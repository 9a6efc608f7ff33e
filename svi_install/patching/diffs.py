"""The unified diffs of the patch set: `unidiff` reads them, held to what our own look like; `render` writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import SviError
from ..writing.files import digest

if TYPE_CHECKING:
    from unidiff.patch import PatchedFile

_REASON = r"([a-z_]+): (\S.*)"
_INSERTION = r" *(\++) +"
_GIT_SECTION = r"[A-Za-z_$]"


class DiffHunk(NamedTuple):
    """One insertion of a diff: line numbers are those of the release that the diff was made from."""

    old_start: int
    section: str
    before: tuple[str, ...]
    added: tuple[str, ...]
    after: tuple[str, ...]


class Diff(NamedTuple):
    """One parsed file of the patch set."""

    path: str
    reasons: tuple[tuple[str, str], ...]
    hunks: tuple[DiffHunk, ...]


def bad(name: str, why: str) -> SviError:
    """Return the error for a patch set that is damaged or was tampered with."""
    return SviError(
        "bad-patch-set",
        f"The patch set of svi-install is damaged: {name}: {why}. Nothing was changed.",
        "Install svi-install again, or undo your own edits in its patches folder.",
    )


def parse(name: str, text: str) -> Diff:
    """Read a diff that only inserts lines, and refuse everything else.

    ``unidiff`` reads it and passes over what it does not know. So what it read must be, written out again, the whole
    text; its line numbers are checked here, because it believes them.

    Args:
        name: the file's name, for the error.
        text: the diff under its header, with LF line ends.

    Raises:
        SviError: it is not exactly the kind of diff that `render` writes.
    """
    # Imported late: what comes with svi-install has been read before.
    from unidiff.errors import UnidiffParseError
    from unidiff.patch import PatchSet

    if not text.endswith("\n") or "\r" in text:
        raise bad(name, "it must have LF line ends and end with one")
    header, found, _ = text.partition("diff --git ")
    body = text[len(header) :]
    try:
        read = PatchSet(body)
    except UnidiffParseError as error:
        raise bad(name, str(error).strip()) from error
    if not found or len(read) != 1 or not read[0]:
        raise bad(name, "it must hold one diff of one file")
    path = read[0].path
    if not body.startswith(f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n"):
        raise bad(name, "the names of the file disagree")
    if str(read) != body:
        raise bad(name, "there is more in it than a diff, or a line of it is malformed")
    return Diff(path, _reasons(header.split("\n")), _hunks(name, read[0]))


def read(name: str, data: bytes, listed: Mapping[str, Any]) -> Diff:
    """Read a diff like `parse`; where a list of what `parse` has read names these very bytes, without reading again.

    Args:
        listed: by name of the diff what `entry` made of it; whatever is wrong with it, it is left aside.
    """
    try:
        path, reasons, hunks = listed[name]["read"]
        if listed[name]["sum"] == _sum(data, listed[name]["read"]):
            made = (DiffHunk(start, section, *map(tuple, lines)) for start, section, *lines in hunks)
            return Diff(path, tuple((hook, why) for hook, why in reasons), tuple(made))
    except (LookupError, TypeError, ValueError):
        pass
    return parse(name, data.decode("utf-8"))


def entry(name: str, data: bytes) -> dict[str, Any]:
    """Return what a list says of a diff, so that it need not be read every time."""
    found = parse(name, data.decode("utf-8"))
    return {"sum": _sum(data, found), "read": found}


def _sum(data: bytes, found: Any) -> str:
    return digest(data + json.dumps(found).encode())


def _reasons(header: Sequence[str]) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for line in header:
        if match := re.fullmatch(_REASON, line):
            found.append((match[1], match[2]))
        elif found and line.startswith("    "):
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}")
    return tuple(found)


def _hunks(name: str, read: PatchedFile) -> tuple[DiffHunk, ...]:
    hunks: list[DiffHunk] = []
    shift = end = 0
    for hunk in read:
        kinds = "".join(line.line_type or "?" for line in hunk)
        match = re.fullmatch(_INSERTION, kinds)
        if match is None:
            raise bad(name, "a hunk must be one insertion with unchanged lines around it and at least one after it")
        if hunk.source_start <= end or hunk.target_start != hunk.source_start + shift:
            raise bad(name, f"wrong line numbers: {str(hunk).partition(chr(10))[0]!r}")
        text = tuple(line.value.removesuffix("\n") for line in hunk)
        first, last = match.span(1)
        hunks.append(DiffHunk(hunk.source_start, hunk.section_header, text[:first], text[first:last], text[last:]))
        shift += last - first
        end = hunk.source_start + hunk.source_length - 1
    return tuple(hunks)


def render(path: str, header: str, lines: Sequence[str], hunks: Sequence[tuple[int, tuple[str, ...], int, int]]) -> str:
    """Write a diff that ``git apply`` takes.

    Args:
        path: the file, relative to the checkout.
        header: plain text that explains each hook; stands above the diff.
        lines: the unpatched file without line ends.
        hunks: per hunk the index of the line before which it inserts, the inserted lines, and how many lines of context
            stand before and after them; in file order.
    """
    out = [*header.rstrip("\n").split("\n"), "", f"diff --git a/{path} b/{path}", f"--- a/{path}", f"+++ b/{path}"]
    shift = 0
    for at, added, lead, trail in hunks:
        first = at - lead
        section = next((line[:80].rstrip() for line in reversed(lines[:first]) if re.match(_GIT_SECTION, line)), "")
        old = lead + trail
        out.append(f"@@ -{first + 1},{old} +{first + 1 + shift},{old + len(added)} @@ {section}".rstrip())
        out += [f" {line}" for line in lines[first:at]]
        out += [f"+{line}" for line in added]
        out += [f" {line}" for line in lines[at : at + trail]]
        shift += len(added)
    return "\n".join(out) + "\n"
