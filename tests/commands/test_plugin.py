"""``plugin``: the folder that is published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from svi_install.checkout.plugin import NAME
from svi_install.commands.plugin import plugin
from svi_install.errors import SviError
from svi_install.plugin import build


def contents(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_it_builds_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "new folder/wan2gp-endless"
    result = plugin(folder, url="https://github.com/x/wan2gp-endless")
    assert contents(folder) == build.files("https://github.com/x/wan2gp-endless")
    assert result.extra["files"] == sorted(contents(folder))
    assert len(result.notes) == 1


def test_it_brings_an_earlier_build_up_to_date(tmp_path: Path) -> None:
    plugin(tmp_path)
    (tmp_path / "svi_install/runtime/dropped.py").write_text("x")
    (tmp_path / "handler.py").write_text("x")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/HEAD").write_text("ref")
    result = plugin(tmp_path)
    assert contents(tmp_path) == {**build.files(), ".git/HEAD": b"ref"}
    assert len(result.extra["removed"]) == 1


def test_another_name_is_remarked_on(tmp_path: Path) -> None:
    (note,) = [note for note in plugin(tmp_path / "svi").notes if "publish it as" in note]
    assert NAME in note


@pytest.mark.parametrize("info", [None, "{}", "[]", json.dumps({"name": "Another"})])
def test_other_files_are_left_alone(tmp_path: Path, info: str | None) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    if info is not None:
        (tmp_path / "plugin_info.json").write_text(info)
    before = contents(tmp_path)
    with pytest.raises(SviError, match="holds other files"):
        plugin(tmp_path)
    assert contents(tmp_path) == before


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SviError, match="is not a folder"):
        plugin(tmp_path / "file")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SviError, match="file"):
        plugin(tmp_path / "file" / "folder")
