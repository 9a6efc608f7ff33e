"""Unified diffs of planned changes, in bytes, as ``git apply`` and ``patch -p1`` take them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

CONTEXT = 3


def unified(path: str, before: bytes | None, after: bytes | None) -> bytes:
    """Return the diff of one file; empty when nothing changes.

    Args:
        path: relative to the checkout, with forward slashes.
        before: present bytes, None when there is no file.
        after: future bytes, None when the file goes.
    """
    if before == after:
        return b""
    name = path.encode()
    header = b"diff --git a/" + name + b" b/" + name + b"\n"
    if before is None:
        header += b"new file mode 100644\n"
    elif after is None:
        header += b"deleted file mode 100644\n"
    old = b"/dev/null" if before is None else b"a/" + name
    new = b"/dev/null" if after is None else b"b/" + name
    body = difflib.diff_bytes(difflib.unified_diff, _lines(before), _lines(after), old, new, n=CONTEXT, lineterm=b"\n")
    return header + b"".join(_closed(body))


def _lines(data: bytes | None) -> list[bytes]:
    """Split at newlines only: a carriage return or a form feed inside a line is no line end for a diff."""
    if not data:
        return []
    lines = [line + b"\n" for line in data.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _closed(lines: Iterable[bytes]) -> Iterable[bytes]:
    for line in lines:
        yield line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n"
