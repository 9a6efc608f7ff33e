"""The unified diffs of the patch set: a strict reader for our own, and the writer that makes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import SviError

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@(?: (.*))?")
_REASON = re.compile(r"([a-z_]+): (\S.*)")
_GIT_SECTION = re.compile(r"[A-Za-z_$]")


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
    """Return the error for a patch set that is damaged or was tampered with.

    Args:
        name: the file of the patch set.
        why: what is wrong with it.

    Returns:
        The error, to be raised by the caller.
    """
    return SviError(
        "bad-patch-set",
        f"The patch set of svi-install is damaged: {name}: {why}. Nothing was changed.",
        "Install svi-install again, or undo your own edits in its patches folder.",
    )


def parse(name: str, text: str) -> Diff:
    """Read a diff that only inserts lines, and refuse everything else.

    Args:
        name: file name for error messages.
        text: the diff, LF newlines.

    Returns:
        The path it patches, each hook's reason from the header, and the hunks in file order.

    Raises:
        SviError: it is not exactly the kind of diff that ``render`` writes.
    """
    lines = text.split("\n")
    if not text.endswith("\n") or "\r" in text:
        raise bad(name, "it must have LF newlines and end with one")
    lines.pop()
    start = next((i for i, line in enumerate(lines) if line.startswith("diff --git ")), None)
    if start is None or len(lines) < start + 4:
        raise bad(name, "no diff in it")
    path = lines[start + 2].removeprefix("+++ b/")
    if lines[start : start + 3] != [f"diff --git a/{path} b/{path}", f"--- a/{path}", f"+++ b/{path}"]:
        raise bad(name, "the names of the file disagree")
    return Diff(path, _reasons(lines[:start]), _hunks(name, lines[start + 3 :]))


def _reasons(header: Sequence[str]) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for line in header:
        if match := _REASON.fullmatch(line):
            found.append((match[1], match[2]))
        elif found and line.startswith("    "):
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}")
    return tuple(found)


def _hunks(name: str, lines: Sequence[str]) -> tuple[DiffHunk, ...]:
    hunks: list[DiffHunk] = []
    shift = end = index = 0
    while index < len(lines):
        match = _HUNK.fullmatch(lines[index])
        if match is None:
            raise bad(name, f"not a hunk header: {lines[index]!r}")
        old, old_count, new, new_count = int(match[1]), int(match[2] or 1), int(match[3]), int(match[4] or 1)
        body = lines[index + 1 : index + 1 + new_count]
        before, added, after = _body(name, body)
        if len(body) != new_count or len(before) + len(after) != old_count or new != old + shift or old <= end:
            raise bad(name, f"wrong line numbers: {lines[index]!r}")
        hunks.append(DiffHunk(old, match[5] or "", before, added, after))
        shift += len(added)
        end = old + old_count - 1
        index += 1 + new_count
    return tuple(hunks)


def _body(name: str, body: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    kinds = "".join(line[:1] for line in body)
    match = re.fullmatch(r"( *)(\++)( +)", kinds)
    if match is None:
        raise bad(name, "a hunk must be one insertion with unchanged lines around it and at least one after it")
    text = [line[1:] for line in body]
    first, last = match.end(1), match.end(2)
    return tuple(text[:first]), tuple(text[first:last]), tuple(text[last:])


def render(path: str, header: str, lines: Sequence[str], hunks: Sequence[tuple[int, tuple[str, ...], int, int]]) -> str:
    """Write a diff that ``git apply`` takes.

    Args:
        path: the file, relative to the checkout.
        header: plain text that explains each hook; stands above the diff.
        lines: the unpatched file without line ends.
        hunks: per hunk the index of the line before which it inserts, the inserted lines, and how many lines of context
            stand before and after them; in file order.

    Returns:
        The whole diff.
    """
    out = [*header.rstrip("\n").split("\n"), "", f"diff --git a/{path} b/{path}", f"--- a/{path}", f"+++ b/{path}"]
    shift = 0
    for at, added, lead, trail in hunks:
        first = at - lead
        section = next((line[:80].rstrip() for line in reversed(lines[:first]) if _GIT_SECTION.match(line)), "")
        old = lead + trail
        out.append(f"@@ -{first + 1},{old} +{first + 1 + shift},{old + len(added)} @@ {section}".rstrip())
        out += [f" {line}" for line in lines[first:at]]
        out += [f"+{line}" for line in added]
        out += [f" {line}" for line in lines[at : at + trail]]
        shift += len(added)
    return "\n".join(out) + "\n"
