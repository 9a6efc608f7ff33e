from __future__ import annotations

import os
from pathlib import Path

import pytest

from svi_install.loras import naming
from svi_install.loras.naming import ChangedError, Seal, compare, move, tidy


@pytest.fixture(params=["second names", "no second names"])
def names(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A disk that knows hard links, and one that does not."""
    if request.param == "no second names":

        def refuse(*_: object, **__: object) -> None:
            raise OSError(95, "Operation not supported")

        monkeypatch.setattr(os, "link", refuse)
    return str(request.param)


def refuse(_status: os.stat_result) -> None:
    raise ChangedError("was written to")


def test_a_file_is_moved(tmp_path: Path, names: str) -> None:
    (tmp_path / "a").write_bytes(b"a")
    move(tmp_path / "a", tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_never_over_another_one(tmp_path: Path, names: str) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"of a person")
    with pytest.raises(FileExistsError):
        move(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"of a person"
    assert (tmp_path / "a").read_bytes() == b"a"


def test_never_over_a_link_to_nothing(tmp_path: Path, names: str) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").symlink_to("nothing")
    with pytest.raises(FileExistsError):
        move(tmp_path / "a", tmp_path / "b")
    assert not (tmp_path / "nothing").exists()


def test_what_turns_out_to_be_wrong_gets_its_old_name_back(tmp_path: Path, names: str) -> None:
    (tmp_path / "a").write_bytes(b"a")
    with pytest.raises(ChangedError):
        move(tmp_path / "a", tmp_path / "b", refuse)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"a")]


def test_what_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ChangedError, match="gone"):
        move(tmp_path / "a", tmp_path / "b")


def test_what_a_seal_notices(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    status = path.stat()
    seal = Seal(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    compare(seal, path.lstat())
    for wrong, said in (
        (seal._replace(inode=1), "another file"),
        (seal._replace(size=9), "3 bytes instead of 9"),
        (seal._replace(mtime_ns=1), "written to"),
        (None, "never complete"),
    ):
        with pytest.raises(ChangedError, match=said):
            compare(wrong, path.lstat())
    with pytest.raises(ChangedError):
        compare(seal, tmp_path.lstat())


def test_a_second_name_that_a_dead_process_has_left_goes(tmp_path: Path) -> None:
    target = tmp_path / "f"
    target.write_bytes(b"whole")
    tidy(target)
    os.link(target, tmp_path / "f.part")
    (tmp_path / "f.part.state").write_bytes(b"")
    tidy(target)
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    (tmp_path / "f.part").write_bytes(b"another download")
    tidy(target)
    assert (tmp_path / "f.part").exists()


def test_a_folder_that_cannot_be_opened_is_no_failure(tmp_path: Path) -> None:
    naming.sync_folder(tmp_path / "gone")
    naming.sync_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []
