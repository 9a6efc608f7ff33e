from __future__ import annotations

import sys
from pathlib import Path

import pytest

from svi_install.history import contents
from svi_install.patching import known, patchset, placement
from tests import miniature, story

PATCHES = patchset.load()
WGP = "wgp.py"


def test_the_list_is_made_from_the_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, folder = tmp_path / "repo", tmp_path / "patches"
    root.mkdir()
    folder.mkdir()
    story.git(root, "init", "-q", "-b", "main")
    story.git(root, "commit", "-q", "--allow-empty", "-m", "before all")
    first = ""
    for flavour in ("old", "base"):
        miniature.write(root, flavour)
        story.git(root, "add", "-f", ".")
        story.git(root, "commit", "-qm", flavour)
        first = first or story.git(root, "rev-parse", "HEAD")
    for module in (contents, known):
        monkeypatch.setattr(module, "data_folder", lambda _: folder)
    monkeypatch.setattr(patchset, "load", lambda: PATCHES._replace(commits={"9.0": first}))
    monkeypatch.setattr(sys, "argv", ["contents", str(root)])
    contents.main()
    known._read.cache_clear()
    for flavour in ("old", "base"):
        for path, data in miniature.files(flavour).items():
            assert known.is_published(path, data)
            assert known.place(PATCHES.variants[path], path, data) == placement.place(
                PATCHES.variants[path], path, data
            )
    assert not known.is_published(WGP, miniature.files("newer")[WGP])


@pytest.mark.parametrize(
    "text",
    [
        miniature.files()[WGP].replace(b"samples = wan_model.generate(", b"samples = other("),
        miniature.files()[WGP].replace(b"\n", b"\r\n"),
        miniature.files()[WGP].replace(b"abort = False", b"abort = ("),
        miniature.files()[WGP].replace(b"            samples = wan_model", b"           samples = wan_model"),
    ],
    ids=["refused", "CRLF", "broken", "reduced"],
)
def test_what_only_placing_can_tell_is_left_to_it(text: bytes) -> None:
    assert text != miniature.files()[WGP]
    assert contents.entry(PATCHES.variants[WGP], WGP, text) == ""
