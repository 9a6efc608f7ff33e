"""Extended attributes: tags, access lists and labels of a file stay through install and revert."""

from __future__ import annotations

import errno
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from svi_install.patching import patchset
from svi_install.writing import files
from tests import miniature
from tests.older import install, revert

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Python reads extended attributes on Linux only")

PATCHES = patchset.load()
# As `setfacl -m u:12345:r` writes it: version 2, then kind, permissions and number of each entry.
NOBODY = 0xFFFFFFFF
LIST = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", *entry)
    for entry in ((1, 6, NOBODY), (2, 4, 12345), (4, 4, NOBODY), (16, 4, NOBODY), (32, 0, NOBODY))
)


def attach(path: Path, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        pytest.skip(f"this disk keeps no {name}: {error.strerror}")


def attributes(path: Path) -> dict[str, bytes]:
    return {name: os.getxattr(path, name) for name in os.listxattr(path)}


@pytest.mark.parametrize("path", PATCHES.paths)
@pytest.mark.parametrize(("name", "value"), [("user.tag", b"mine"), ("system.posix_acl_access", LIST)])
def test_they_stay(tmp_path: Path, path: str, name: str, value: bytes) -> None:
    root = miniature.write(tmp_path / "WanGP")
    attach(root / path, name, value)
    before, mode = attributes(root / path), (root / path).stat().st_mode
    assert before[name] == value
    install(root, PATCHES)
    assert attributes(root / path) == before
    revert(root, PATCHES)
    assert attributes(root / path) == before
    assert (root / path).stat().st_mode == mode


def test_a_copy_where_the_disk_knows_no_hard_links_has_them_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links")

    (tmp_path / "a").write_bytes(b"x")
    attach(tmp_path / "a", "user.tag", b"mine")
    monkeypatch.setattr(os, "link", no_links)
    files.keep_aside(tmp_path / "a", tmp_path / "b")
    assert attributes(tmp_path / "b") == attributes(tmp_path / "a")


class Disk:
    """Stands in for the os module: a file with these attributes, and a disk that answers as told."""

    def __init__(self, there: dict[str, bytes], answers: dict[str, int]) -> None:
        self.there = there
        self.answers = answers
        self.set: dict[str, bytes] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def answer(self, what: str) -> None:
        if number := self.answers.get(what):
            raise OSError(number, os.strerror(number))

    def listxattr(self, path: object) -> list[str]:
        self.answer("list")
        return list(self.set if isinstance(path, int) else self.there)

    def getxattr(self, path: object, name: str) -> bytes:
        self.answer(f"get {name}")
        return self.set[name] if isinstance(path, int) else self.there[name]

    def setxattr(self, path: object, name: str, value: bytes) -> None:
        self.answer(f"set {name}")
        self.set[name] = value


def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: dict[str, int]) -> Callable[[], Disk]:
    (tmp_path / "like").write_bytes(b"")

    def write() -> Disk:
        disk = Disk({"user.tag": b"mine", "security.label": b"l"}, answers)
        monkeypatch.setattr(files, "os", disk)
        files.write_new(tmp_path / "new", b"x", tmp_path / "like")
        return disk

    return write


@pytest.mark.parametrize(
    ("answers", "kept"),
    [
        ({}, {"user.tag": b"mine", "security.label": b"l"}),
        ({"list": errno.ENOTSUP}, {}),
        ({"get user.tag": errno.ENODATA}, {"security.label": b"l"}),
        ({"set user.tag": errno.ENOTSUP}, {"security.label": b"l"}),
        ({"set security.label": errno.EPERM}, {"user.tag": b"mine"}),
        ({"get security.label": errno.EACCES}, {"user.tag": b"mine"}),
    ],
)
def test_what_nobody_may_set_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: dict[str, int], kept: dict[str, bytes]
) -> None:
    assert written(tmp_path, monkeypatch, answers)().set == kept


@pytest.mark.parametrize(
    "answers",
    [
        {"list": errno.EIO},
        {"get user.tag": errno.EACCES},
        {"set user.tag": errno.EPERM},
        {"set user.tag": errno.ENOSPC},
        {"set security.label": errno.EIO},
    ],
)
def test_what_a_person_attached_is_never_lost_silently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: dict[str, int]
) -> None:
    with pytest.raises(OSError, match=os.strerror(next(iter(answers.values())))):
        written(tmp_path, monkeypatch, answers)()


def test_what_a_new_file_has_anyway_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk({"security.label": b"l"}, {"set security.label": errno.EIO})
    disk.set = {"security.label": b"l"}
    (tmp_path / "like").write_bytes(b"")
    monkeypatch.setattr(files, "os", disk)
    files.write_new(tmp_path / "new", b"x", tmp_path / "like")
