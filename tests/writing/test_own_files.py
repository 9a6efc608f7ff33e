from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from svi_install.loras.transfer.part import Part
from svi_install.loras.transfer.part_state import left_over, tidy
from svi_install.writing.own_files import ChangedError, ForeignError, Seal, compare, move, open_own

MAKE = os.O_RDWR | os.O_CREAT
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files, or lets only few make them")


def test_a_file_is_made_and_opened_again(tmp_path: Path) -> None:
    for _ in range(2):
        fd = open_own(tmp_path / "f", MAKE)
        os.write(fd, b"x")
        os.close(fd)
    assert (tmp_path / "f").read_bytes() == b"x"


@posix
@pytest.mark.parametrize("flags", [MAKE, os.O_RDONLY])
def test_a_link_is_refused(tmp_path: Path, flags: int) -> None:
    (tmp_path / "mine").write_bytes(b"of a person")
    for target in ("mine", "nothing", "f", "/dev/zero"):
        (tmp_path / "f").symlink_to(target)
        with pytest.raises(ForeignError) as caught:
            open_own(tmp_path / "f", flags)
        assert caught.value.what == "a link to something else"
        (tmp_path / "f").unlink()
    assert (tmp_path / "mine").read_bytes() == b"of a person"
    assert not (tmp_path / "nothing").exists()


@posix
@pytest.mark.parametrize("flags", [MAKE, os.O_RDONLY])
def test_a_pipe_and_a_folder_are_refused_at_once(tmp_path: Path, flags: int) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ForeignError, match="not a plain file"):
        open_own(tmp_path / "pipe", flags)
    with pytest.raises(ForeignError, match="a folder"):
        open_own(tmp_path, flags)


@posix
def test_a_link_that_is_put_there_meanwhile_is_refused_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    (tmp_path / "mine").write_bytes(b"of a person")
    real = os.open

    def late(name: str, flags: int, mode: int = 0o777) -> int:
        if not path.is_symlink():
            path.symlink_to("mine")
        return real(name, flags, mode)

    monkeypatch.setattr(os, "open", late)
    with pytest.raises(ForeignError):
        open_own(path, MAKE)


@posix
def test_a_file_with_a_second_name_is_left_to_the_other_name(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"of a person")
    os.link(tmp_path / "mine", tmp_path / "f")
    fd = open_own(tmp_path / "f", MAKE)
    os.write(fd, b"written")
    os.close(fd)
    assert (tmp_path / "mine").read_bytes() == b"of a person"
    assert (tmp_path / "f").read_bytes() == b"written"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_own(tmp_path / "f", os.O_RDONLY)


@posix
@pytest.mark.parametrize("name", ["f.part", "f.part.state"])
def test_a_part_is_never_written_through_a_link(tmp_path: Path, name: str) -> None:
    (tmp_path / "mine").write_bytes(b"of a person")
    (tmp_path / name).symlink_to("mine")
    for _ in range(12):
        with pytest.raises(ForeignError):
            Part(tmp_path / "f", 8)
    assert (tmp_path / "mine").read_bytes() == b"of a person"
    assert left_over(tmp_path / "f") == 0


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
