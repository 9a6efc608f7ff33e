from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svi_install.gitfilter import drivers, sections
from svi_install.package_data import PATCHED

CONFIG = drivers.settings("/usr/bin/python3", "/opt/smudge.py")
ATTRIBUTES = drivers.attributes(PATCHED)
EXCLUDES = drivers.excludes(("svi_wangp/", "loras_i2v/SVI-2.0 [a]*.json", "profiles/wan_2_2/SVI.json"))
LINES = st.sampled_from((CONFIG, ATTRIBUTES, EXCLUDES))
DATA = st.none() | st.binary() | st.text('a[]\r\n# ="/').map(str.encode)


@given(DATA, LINES)
def test_what_was_put_in_comes_out_byte_for_byte(data: bytes | None, lines: tuple[str, ...]) -> None:
    there = sections.put(data, lines)
    assert there is not None
    assert there.startswith(data or b"")
    assert sections.take(there) == data
    assert sections.put(there, lines) == there
    assert sections.put(there, ()) == data


@given(DATA, LINES, st.lists(st.sampled_from((b"[user]", b"\tname = a", b"*.bin -text", b"own"))))
def test_what_somebody_writes_behind_stays(data: bytes | None, lines: tuple[str, ...], later: list[bytes]) -> None:
    behind = b"".join(line + b"\n" for line in later)
    there = (sections.put(data, lines) or b"") + behind
    left = sections.take(there)
    if not behind:
        assert left == data
    elif data and not data.endswith(b"\n"):
        # Their line must not become part of the one that had no end.
        assert left == data + sections.newline(data) + behind
    else:
        assert left == (data or b"") + behind


def test_line_ends_are_those_of_the_file() -> None:
    there = sections.put(b"[core]\r\n\tbare = false\r\n", CONFIG)
    assert there is not None
    assert there.count(b"\n") == there.count(b"\r\n")


@pytest.mark.parametrize("lost", [sections.BEGIN, sections.END])
def test_a_section_that_git_has_edited_goes_as_far_as_it_is_ours(lost: bytes) -> None:
    there = sections.put(b"[core]\n\tbare = false\n", CONFIG) or b""
    rows = [row for row in there.splitlines(keepends=True) if not row.startswith(lost)]
    left = sections.take(b"".join([*rows, b"[user]\n\tname = a\n"]))
    assert left is not None
    assert left.endswith(b"[user]\n\tname = a\n")
    assert left.startswith(b"[core]\n\tbare = false\n")
    assert (b"filter" in left) is (lost == sections.BEGIN)


def test_keys_that_git_has_written_into_our_section_go_with_it() -> None:
    there = sections.put(b"[core]\n", CONFIG) or b""
    there = there.replace(sections.END, b"\trequired = true\n" + sections.END)
    assert sections.take(there) == b"[core]\n"
