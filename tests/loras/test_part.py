from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from svi_install.loras.transfer import part as module
from svi_install.loras.transfer import part_state
from svi_install.loras.transfer.part import ClosedError, Part, waiting
from svi_install.loras.transfer.part_state import left_over
from svi_install.writing import own_files
from svi_install.writing.own_files import HeldError

SYNC = 8 * 1024 * 1024
IDENTITY = "f" * 64


def begun(target: Path, size: int | None = 10) -> Part:
    part = Part(target, SYNC)
    part.begin("https://x/f", IDENTITY, '"v"', size)
    return part


def put(part: Part, offset: int, data: bytes) -> None:
    part.write(offset, memoryview(data), part.epoch)


def test_a_new_part_misses_everything(tmp_path: Path) -> None:
    part = begun(tmp_path / "f")
    assert (part.received, part.frontier, part.gaps()) == (0, 0, ((0, 10),))
    part.close()


def test_extents_and_gaps(tmp_path: Path) -> None:
    part = begun(tmp_path / "f")
    put(part, 4, b"45")
    assert (part.received, part.frontier, part.gaps()) == (2, 0, ((0, 4), (6, 10)))
    put(part, 0, b"0123")
    assert (part.received, part.frontier, part.gaps()) == (6, 6, ((6, 10),))
    put(part, 6, b"6789")
    assert part.gaps() == ()
    part.close()
    assert (tmp_path / "f.part").read_bytes() == b"0123456789"


def test_what_is_there_is_never_written_over(tmp_path: Path) -> None:
    part = begun(tmp_path / "f")
    put(part, 2, b"23")
    put(part, 6, b"67")
    put(part, 0, b"abcdefghij")
    put(part, 3, b"XXXX")
    assert part.gaps() == ()
    part.close()
    assert (tmp_path / "f.part").read_bytes() == b"ab23ef67ij"


@pytest.mark.parametrize("seed", range(20))
def test_uncovered_is_what_no_extent_covers(seed: int) -> None:
    generator = random.Random(seed)
    extents: part_state.Extents = ()
    for _ in range(generator.randrange(6)):
        start = generator.randrange(30)
        extents = part_state.merge(extents, start, start + generator.randrange(1, 6))
    start, end = sorted((generator.randrange(40), generator.randrange(40)))
    found = [at for first, last in part_state.uncovered(extents, start, end) for at in range(first, last)]
    assert found == [at for at in range(start, end) if not any(a <= at < b for a, b in extents)]


def test_without_a_size_the_end_stays_open(tmp_path: Path) -> None:
    part = begun(tmp_path / "f", None)
    put(part, 0, b"01")
    assert part.gaps() == ((2, -1),)
    part.finish_size(2, part.epoch)
    assert part.gaps() == ()
    part.close()


def test_a_later_run_goes_on(tmp_path: Path) -> None:
    part = begun(tmp_path / "f")
    put(part, 0, b"0123")
    part.save()
    part.close()
    again = Part(tmp_path / "f", SYNC)
    assert (again.state.identity, again.state.validator, again.state.size) == (IDENTITY, '"v"', 10)
    assert again.gaps() == ((4, 10),)
    again.close()
    assert left_over(tmp_path / "f") == 4


def test_nothing_left_over_without_the_two_files(tmp_path: Path) -> None:
    assert left_over(tmp_path / "f") == 0
    begun(tmp_path / "f").close()
    (tmp_path / "f.part").unlink()
    assert left_over(tmp_path / "f") == 0


def test_after_a_restart_of_the_machine_only_what_is_on_the_disk_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = begun(tmp_path / "f")
    put(part, 0, b"0123")
    part.sync()
    put(part, 4, b"45")
    part.save()
    part.close()
    later = part_state.booted() + 3600
    monkeypatch.setattr(module, "booted", lambda: later)
    again = Part(tmp_path / "f", SYNC)
    assert again.gaps() == ((4, 10),)
    again.close()


def test_a_part_that_lost_its_end_is_believed_no_further(tmp_path: Path) -> None:
    part = begun(tmp_path / "f")
    put(part, 0, b"01234567")
    part.save()
    part.close()
    os.truncate(tmp_path / "f.part", 3)
    again = Part(tmp_path / "f", SYNC)
    assert again.gaps() == ((3, 10),)
    again.close()


@pytest.mark.parametrize("slot", [0, 1])
def test_a_torn_write_of_the_state_leaves_the_one_before(tmp_path: Path, slot: int) -> None:
    part = begun(tmp_path / "f")
    for offset in range(4):
        put(part, offset, b"x")
        part.save()
    part.close()
    data = bytearray((tmp_path / "f.part.state").read_bytes())
    data[slot * 4096 + 20] ^= 1
    (tmp_path / "f.part.state").write_bytes(data)
    again = Part(tmp_path / "f", SYNC)
    assert again.received == 4
    again.close()


@pytest.mark.parametrize("text", [b"", b"nonsense", b"\x00" * 8192, b"zz" * 4096])
def test_a_lost_state_starts_from_nothing(tmp_path: Path, text: bytes) -> None:
    part = begun(tmp_path / "f")
    put(part, 0, b"0123")
    part.close()
    (tmp_path / "f.part.state").write_bytes(text)
    again = Part(tmp_path / "f", SYNC)
    assert again.received == 0
    again.close()


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    part = Part(tmp_path / "f", SYNC)
    with pytest.raises(HeldError):
        Part(tmp_path / "f", SYNC)
    steps = waiting(tmp_path / "f", SYNC, pause=0.0, limit=60.0)
    assert next(steps) is None
    part.close()
    got = next(found for found in steps if found is not None)
    got.close()


def test_on_a_share_without_locks_the_processes_of_this_computer_keep_out_of_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = own_files._lock

    def unsupported(fd: int) -> None:
        if os.path.samestat(os.fstat(fd), (tmp_path / "f.part.state").stat()):
            raise OSError(37, "No locks available")
        real(fd)

    monkeypatch.setattr(own_files, "_lock", unsupported)
    first = Part(tmp_path / "f", SYNC)
    with pytest.raises(HeldError):
        Part(tmp_path / "f", SYNC)
    first.close()
    Part(tmp_path / "f", SYNC).discard()


def test_waiting_ends(tmp_path: Path) -> None:
    part = Part(tmp_path / "f", SYNC)
    with pytest.raises(HeldError):
        list(waiting(tmp_path / "f", SYNC, pause=0.0, limit=-1.0))
    part.close()


def test_who_waited_does_not_take_a_lock_that_was_removed(tmp_path: Path) -> None:
    first = Part(tmp_path / "f", SYNC)
    first.discard()
    second = Part(tmp_path / "f", SYNC)
    with pytest.raises(HeldError):
        Part(tmp_path / "f", SYNC)
    second.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_connection_that_was_given_up_writes_nothing(tmp_path: Path) -> None:
    part = begun(tmp_path / "f")
    before = part.epoch
    part.begin("https://x/f", "0" * 64, "", 10)
    with pytest.raises(ClosedError):
        part.write(0, memoryview(b"old"), before)
    with pytest.raises(ClosedError):
        part.finish_size(3, before)
    part.close()
    with pytest.raises(ClosedError):
        part.write(0, memoryview(b"late"), part.epoch)
    assert (tmp_path / "f.part").read_bytes() == b""


def test_publishing_leaves_the_file_alone_in_its_folder(tmp_path: Path) -> None:
    part = begun(tmp_path / "f", 4)
    put(part, 0, b"0123")
    part.seal()
    part.publish(tmp_path / "f", lambda _seconds: None)
    part.close()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("f", b"0123")]


def refusing(times: int, winerror: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real = own_files.move
    left = [times]

    def move(source: Path, target: Path, check: Callable[[os.stat_result], None]) -> None:
        if left[0]:
            left[0] -= 1
            error = PermissionError(13, "in use")
            error.winerror = winerror  # type: ignore[attr-defined]
            raise error
        real(source, target, check)

    monkeypatch.setattr(own_files, "move", move)


def test_a_file_that_an_antivirus_holds_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = begun(tmp_path / "f", 4)
    put(part, 0, b"0123")
    part.seal()
    refusing(3, 32, monkeypatch)
    pauses: list[float] = []
    part.publish(tmp_path / "f", pauses.append)
    assert len(pauses) == 3
    assert (tmp_path / "f").read_bytes() == b"0123"


def test_a_file_that_stays_held_stays_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = begun(tmp_path / "f", 4)
    put(part, 0, b"0123")
    part.seal()
    refusing(1000, 5, monkeypatch)
    with pytest.raises(PermissionError):
        part.publish(tmp_path / "f", lambda _seconds: None)
    assert left_over(tmp_path / "f") == 4


def test_another_refusal_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = begun(tmp_path / "f", 0)
    part.seal()
    refusing(1000, 3, monkeypatch)
    pauses: list[float] = []
    with pytest.raises(PermissionError):
        part.publish(tmp_path / "f", pauses.append)
    assert pauses == []


def test_bytes_are_forced_to_the_disk_now_and_then(tmp_path: Path) -> None:
    part = Part(tmp_path / "f", 100)
    part.begin("https://x/f", IDENTITY, "", 1000)
    put(part, 0, bytes(100))
    for _ in range(200):
        if part.state.durable:
            break
        part._ended.wait(0.05)
    assert part.state.durable == ((0, 100),)
    part.close()


def test_a_disk_that_fails_in_the_background_fails_the_next_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = Part(tmp_path / "f", 100)
    part.begin("https://x/f", IDENTITY, "", 1000)

    def fail(_fd: int) -> None:
        raise OSError(5, "input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "fsync", fail)
        put(part, 0, bytes(100))
        part._flusher.join(10.0)
    with pytest.raises(OSError, match="input/output"):
        put(part, 100, b"x")
    part.close()


@pytest.mark.parametrize("positioned", [True, False])
def test_what_is_in_the_file_is_read_beside_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, positioned: bool
) -> None:
    if not positioned:
        # Windows has no read at an offset.
        monkeypatch.delattr(os, "preadv", raising=False)
    part = begun(tmp_path / "f")
    put(part, 0, b"01234")
    view = memoryview(bytearray(3))
    assert (part.read(1, view), bytes(view)) == (3, b"123")
    assert (part.read(4, view), bytes(view[:1])) == (1, b"4")
    assert part.read(5, view) == 0
    put(part, 5, b"56789")
    part.close()
    assert (tmp_path / "f.part").read_bytes() == b"0123456789"
