from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svi_install.patching.unified import unified

CASES = [
    (b"a\nb\nc\n", b"a\nX\nb\nc\n"),
    (b"a\r\nb\r\n", b"a\r\nX\r\nb\r\n"),
    (b"a\nb", b"a\nb\nc"),
    (b"a\nb", b"a\nX\nb"),
    (b"a\nb\n", b"a\nb"),
    (b"\xef\xbb\xbfa\x0cb\rc\n\xff\n", b"\xef\xbb\xbfa\x0cb\rc\nX\n\xff\n"),
    (None, b"new\n"),
    (None, b"new without end"),
    (b"old\n", None),
    (b"", b"a\n"),
    (b"a\n", b""),
]


@pytest.mark.parametrize("tool", [["git", "apply"], ["patch", "-p1", "--binary", "-s"]])
@pytest.mark.parametrize(("before", "after"), CASES)
def test_git_and_patch_turn_one_into_the_other(
    tmp_path: Path, tool: list[str], before: bytes | None, after: bytes | None
) -> None:
    path = tmp_path / "folder" / "file.py"
    path.parent.mkdir()
    if before is not None:
        path.write_bytes(before)
    if tool[0] == "patch" and after == b"":
        after = None  # patch removes a file that becomes empty
    subprocess.run(tool, input=unified("folder/file.py", before, after), cwd=tmp_path, check=True)
    assert (path.read_bytes() if path.exists() else None) == after


def test_nothing_changes() -> None:
    assert unified("x", b"a", b"a") == b""
    assert unified("x", None, None) == b""


def test_the_header_is_that_of_git() -> None:
    assert unified("a/b.py", b"1\n", b"2\n").startswith(
        b"diff --git a/a/b.py b/a/b.py\n--- a/a/b.py\n+++ b/a/b.py\n@@ "
    )
    assert b"new file mode 100644\n--- /dev/null\n+++ b/x\n" in unified("x", None, b"1\n")
    assert b"deleted file mode 100644\n--- a/x\n+++ /dev/null\n" in unified("x", b"1\n", None)


TEXT = st.lists(st.sampled_from([b"a", b"b", b"c", b"\r", b"\x0c", b""]), max_size=8).map(b"\n".join)


@given(before=TEXT, after=TEXT)
def test_added_and_removed_lines_are_all_there(before: bytes, after: bytes) -> None:
    lines = unified("x", before, after).split(b"\n")[3:]
    removed = sum(line.startswith(b"-") for line in lines)
    added = sum(line.startswith(b"+") for line in lines)
    count = {
        name: data.count(b"\n") + (not data.endswith(b"\n") and data != b"")
        for name, data in (("b", before), ("a", after))
    }
    assert added - removed == count["a"] - count["b"]
