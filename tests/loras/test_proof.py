from __future__ import annotations

import hashlib
import itertools
import os
import random
from pathlib import Path
from typing import Any

import pytest

from svi_install.loras import proof
from svi_install.loras.catalogue import Lora, LoraFile, Place, load
from svi_install.loras.proof import Follower, Unsound, check_layout, examine, of_file, read
from svi_install.writing.own_files import ChangedError

from ..runtime.test_lora_file import TWO, gguf
from .conftest import TINY, lora_bytes, safetensors, svi_file


class Growing:
    """A file that grows, in order or not, with its follower."""

    def __init__(self, path: Path, before: bytes = b"", *, memory: bool = True) -> None:
        self.path = path
        path.write_bytes(before)
        self.frontier = len(before)
        self.memory = memory
        self.follower = Follower(path.name, self.read, lambda: self.frontier, from_memory=lambda: self.memory)

    def read(self, offset: int, view: memoryview) -> int:
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.readinto(view)

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
    monkeypatch.setattr(proof, "_QUEUE", queue)
    data = random.Random(1).randbytes(500)
    file = Growing(tmp_path / "f")
    for at in range(0, 500, 10):
        file.add(at, data[at : at + 10], at + 10)
    # What the follower still wanted from the file would now be wrong.
    (tmp_path / "f").write_bytes(bytes(500))
    assert file.follower.finish(500, lambda _done: None) == digest(data)


def test_what_is_in_the_file_is_hashed_not_what_arrived(tmp_path: Path) -> None:
    data, other = random.Random(1).randbytes(500), random.Random(2).randbytes(500)
    file = Growing(tmp_path / "f", memory=False)
    for at in range(0, 500, 10):
        block = file.follower.buffer(16)
        block[:10] = data[at : at + 10]
        with (tmp_path / "f").open("ab") as written:
            written.write(other[at : at + 10])
        file.frontier = at + 10
        file.follower.give(at, block, 10)
    assert file.follower.finish(500, lambda _done: None) == digest(other)


@pytest.mark.parametrize("seed", range(10))
def test_from_memory_or_not_may_change_at_any_time(tmp_path: Path, seed: int) -> None:
    generator = random.Random(seed)
    data = generator.randbytes(5000)
    file = Growing(tmp_path / "f")
    for at in range(0, 5000, 100):
        file.memory = generator.random() < 0.5
        file.add(at, data[at : at + 100], at + 100)
    assert file.follower.finish(5000, lambda _done: None) == digest(data)


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
    monkeypatch.setattr(proof, "_QUEUE", 1)
    file = Growing(tmp_path / "f")
    file.follower.stop()
    for at in range(0, 50, 10):
        file.add(at, bytes(10), at + 10)
    assert file.follower.position == 0


def marked(path: Path, data: bytes, stretch: int, upto: int) -> list[proof.Mark]:
    """What a follower knows that has hashed so many bytes."""
    path.write_bytes(data)
    return [(at, hashlib.sha256(data[:at])) for at in [*range(0, upto, stretch), upto]]


@pytest.mark.parametrize("readers", [0, 1, 5])
@pytest.mark.parametrize("upto", [0, 1, 700, 1000])
def test_a_file_is_read_again_by_all_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, readers: int, upto: int
) -> None:
    monkeypatch.setattr(proof, "_readers", lambda: readers)
    monkeypatch.setattr(proof, "_READ", 64)
    data = random.Random(5).randbytes(1000)
    marks = marked(tmp_path / "f", data, 150, upto)
    said: list[int] = []
    shown: list[int] = []
    assert proof.read_again(tmp_path / "f", marks, 1000, shown.append, said.append) == digest(data)
    assert said == sorted(said)
    assert max(said) == 1000
    assert shown


@pytest.mark.parametrize("offset", [0, 149, 150, 151, 500, 899])
@pytest.mark.parametrize("readers", [0, 3])
def test_one_changed_byte_before_the_last_mark_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, readers: int, offset: int
) -> None:
    monkeypatch.setattr(proof, "_readers", lambda: readers)
    data = bytearray(random.Random(6).randbytes(1000))
    marks = marked(tmp_path / "f", bytes(data), 150, 900)
    data[offset] ^= 1
    (tmp_path / "f").write_bytes(data)
    with pytest.raises(proof.TamperedError):
        proof.read_again(tmp_path / "f", marks, 1000, lambda _fd: None, lambda _done: None)


def test_a_file_that_is_too_short_or_another_one_is_found(tmp_path: Path) -> None:
    marks = marked(tmp_path / "f", bytes(1000), 150, 900)
    (tmp_path / "f").write_bytes(bytes(950))
    with pytest.raises(proof.TamperedError):
        proof.read_again(tmp_path / "f", marks, 1000, lambda _fd: None, lambda _done: None)

    def refuse(_fd: int) -> None:
        raise ChangedError("is another one")

    with pytest.raises(ChangedError):
        proof.read_again(tmp_path / "f", marks, 1000, refuse, lambda _done: None)


def test_ctrl_c_ends_all_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "_READ", 16)

    def stop(_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        proof.read_again(tmp_path / "f", marked(tmp_path / "f", bytes(9000), 900, 8000), 9000, lambda _fd: None, stop)


def test_what_arrived_is_marked_as_it_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "_STRETCH", 100)
    data = random.Random(7).randbytes(500)
    file = Growing(tmp_path / "f")
    for at in range(0, 500, 10):
        file.add(at, data[at : at + 10], at + 10)
    file.follower.finish(500, lambda _done: None)
    marks = file.follower.marks()
    assert [at for at, _ in marks] == [0, 100, 200, 300, 400, 500, 500]
    assert all(found.hexdigest() == digest(data[:at]) for at, found in marks)


def test_an_empty_file(tmp_path: Path) -> None:
    assert Growing(tmp_path / "f").follower.finish(0, lambda _done: None) == digest(b"")


def test_a_follower_can_be_stopped(tmp_path: Path) -> None:
    file = Growing(tmp_path / "f")
    file.add(0, b"123", 3)
    file.follower.stop()
    assert not file.follower._thread.is_alive()


def test_a_file_that_shrinks_is_an_error(tmp_path: Path) -> None:
    file = Growing(tmp_path / "f")
    with pytest.raises(OSError, match="Another program has written"):
        file.follower.finish(10, lambda _done: None)


def test_of_file(tmp_path: Path) -> None:
    data = random.Random(4).randbytes(3_000_000)
    (tmp_path / "f").write_bytes(data)
    seen: list[int] = []
    assert of_file(tmp_path / "f", seen.append) == digest(data)
    assert seen[-1] == len(data)
    assert of_file(tmp_path / "f") == digest(data)


def file(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "lora.safetensors"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("prefix", ["", "pipe.dit.", "diffusion_model."])
@pytest.mark.parametrize("middle", ["", ".default"])
def test_every_way_of_naming_is_known(tmp_path: Path, prefix: str, middle: str) -> None:
    check_layout(read(file(tmp_path, lora_bytes(prefix=prefix, middle=middle))), TINY)


def test_other_tensors_are_no_svi(tmp_path: Path) -> None:
    with pytest.raises(Unsound, match="does not belong in an SVI LoRA"):
        check_layout(read(file(tmp_path, safetensors({"blocks.0.modulation": [1, 6]}))), TINY)


def test_another_rank_is_no_svi(tmp_path: Path) -> None:
    with pytest.raises(Unsound, match="shape"):
        check_layout(read(file(tmp_path, lora_bytes(TINY._replace(rank=3)))), TINY)


def test_fewer_blocks_are_no_svi(tmp_path: Path) -> None:
    with pytest.raises(Unsound, match="20 tensors instead of 40"):
        check_layout(read(file(tmp_path, lora_bytes(TINY._replace(blocks=1)))), TINY)


def test_more_blocks_are_no_svi(tmp_path: Path) -> None:
    with pytest.raises(Unsound, match="2 blocks"):
        check_layout(read(file(tmp_path, lora_bytes(TINY._replace(blocks=3)))), TINY)


def test_a_hostile_name_is_shown_harmlessly(tmp_path: Path) -> None:
    with pytest.raises(Unsound) as caught:
        check_layout(read(file(tmp_path, safetensors({"\x1b[2J\ud800" + "x" * 5000: [1]}))), TINY)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


WANTED = LoraFile("fp32", Place("owner/name", "svi.safetensors"), dtype="F32")
LORA = Lora("svi", "", "SVI", "wan", "1.0", TINY, (WANTED,))


def data_bytes() -> int:
    return len(lora_bytes()) - 8 - int.from_bytes(lora_bytes()[:8], "little")


def test_all_that_is_known_is_compared(tmp_path: Path) -> None:
    path = file(tmp_path, lora_bytes())
    size = len(lora_bytes())
    for changes in ({}, {"size": size}, {"tensor_bytes": data_bytes()}, {"dtype": ""}):
        assert examine(path, LORA, WANTED._replace(**changes)).size == size


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"size": 5}, "bytes instead of 5"),
        ({"tensor_bytes": 5}, "bytes of tensors instead of 5"),
        ({"dtype": "F16"}, "numbers are F32 instead of F16"),
        ({"place": Place("owner/name", "svi.gguf")}, "is not a GGUF file"),
    ],
)
def test_another_file_is_told_from_the_right_one(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Unsound, match=said):
        examine(file(tmp_path, lora_bytes()), LORA, WANTED._replace(**changes))


def test_a_lora_without_a_known_layout_holds_matrices_at_least(tmp_path: Path) -> None:
    other = LORA._replace(layout=None)
    assert examine(file(tmp_path, lora_bytes()), other, WANTED).kind == "safetensors"
    with pytest.raises(Unsound, match="no LoRA matrices"):
        examine(file(tmp_path, safetensors({"blocks.0.weight": [4]})), other, WANTED)


def test_a_model_where_a_lora_should_be(tmp_path: Path) -> None:
    with pytest.raises(Unsound, match="is not a safetensors file"):
        examine(file(tmp_path, gguf(TWO, body=172)), LORA, WANTED)


@pytest.mark.parametrize("dtype", ["F32", "F16"])
def test_the_real_catalogue_takes_files_of_the_real_layout(tmp_path: Path, dtype: str) -> None:
    for lora in load().loras:
        for wanted in lora.files:
            if lora.layout is not None and wanted.dtype == dtype:
                path = svi_file(tmp_path / wanted.filename, dtype)
                assert examine(path, lora, wanted).tensor_bytes == wanted.tensor_bytes
                os.truncate(path, path.stat().st_size - 1)
                with pytest.raises(Unsound, match=r"is cut: [0-9,]+ of [0-9,]+ bytes"):
                    examine(path, lora, wanted)
