from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import unidiff

from svi_install.errors import SviError
from svi_install.history import contents
from svi_install.package_data import data_folder
from svi_install.patching import diffs, patchset

LINES = [f"line {number}" for number in range(1, 21)]
HEADER = "patch for a.py\n\none: The first reason,\n    on two lines.\ntwo: The second reason.\n"
TEXT = diffs.render("a.py", HEADER, LINES, [(5, ("+", "new 1"), 3, 2), (12, ("new 2",), 0, 1)])


def test_render_and_parse_are_opposites() -> None:
    found = diffs.parse("a.diff", TEXT)
    assert found.path == "a.py"
    assert found.reasons == (("one", "The first reason, on two lines."), ("two", "The second reason."))
    first, second = found.hunks
    assert first == diffs.DiffHunk(3, "line 2", ("line 3", "line 4", "line 5"), ("+", "new 1"), ("line 6", "line 7"))
    assert (second.before, second.added, second.after) == ((), ("new 2",), ("line 13",))


def test_unidiff_reads_what_we_write() -> None:
    (file,) = unidiff.PatchSet(TEXT)
    assert (file.path, file.added, file.removed) == ("a.py", 3, 0)
    assert [hunk.target_start for hunk in file] == [3, 15]


def test_git_applies_what_we_write(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes("\n".join(["above", *LINES, ""]).encode())
    (tmp_path / "a.diff").write_bytes(TEXT.encode())
    subprocess.run(["git", "apply", "a.diff"], cwd=tmp_path, check=True)
    after = (tmp_path / "a.py").read_text().split("\n")
    assert after == ["above", *LINES[:5], "+", "new 1", *LINES[5:12], "new 2", *LINES[12:], ""]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n", "\r\n"),
        ("diff --git a/a.py b/a.py", "diff"),
        ("--- a/a.py", "--- a/b.py"),
        ("@@ -3,5 +3,7 @@ line 2", "@@ -3,5 +3,7"),
        ("@@ -3,5 +3,7 @@ line 2", "@@ -3,4 +3,7 @@ line 2"),
        ("@@ -3,5 +3,7 @@ line 2", "@@ -3,5 +4,7 @@ line 2"),
        ("@@ -13,1 +15,2 @@ line 12", "@@ -6,1 +8,2 @@ line 12"),
        ("@@ -13,1 +15,2 @@ line 12", "@@ -13,1 +15,9 @@ line 12"),
        (" line 3\n", "-line 3\n"),
        (" line 13\n", ""),
        ("+new 2\n line 13\n", " line 13\n+new 2\n"),
        ("@@ -13,1 +15,2 @@ line 12", "@@ -13,1 +15,3 @@ line 12"),
        ("@@ -13,1 +15,2 @@ line 12", "@@ -13,1 +15,1 @@ line 12"),
        ("@@ -13,1 +15,2 @@ line 12", "@@  -13,1 +15,2 @@ line 12"),
        ("@@ -13,1 +15,2 @@ line 12", "a word\n@@ -13,1 +15,2 @@ line 12"),
        ("@@ -3,5 +3,7 @@ line 2", "@@ -٣,5 +3,7 @@ line 2"),
        ("+new 2\n line 13\n", "+new 2\n line 13\n\\ No newline at end of file\n"),
        ("+new 2\n line 13\n", "+new 2\n line 13\n\n"),
        ("@@ -3,5 +3,7 @@ line 2\n line 3\n line 4\n", "@@ -3,5 +3,7 @@ line 2\n line 3\n\n"),
        ("diff --git a/a.py b/a.py\n", "diff --git a/a.py b/a.py\nindex 1..2 100644\n"),
        ("+++ b/a.py\n", "+++ b/b.py\n"),
        ("--- a/a.py\n", ""),
        ("diff --git a/a.py b/a.py", "diff --git a/b.py b/b.py"),
    ],
)
def test_anything_but_an_insertion_is_refused(old: str, new: str) -> None:
    assert old in TEXT
    with pytest.raises(SviError, match=r"a\.diff") as caught:
        diffs.parse("a.diff", TEXT.replace(old, new))
    assert caught.value.code == "bad-patch-set"


@pytest.mark.parametrize("text", ["", "\n", "words\n", "diff --git a/a.py b/a.py\n", TEXT + TEXT])
def test_anything_but_one_diff_is_refused(text: str) -> None:
    with pytest.raises(SviError, match=r"a\.diff") as caught:
        diffs.parse("a.diff", text)
    assert caught.value.code == "bad-patch-set"


class TestWhatWasReadBefore:
    DATA = TEXT.encode()

    @pytest.fixture
    def listed(self) -> dict[str, Any]:
        stored: dict[str, Any] = json.loads(json.dumps({"a.diff": diffs.entry("a.diff", self.DATA)}))
        return stored

    def test_is_not_read_again(self, listed: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        wanted = diffs.parse("a.diff", TEXT)
        monkeypatch.setattr(diffs, "parse", lambda *_: pytest.fail("it was read again"))
        assert diffs.read("a.diff", self.DATA, listed) == wanted

    def test_of_another_text_is_not_believed(self, listed: dict[str, Any]) -> None:
        data = self.DATA.replace(b"new 2", b"new 3")
        assert diffs.read("a.diff", data, listed).hunks[1].added == ("new 3",)
        with pytest.raises(SviError, match=r"a\.diff"):
            diffs.read("a.diff", self.DATA.replace(b"@@ -3,5", b"@@ -3,4"), listed)

    def test_of_other_hunks_is_not_believed(self, listed: dict[str, Any]) -> None:
        listed["a.diff"]["read"][2][1][3] = ["evil()"]
        assert diffs.read("a.diff", self.DATA, listed) == diffs.parse("a.diff", TEXT)

    @pytest.mark.parametrize("entry", [None, 1, [], {}, {"sum": 1}, {"read": 1}, {"read": [1, 2]}, {"read": [1, 2, 3]}])
    def test_of_another_kind_is_left_aside(self, entry: Any) -> None:
        assert diffs.read("a.diff", self.DATA, {"a.diff": entry}) == diffs.parse("a.diff", TEXT)

    @pytest.mark.parametrize("hunks", [[1], [[1]], [[1, "", 2]], [["1", "", [], [], [], []]]])
    def test_of_a_right_sum_over_something_else(self, hunks: Any) -> None:
        found = ["a.py", [], hunks]
        entry = {"sum": diffs._sum(self.DATA, found), "read": found}
        assert diffs.read("a.diff", self.DATA, {"a.diff": entry}) == diffs.parse("a.diff", TEXT)


def test_the_list_of_the_patch_set_is_that_of_its_diffs() -> None:
    folder = data_folder("patches")
    assert (folder / patchset.READ).read_bytes() == contents.reading(folder), "python -m svi_install.history.contents"
