from __future__ import annotations

import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from svi_install.writing import lease
from svi_install.writing.lease import Lease

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has leases")


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "f", os.O_RDWR | os.O_CREAT)
    if not lease._local(fd):
        pytest.skip("this disk has no leases")
    yield fd
    os.close(fd)


def test_our_own_work_is_none_of_another_program(tmp_path: Path, ours: int) -> None:
    held = Lease(ours)
    os.write(ours, b"abc")
    os.ftruncate(ours, 2)
    os.utime(ours, ns=(1, 1))
    os.fsync(ours)
    (tmp_path / "f").stat()
    (tmp_path / "f").rename(tmp_path / "g")
    time.sleep(2 * lease._GLANCE)
    assert held.unbroken
    held.end()
    assert not held.unbroken


READER = "import sys; open(sys.argv[1], 'rb').read()"
WRITER = "import sys; open(sys.argv[1], 'r+b').write(b'x')"
CUTTER = "import sys, os; os.truncate(sys.argv[1], 1)"


@pytest.mark.parametrize("script", [READER, WRITER, CUTTER])
@pytest.mark.parametrize("name", ["f", "second"])
def test_another_process_is_noticed_under_any_name_and_not_held_up(
    tmp_path: Path, ours: int, script: str, name: str
) -> None:
    os.link(tmp_path / "f", tmp_path / "second")
    held = Lease(ours)
    assert held.unbroken
    subprocess.run([sys.executable, "-c", script, str(tmp_path / name)], check=True, timeout=30)
    assert not held.unbroken
    held.end()
    assert not held.unbroken


def by_file(path: Path) -> Callable[[], None]:
    return path.open("r+b").close


def by_memory(path: Path) -> Callable[[], None]:
    path.write_bytes(b"abc")
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), 0).close


@pytest.mark.parametrize("opened", [by_file, by_memory])
def test_who_can_write_already_leaves_no_lease(
    tmp_path: Path, ours: int, opened: Callable[[Path], Callable[[], None]]
) -> None:
    close = opened(tmp_path / "f")
    held = Lease(ours)
    assert not held.unbroken
    held.end()
    close()
    again = Lease(ours)
    assert again.unbroken
    again.end()


def test_a_disk_that_others_may_write_to_has_none(ours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_LOCAL", {"ext4-of-another-world"})
    held = Lease(ours)
    assert not held.unbroken
    held.end()
