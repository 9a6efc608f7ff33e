"""What can happen on the way from a server, one misbehaviour after the other."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from pathlib import Path

import pytest

from svi_install.cli.app import SUBCOMMANDS
from svi_install.errors import EXIT_DOWNLOAD, EXIT_INTERRUPTED, SviError
from svi_install.loras.catalogue import Lora, Place
from svi_install.loras.fetching import Run
from svi_install.loras.inventory import Need
from svi_install.loras.progress import Progress

from .conftest import PATH, REPOSITORY, Store, large_lora, lora_bytes, sha256
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
    for after in range(len(data)):
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


def test_a_pinned_file_is_not_even_begun_when_the_server_offers_another(store: Store) -> None:
    store.publish(lora_bytes(seed=1))
    store.file = store.file._replace(sha256=sha256(lora_bytes(seed=2)))
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert caught.value.code == "download-other-file"
    assert sum(seen.sent[0] for seen in store.hub.downloads()) == 0 or store.litter() == []
    assert not store.target.exists()


def test_a_pinned_file_comes_from_its_commit(store: Store) -> None:
    data = lora_bytes()
    store.publish(data)
    store.file = store.file._replace(sha256=sha256(data), size=len(data), commit="a" * 40)
    assert store.fetch().proof == "pinned"
    assert store.hub.seen[0].path == f"/{REPOSITORY}/resolve/{'a' * 40}/{PATH}"


def test_a_mirror_steps_in(store: Store) -> None:
    data = lora_bytes()
    store.hub.add("other/mirror", "svi-tiny.safetensors", data)
    store.file = store.file._replace(mirrors=(Place("other/mirror", "svi-tiny.safetensors"),))
    assert store.fetch().sha256 == sha256(data)
    assert any("Trying the next address" in note for note in store.notes)


def test_a_mirror_with_the_same_bytes_goes_on_where_the_first_stopped(store: Store) -> None:
    data = store.publish(lora_bytes())
    store.hub.add("other/mirror", "svi-tiny.safetensors", data)
    store.file = store.file._replace(mirrors=(Place("other/mirror", "svi-tiny.safetensors"),))
    store.hub.faults.extend([Fault(cut=700), Fault(status=403, at="hub")])
    got = store.fetch()
    assert got.fetched == len(data)
    assert store.hub.downloads()[-1].start == 700


def test_what_is_no_token_is_said_and_sent_to_nobody(store: Store) -> None:
    store.publish(lora_bytes())
    store.settings = replace(store.settings, token_fault="HF_TOKEN contains more than one line. It was sent to nobody.")
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert (caught.value.code, caught.value.exit_code) == ("download-token-form", EXIT_DOWNLOAD)
    assert "HF_TOKEN contains more than one line" in caught.value.message
    assert store.hub.seen == []


def test_the_address_that_is_gone_is_shown_without_what_signs_it(store: Store) -> None:
    store.publish(lora_bytes())
    store.hub.always = Fault(status=404)
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert f"{store.hub.store}/store/{REPOSITORY}/{PATH}" in caught.value.message
    assert "signature" not in caught.value.message


def test_a_weak_etag_is_no_licence_to_resume(store: Store) -> None:
    """The hub's own storage never does so, a proxy that packs does: two versions under one weak etag."""
    store.hub.large = False
    store.publish(lora_bytes(seed=1))
    weak = {"ETag": 'W/"same"'}
    data = lora_bytes(seed=2)
    store.hub.faults.extend([Fault(cut=700, headers=weak), Fault(headers=weak), Fault(headers=weak)])
    store.fetch(lambda progress: store.publish(data) and None if progress.phase == "retry" else None)
    assert store.target.read_bytes() == data
    assert any("does not say which version" in note for note in store.notes)


def test_etags_of_two_addresses_are_not_compared(store: Store) -> None:
    store.hub.large = False
    store.publish(lora_bytes(seed=1))
    store.hub.add("other/mirror", "svi-tiny.safetensors", lora_bytes(seed=2))
    store.file = store.file._replace(mirrors=(Place("other/mirror", "svi-tiny.safetensors"),))
    same = {"ETag": '"1"'}
    store.hub.faults.extend([Fault(cut=700, headers=same), Fault(status=403), Fault(headers=same), Fault(headers=same)])
    store.fetch()
    assert store.target.read_bytes() == lora_bytes(seed=2)
    assert any("Another address may have a different file" in note for note in store.notes)


def test_a_stopped_model_names_a_command_that_exists(store: Store) -> None:
    (word,) = {"render"} & set(SUBCOMMANDS)
    store.publish(large_lora(2 * MIB))
    store.hub.faults.append(Fault(cut=MIB))
    lora = Lora("model-Q4_K_M.gguf", "", "model", "wan", "gguf", None, (store.file,))
    need = Need(lora, store.file, store.target, "WanGP's checkpoints", None, False, 0)

    def stop(progress: Progress) -> None:
        if progress.phase == "retry":
            raise KeyboardInterrupt

    with pytest.raises(SviError) as caught:
        Run(store.root, store.settings, stop, store.pauses).bring(need)
    assert caught.value.exit_code == EXIT_INTERRUPTED
    assert caught.value.hint == f"To continue: the same svi-install {word} command again"


def test_the_first_address_is_the_one_to_complain_about(store: Store) -> None:
    store.file = store.file._replace(mirrors=(Place("other/mirror", "svi-tiny.safetensors"),))
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert caught.value.code == "download-missing"
    assert f"no {PATH} in {REPOSITORY}" in caught.value.message


def test_ctrl_c_leaves_what_arrived_and_says_how_to_go_on(store: Store) -> None:
    data = store.publish(large_lora(2 * MIB))
    store.layout = None
    store.hub.faults.append(Fault(cut=MIB))

    def stop(progress: Progress) -> None:
        if progress.phase == "retry":
            raise KeyboardInterrupt

    with pytest.raises(SviError) as caught:
        store.fetch(stop)
    assert caught.value.exit_code == EXIT_INTERRUPTED
    assert "1.0 MB of 2.0 MB (49 %)" in caught.value.message
    assert caught.value.hint == f"To continue: svi-install fetch svi-tiny {store.root}"
    got = store.fetch()
    assert (got.resumed, got.fetched) == (MIB, len(data) - MIB)
    assert got.sha256 == sha256(data)


def test_two_hundred_interruptions(store: Store, tmp_path: Path) -> None:
    size = 48 * MIB
    source = tmp_path / "source.bin"
    source.write_bytes(large_lora(size))
    size = source.stat().st_size
    store.publish(source)
    store.layout = None
    # On a slow machine a second connection would be tried, and the requests would not come in order.
    store.limits(connections=1)
    generator = random.Random(5)
    store.hub.faults.extend(
        Fault(cut=generator.randrange(size // 150), reset=generator.random() < 0.3) for _ in range(200)
    )
    got = store.fetch()
    assert got.sha256 == store.hub.sha256(f"{REPOSITORY}/{PATH}")
    seen = store.hub.downloads()
    assert len(seen) == 201
    lost = [before.start + before.sent[0] - after.start for before, after in itertools.pairwise(seen)]
    assert max(lost) <= 8 * MIB
    assert got.fetched == size
