from __future__ import annotations

import hashlib
import itertools
import random
from pathlib import Path

import pytest

from svi_install.loras import hashing
from svi_install.loras.hashing import Follower, of_file


class Growing:
    """A file that grows, in order or not, with its follower."""

    def __init__(self, path: Path, before: bytes = b"") -> None:
        self.path = path
        path.write_bytes(before)
        self.frontier = len(before)
        self.follower = Follower(path, lambda: self.frontier)

    def add(self, offset: int, data: bytes, frontier: int) -> None:
        block = self.follower.buffer(max(len(data), 16))
        block[: len(data)] = data
        with self.path.open("r+b") as file:
            file.seek(offset)
            file.write(data)
        self.frontier = frontier
        self.follower.give(offset, block, len(data))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("queue", [1, 3, 1000])
def test_blocks_in_order_are_never_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, queue: int) -> None:
    monkeypatch.setattr(hashing, "_QUEUE", queue)
    data = random.Random(1).randbytes(500)
    file = Growing(tmp_path / "f")
    for at in range(0, 500, 10):
        file.add(at, data[at : at + 10], at + 10)
    # What the follower still wanted from the file would now be wrong.
    (tmp_path / "f").write_bytes(bytes(500))
    assert file.follower.finish(500, lambda _done: None) == digest(data)


def test_what_an_earlier_run_left_is_read_once(tmp_path: Path) -> None:
    data = random.Random(2).randbytes(5000)
    file = Growing(tmp_path / "f", data[:3000])
    file.add(3000, data[3000:4000], 4000)
    file.add(4000, data[4000:], 5000)
    assert file.follower.finish(5000, lambda _done: None) == digest(data)


def test_blocks_out_of_order(tmp_path: Path) -> None:
    data = random.Random(3).randbytes(3000)
    file = Growing(tmp_path / "f")
    file.add(2000, data[2000:], 0)
    file.add(0, data[:1000], 1000)
    file.add(1000, data[1000:2000], 3000)
    assert file.follower.finish(3000, lambda _done: None) == digest(data)


@pytest.mark.parametrize("seed", range(20))
def test_any_order_and_any_block_size(tmp_path: Path, seed: int) -> None:
    generator = random.Random(seed)
    data = generator.randbytes(20_000)
    cuts = sorted({0, len(data), *(generator.randrange(len(data)) for _ in range(30))})
    blocks = list(itertools.pairwise(cuts))
    if seed % 2:
        generator.shuffle(blocks)
    file = Growing(tmp_path / "f")
    there: set[tuple[int, int]] = set()
    for start, end in blocks:
        there.add((start, end))
        frontier = 0
        for first, last in sorted(there):
            frontier = last if first == frontier else frontier
        file.add(start, data[start:end], frontier)
    assert file.follower.finish(len(data), lambda _done: None) == digest(data)


def test_who_brings_more_to_a_hash_that_has_died_does_not_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "_QUEUE", 1)
    file = Growing(tmp_path / "f")
    file.follower.stop()
    for at in range(0, 50, 10):
        file.add(at, bytes(10), at + 10)
    assert file.follower.position == 0


def test_an_empty_file(tmp_path: Path) -> None:
    assert Growing(tmp_path / "f").follower.finish(0, lambda _done: None) == digest(b"")


def test_a_follower_can_be_stopped(tmp_path: Path) -> None:
    file = Growing(tmp_path / "f")
    file.add(0, b"123", 3)
    file.follower.stop()
    assert not file.follower._thread.is_alive()


def test_a_file_that_shrinks_is_an_error(tmp_path: Path) -> None:
    file = Growing(tmp_path / "f")
    with pytest.raises(OSError, match="Another program writes"):
        file.follower.finish(10, lambda _done: None)


def test_of_file(tmp_path: Path) -> None:
    data = random.Random(4).randbytes(3_000_000)
    (tmp_path / "f").write_bytes(data)
    seen: list[int] = []
    assert of_file(tmp_path / "f", seen.append) == digest(data)
    assert seen[-1] == len(data)
    assert of_file(tmp_path / "f") == digest(data)
