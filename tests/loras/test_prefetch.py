from __future__ import annotations

from pathlib import Path

import pytest

from svi_install.errors import EXIT_DOWNLOAD, SviError
from svi_install.loras import Fetched, Problem, check, needs, prefetch, profile_url
from svi_install.loras.catalogue import Catalogue, Lora, LoraFile, Place, load
from svi_install.loras.transfer import failures

from .conftest import Store, lora_bytes, sha256, svi_file
from .hub import Fault


def test_needs_ask_nobody(store: Store) -> None:
    (need,) = needs(store.root, None, catalogue=store.catalogue)
    assert (need.target, need.present, need.kept, need.size) == (store.target, False, 0, None)
    assert store.hub.seen == []


def test_needs_know_what_is_there_and_what_is_half_there(store: Store) -> None:
    data = store.publish(lora_bytes())
    store.limits(attempts=1)
    store.hub.faults.append(Fault(cut=700))
    with pytest.raises(SviError):
        store.fetch()
    (need,) = needs(store.root, None, catalogue=store.catalogue)
    assert (need.present, need.kept) == (False, 700)
    store.fetch()
    (need,) = needs(store.root, None, catalogue=store.catalogue)
    assert (need.present, need.size, need.kept) == (True, len(data), 0)


def test_the_default_set_is_svi_shot(root: Path) -> None:
    (need,) = needs(root, None)
    assert need.file.filename == "svi-shot.safetensors"
    assert need.size == 2_453_667_840
    (half,) = needs(root, ["svi-shot"], precision="fp16")
    assert half.size == 1_226_833_920


def test_the_profile_names_what_is_there(root: Path) -> None:
    (shot,) = load().select(["svi-shot"])
    assert profile_url(root, shot, "fp16") == shot.files[1].url
    folder = root / "loras" / "wan_i2v"
    folder.mkdir(parents=True)
    svi_file(folder / shot.files[0].filename)
    assert profile_url(root, shot, "fp16") == shot.files[0].url
    svi_file(folder / shot.files[1].filename, "F16")
    assert profile_url(root, shot, "fp16") == shot.files[1].url


def two(store: Store) -> Catalogue:
    other = Lora("other", "", "Other", "wan", "", None, (LoraFile("fp32", Place("owner/name", "other.safetensors")),))
    return store.catalogue._replace(loras=(*store.catalogue.loras, other))


def test_what_is_complete_stays_when_the_next_one_fails(store: Store) -> None:
    data = store.publish(lora_bytes())
    with pytest.raises(SviError) as caught:
        prefetch(store.root, ["svi-tiny", "other"], settings=store.settings, catalogue=two(store), pause=store.pauses)
    assert caught.value.code == "download-missing"
    assert store.target.read_bytes() == data


def test_room_for_all_is_asked_before_the_first_byte(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    data = store.publish(lora_bytes())
    store.file = store.file._replace(size=len(data))
    both = two(store)
    other = both.loras[1]
    both = both._replace(loras=(both.loras[0], other._replace(files=(other.files[0]._replace(size=10**6),))))
    monkeypatch.setattr(failures, "free_space", lambda _folder: failures.RESERVE + 10**6)
    with pytest.raises(SviError) as caught:
        prefetch(store.root, ["svi-tiny", "other"], settings=store.settings, catalogue=both)
    assert (caught.value.code, caught.value.exit_code) == ("disk-full", EXIT_DOWNLOAD)
    assert store.hub.seen == []


def test_check_says_what_is_fine_and_what_is_not(store: Store) -> None:
    data = store.publish(lora_bytes())
    assert isinstance(data, bytes)
    assert check(store.root, None, settings=store.settings, catalogue=store.catalogue) == ()
    store.fetch()
    (fine,) = check(store.root, None, settings=store.settings, catalogue=store.catalogue)
    assert isinstance(fine, Fetched)
    assert (fine.sha256, fine.proof) == (sha256(data), "published")
    store.target.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    (wrong,) = check(store.root, None, settings=store.settings, catalogue=store.catalogue)
    assert isinstance(wrong, Problem)
    assert "sha256" in wrong.why


def test_check_without_a_published_hash_compares_with_the_first_time(store: Store) -> None:
    store.hub.large = False
    data = store.publish(lora_bytes(seed=1))
    assert store.fetch().proof == "layout"
    store.target.write_bytes(lora_bytes(seed=2))
    (wrong,) = check(store.root, None, settings=store.settings, catalogue=store.catalogue)
    assert isinstance(wrong, Problem)
    assert "first seen" in wrong.why
    assert len(data) == store.target.stat().st_size
