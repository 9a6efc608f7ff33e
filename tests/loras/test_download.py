"""What can happen on the way from a server, one misbehaviour after the other."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest

from svi_install.errors import EXIT_DOWNLOAD, SviError
from svi_install.loras.transfer import part
from svi_install.loras.transfer.progress import Progress
from svi_install.writing import lease
from tests.every import some

from .conftest import Store, large_lora, lora_bytes, sha256
from .hub import Fault

MIB = 1024 * 1024


def test_a_fresh_download_is_whole_and_proven(store: Store) -> None:
    data = store.publish(lora_bytes())
    got = store.fetch()
    assert store.target.read_bytes() == data
    assert (got.how, got.proof, got.sha256, got.size) == ("downloaded", "published", sha256(data), len(data))
    assert got.fetched == len(data)
    assert store.litter() == []


def test_a_cut_after_every_byte(store: Store) -> None:
    data = store.publish(large_lora(512))
    store.layout = None
    for after in some(range(len(data)), 3):
        store.hub.faults.append(Fault(cut=after))
        got = store.fetch()
        assert store.target.read_bytes() == data, after
        assert got.fetched == len(data), after
        assert [seen.start for seen in store.hub.downloads()] == [0, after], after
        assert store.litter() == []
        store.target.unlink()
        store.hub.seen.clear()


def test_a_reset_instead_of_a_close(store: Store) -> None:
    data = store.publish(large_lora(3 * MIB))
    store.layout = None
    store.hub.faults.extend(Fault(cut=cut, reset=True) for cut in (0, 1, 1000, MIB))
    assert store.fetch().sha256 == sha256(data)


def test_a_dead_process_loses_nothing_that_was_saved(store: Store) -> None:
    data = store.publish(lora_bytes())
    store.limits(attempts=1)
    store.hub.faults.append(Fault(cut=700))
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert caught.value.exit_code == EXIT_DOWNLOAD
    assert "kept for the next run" in caught.value.message
    assert store.part.stat().st_size == 700
    store.reports.clear()
    got = store.fetch()
    assert (got.resumed, got.fetched) == (700, len(data) - 700)
    assert store.target.read_bytes() == data
    first = next(progress for progress in store.reports if progress.phase == "download")
    assert first.done >= 700
    last = store.hub.downloads()[-1]
    assert last.headers["range"] == "bytes=700-"
    assert last.headers["if-range"].startswith('"1-')


def test_a_file_that_changed_on_the_server_starts_again(store: Store) -> None:
    store.publish(lora_bytes(seed=1))
    store.limits(attempts=1)
    store.hub.faults.append(Fault(cut=700))
    with pytest.raises(SviError):
        store.fetch()
    store.limits(attempts=3)
    data = store.publish(lora_bytes(seed=2))
    got = store.fetch()
    assert store.target.read_bytes() == data
    assert got.fetched == len(data)
    assert "The file on the server has changed; starting the download again." in store.notes


def test_a_file_that_changed_is_noticed_without_large_file_storage(store: Store) -> None:
    store.hub.large = False
    store.publish(lora_bytes(seed=1))
    store.hub.faults.append(Fault(cut=700))
    data = lora_bytes(seed=2)

    def change(progress: Progress) -> None:
        if progress.phase == "retry":
            store.publish(data)

    got = store.fetch(change)
    assert store.target.read_bytes() == data
    assert got.proof == "layout"
    assert any("has changed" in note for note in store.notes)


def test_a_changed_etag_of_the_same_file_goes_on(store: Store) -> None:
    data = store.publish(lora_bytes())
    store.hub.faults.append(Fault(cut=700))

    def move(progress: Progress) -> None:
        if progress.phase == "retry":
            store.hub.tag = "2"

    assert store.fetch(move).fetched == len(data)
    assert store.target.read_bytes() == data
    assert store.notes[1:] == []


def test_a_server_without_ranges_works(store: Store) -> None:
    store.hub.ranges = False
    data = store.publish(lora_bytes())
    store.hub.faults.extend([Fault(cut=700), Fault(cut=5)])
    got = store.fetch()
    assert store.target.read_bytes() == data
    assert got.fetched > len(data)
    assert any("cannot continue where we stopped" in note for note in store.notes)


def test_a_server_without_ranges_that_always_cuts_is_given_up(store: Store) -> None:
    store.hub.ranges = False
    store.publish(lora_bytes())
    store.hub.always = Fault(cut=700)
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert caught.value.code == "download-restarts"


def test_a_part_from_elsewhere_in_the_file_is_refused(store: Store) -> None:
    data = store.publish(lora_bytes())
    wrong = {"Content-Range": f"bytes 0-{len(data) - 701}/{len(data)}"}
    store.hub.faults.extend([Fault(cut=700), Fault(headers=wrong)])
    assert store.fetch().sha256 == sha256(data)
    assert any("a different part of the file" in note for note in store.notes)


def test_a_part_that_does_not_say_where_it_belongs_is_refused(store: Store) -> None:
    data = store.publish(lora_bytes())
    store.hub.faults.extend([Fault(cut=700), Fault(headers={"Content-Range": ""})])
    assert store.fetch().sha256 == sha256(data)
    assert any("does not say which" in note for note in store.notes)


@pytest.mark.parametrize("length", [-1, 1, 5000])
def test_a_wrong_length_is_refused_before_a_byte_is_stored(store: Store, length: int) -> None:
    store.publish(lora_bytes())
    store.hub.always = Fault(length=length)
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert caught.value.code == "download-length"
    assert store.litter() == []


def test_wrong_bytes_never_get_the_final_name(store: Store) -> None:
    data = store.publish(lora_bytes())
    store.hub.always = Fault(flip=len(data) - 1)
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert caught.value.code == "download-wrong-bytes"
    assert not store.target.exists()
    assert store.litter() == []


def test_wrong_bytes_are_fetched_again_once(store: Store) -> None:
    data = store.publish(lora_bytes())
    store.hub.faults.append(Fault(flip=len(data) - 1))
    got = store.fetch()
    assert store.target.read_bytes() == data
    assert got.fetched == 2 * len(data)
    assert any("What arrived is damaged" in note for note in store.notes)


def test_a_damaged_part_of_an_earlier_run_is_noticed(store: Store) -> None:
    data = store.publish(lora_bytes())
    store.limits(attempts=1)
    store.hub.faults.append(Fault(cut=700))
    with pytest.raises(SviError):
        store.fetch()
    store.part.write_bytes(bytes(700))
    store.limits(attempts=4)
    assert store.fetch().sha256 == sha256(data)
    assert store.target.read_bytes() == data


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_refusal_is_tried_again(store: Store, status: int) -> None:
    data = store.publish(lora_bytes())
    store.hub.faults.extend([Fault(status=status), Fault(status=status, at="hub")])
    assert store.fetch().sha256 == sha256(data)
    assert len(store.pauses) == 2


def test_retry_after_is_kept_to(store: Store) -> None:
    store.publish(lora_bytes())
    store.hub.faults.append(Fault(status=429, headers={"Retry-After": "7"}))
    store.fetch()
    assert store.pauses == [7.0]


def test_a_server_that_wants_too_long_a_pause_is_not_waited_for(store: Store) -> None:
    store.publish(lora_bytes())
    store.hub.always = Fault(status=503, headers={"Retry-After": "86400"})
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert caught.value.code == "download-server"
    assert store.pauses == []


def test_backoff_grows_and_ends(store: Store) -> None:
    store.publish(lora_bytes())
    store.limits(backoff=1.0, attempts=5)
    store.hub.always = Fault(status=500)
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert caught.value.code == "download-server"
    assert len(store.pauses) == 4
    assert all(later > sooner for sooner, later in itertools.pairwise(store.pauses))


def test_progress_between_failures_starts_the_count_again(store: Store) -> None:
    data = store.publish(lora_bytes())
    store.limits(attempts=2)
    store.hub.faults.extend(Fault(cut=100) for _ in range(10))
    assert store.fetch().sha256 == sha256(data)


def test_a_slow_loris_is_dropped(store: Store) -> None:
    data = store.publish(large_lora(200_000))
    store.layout = None
    store.limits(stall_seconds=0.3, stall_rate=50_000.0)
    store.hub.faults.append(Fault(rate=3_000.0))
    assert store.fetch().sha256 == sha256(data)
    assert any("almost at a standstill" in note for note in store.notes)


def test_a_head_that_never_ends_is_given_up(store: Store) -> None:
    data = store.publish(lora_bytes())
    store.limits(connect=0.3, stall_seconds=0.2)
    store.hub.faults.append(Fault(crawl=0.05))
    assert store.fetch().sha256 == sha256(data)
    assert any("never finishes" in note for note in store.notes)


@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("cut", [None, 0, 700])
def test_an_answer_in_chunks(store: Store, large: bool, cut: int | None) -> None:
    store.hub.large = large
    data = store.publish(lora_bytes())
    store.hub.faults.extend([Fault(chunked=True, cut=cut), Fault(chunked=True)])
    assert store.fetch().sha256 == sha256(data)
    assert store.target.read_bytes() == data


def test_a_compressed_answer_is_unpacked(store: Store) -> None:
    data = store.publish(lora_bytes())
    store.hub.always = Fault(gzip=True)
    assert store.fetch().sha256 == sha256(data)
    assert store.target.read_bytes() == data


def test_a_compressed_answer_that_is_cut_starts_again(store: Store) -> None:
    data = store.publish(lora_bytes())
    store.hub.faults.extend([Fault(gzip=True, cut=400), Fault(gzip=True)])
    store.fetch()
    assert store.target.read_bytes() == data


def test_another_compression_is_refused(store: Store) -> None:
    store.publish(lora_bytes())
    store.hub.always = Fault(headers={"Content-Encoding": "br"})
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert caught.value.code == "download-encoded"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who opens a file")
def test_a_file_that_nobody_else_opened_is_not_read_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    data = store.publish(lora_bytes())
    assert isinstance(data, bytes)
    again: list[Path] = []

    def read_again(path: Path, *_: object) -> str:
        again.append(path)
        return sha256(data)

    monkeypatch.setattr(part, "read_again", read_again)
    assert store.fetch().sha256 == sha256(data)
    assert again == []
    store.target.unlink()
    monkeypatch.setattr(lease, "_LOCAL", set())
    assert store.fetch().sha256 == sha256(data)
    assert again == [store.part]
