"""Pinned files, mirrors, tags and stops: how a download begins and ends, beside what happens on the way."""

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
from svi_install.loras.transfer.progress import Progress

from .conftest import PATH, REPOSITORY, Store, large_lora, lora_bytes, sha256
from .hub import Fault

MIB = 1024 * 1024


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
        Run(store.root, store.settings, stop, store.pauses).put_in_place(need)
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
