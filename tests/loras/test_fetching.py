"""What is there already, what is in the way, and what the disk does."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from svi_install.errors import EXIT_DOWNLOAD, SviError
from svi_install.loras import local_files
from svi_install.loras.catalogue import Place
from svi_install.loras.transfer import failures
from svi_install.loras.transfer import part as part_module
from svi_install.writing import own_files

from ..runtime.test_lora_file import TWO, gguf
from .conftest import PATH, REPOSITORY, TINY, Store, large_lora, lora_bytes, safetensors, sha256
from .hub import Fault
from .test_local_files import cached as cached_elsewhere


def put(store: Store, data: bytes) -> None:
    store.target.parent.mkdir(parents=True, exist_ok=True)
    store.target.write_bytes(data)


def test_a_second_time_asks_nobody_and_reads_nothing(store: Store) -> None:
    store.publish(lora_bytes())
    store.fetch()
    store.hub.seen.clear()
    store.reports.clear()
    got = store.fetch()
    assert (got.how, got.proof, got.fetched) == ("have", "published", 0)
    assert store.hub.seen == []
    assert [progress.phase for progress in store.reports] == ["resolve", "done"]


def test_a_file_that_wangp_brought_is_proven_not_fetched(store: Store) -> None:
    data = store.publish(lora_bytes())
    assert isinstance(data, bytes)
    put(store, data)
    got = store.fetch()
    assert (got.how, got.proof, got.sha256) == ("have", "published", sha256(data))
    assert store.hub.downloads() == []


@pytest.mark.parametrize("data", [lora_bytes(seed=9), lora_bytes()[:-1], b""])
def test_another_file_of_that_name_is_left_alone(store: Store, data: bytes) -> None:
    store.publish(lora_bytes())
    put(store, data)
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert (caught.value.code, caught.value.exit_code) == ("lora-name-taken", EXIT_DOWNLOAD)
    assert str(store.target) in caught.value.message
    assert store.target.read_bytes() == data


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: path.symlink_to("nothing"), "lora-name-taken"),
        (lambda path: path.symlink_to(path.name), "write-failed"),
        (lambda path: path.mkdir(), "lora-name-taken"),
        (os.mkfifo, "lora-name-taken"),
        (lambda path: path.symlink_to("/dev/zero"), "lora-name-taken"),
    ],
    ids=["a link to nothing", "a link to itself", "a folder", "a pipe", "a device"],
)
def test_what_is_no_file_is_left_alone(store: Store, make: Callable[[Path], None], code: str) -> None:
    store.publish(lora_bytes())
    store.target.parent.mkdir(parents=True)
    make(store.target)
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert (caught.value.code, caught.value.exit_code) == (code, EXIT_DOWNLOAD)
    assert str(store.target) in caught.value.message
    assert os.path.lexists(store.target)
    assert store.hub.downloads() == []
    assert store.litter() == []


def test_a_file_of_a_person_that_appears_at_the_last_moment_is_not_overwritten(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.publish(lora_bytes())
    real = own_files.move

    def move(source: Path, target: Path, check: Callable[[os.stat_result], None]) -> None:
        target.write_bytes(b"of a person")
        real(source, target, check)

    monkeypatch.setattr(own_files, "move", move)
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert caught.value.code == "lora-name-taken"
    assert store.target.read_bytes() == b"of a person"
    assert store.litter() == []


def test_what_a_process_has_left_that_died_after_the_name_was_given(store: Store) -> None:
    store.publish(lora_bytes())
    store.fetch()
    os.link(store.target, store.part)
    store.target.with_name(store.target.name + ".part.state").write_bytes(b"")
    assert store.fetch().how == "have"
    assert store.litter() == []


def test_a_copy_that_is_written_to_while_it_is_hashed_is_not_linked(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = store.publish(lora_bytes())
    assert isinstance(data, bytes)
    other = store.root / "loras" / "wan" / "mine.safetensors"
    other.parent.mkdir(parents=True)
    other.write_bytes(data)
    store.file = store.file._replace(size=len(data), sha256=sha256(data))
    real = os.link

    def link(source: Path, target: Path, **options: bool) -> None:
        if source == other:
            other.write_bytes(data[:-1] + b"x")
        real(source, target, **options)

    monkeypatch.setattr(os, "link", link)
    assert store.fetch().how == "downloaded"
    assert store.target.read_bytes() == data


@pytest.mark.parametrize("content", [b"<html>" * 5000, lora_bytes(TINY._replace(rank=3))])
def test_a_copy_in_the_cache_with_the_right_hash_and_the_wrong_layout_is_not_used(
    store: Store, tmp_path: Path, content: bytes
) -> None:
    cached_elsewhere(tmp_path / "hub", content)
    store.hub.add("owner/name", "v1/svi.safetensors", lora_bytes())
    store.file = store.file._replace(place=Place("owner/name", "v1/svi.safetensors"))
    store.settings = replace(store.settings, cache=tmp_path / "hub")
    assert store.fetch().how == "downloaded"
    assert store.target.read_bytes() == lora_bytes()


def test_a_lora_from_another_repository_with_the_same_base_name_is_not_taken_for_it(store: Store) -> None:
    store.publish(lora_bytes(seed=1))
    store.fetch()
    store.hub.add("someone/else", "svi-tiny.safetensors", lora_bytes(seed=2))
    store.file = store.file._replace(place=Place("someone/else", "svi-tiny.safetensors"))
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert caught.value.code == "lora-name-taken"
    assert store.target.read_bytes() == lora_bytes(seed=1)


def test_without_a_published_hash_a_file_that_is_there_must_be_svi(store: Store) -> None:
    store.hub.large = False
    put(store, lora_bytes())
    assert store.fetch().proof == "layout"
    store.target.unlink()
    put(store, safetensors({"something": [4]}))
    with pytest.raises(SviError, match="does not belong in an SVI LoRA"):
        store.fetch()


def test_without_a_published_hash_what_comes_must_be_svi(store: Store) -> None:
    store.hub.large = False
    store.publish(b"<html>Please sign in to the network of the hotel</html>")
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert caught.value.code == "download-not-a-lora"
    assert re.fullmatch(r"Try a mirror: svi-install fetch [\w.-]+ \S.* --mirror URL", caught.value.hint), (
        caught.value.hint
    )
    assert str(store.root) in caught.value.hint
    assert not store.target.parent.exists()


def test_without_a_published_hash_the_first_one_is_kept(store: Store) -> None:
    store.hub.large = False
    data = store.publish(lora_bytes())
    assert isinstance(data, bytes)
    assert store.fetch().proof == "layout"
    entry = local_files.lookup(store.settings.ledger, store.target)
    assert entry is not None
    assert (entry.sha256, entry.url, entry.proof) == (sha256(data), store.file.url, "layout")


def test_a_model_in_gguf(store: Store) -> None:
    store.hub.add("owner/name", "model-Q4_K_M.gguf", gguf(TWO, body=172))
    store.layout = None
    store.file = store.file._replace(place=Place("owner/name", "model-Q4_K_M.gguf"))
    assert store.fetch().proof == "published"
    store.settings = replace(store.settings, offline=True, ledger=store.settings.ledger.with_name("other.json"))
    assert store.fetch().how == "have"


@pytest.mark.parametrize(
    "content",
    [b"GGUF" + bytes(100), gguf(TWO, body=172)[:-1], gguf(TWO, body=172) + bytes(99), b"<html>", lora_bytes()],
)
def test_a_damaged_model_does_not_stay_whatever_its_hash(store: Store, content: bytes) -> None:
    store.hub.add("owner/name", "model-Q4_K_M.gguf", content)
    store.layout = None
    store.file = store.file._replace(place=Place("owner/name", "model-Q4_K_M.gguf"))
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert caught.value.code == "download-not-a-lora"
    assert not store.target.parent.exists()


def test_a_pin_that_came_later_is_checked(store: Store) -> None:
    data = store.publish(lora_bytes(seed=1))
    assert isinstance(data, bytes)
    store.fetch()
    store.file = store.file._replace(sha256=sha256(lora_bytes(seed=2)), size=len(data))
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert caught.value.code == "lora-name-taken"


def test_a_copy_in_another_folder_is_linked(store: Store) -> None:
    data = store.publish(lora_bytes())
    assert isinstance(data, bytes)
    other = store.root / "loras" / "wan" / "mine.safetensors"
    other.parent.mkdir(parents=True)
    other.write_bytes(data)
    store.file = store.file._replace(size=len(data), sha256=sha256(data))
    got = store.fetch()
    assert (got.how, got.proof) == ("linked", "pinned")
    assert store.target.samefile(other)
    assert store.hub.seen == []
    assert store.litter() == []


def test_a_copy_in_the_hubs_cache_needs_no_network(store: Store, tmp_path: Path) -> None:
    data = lora_bytes()
    cached_elsewhere(tmp_path / "hub", data)
    store.file = store.file._replace(place=Place("owner/name", "v1/svi.safetensors"))
    store.settings = replace(store.settings, offline=True, cache=tmp_path / "hub")
    got = store.fetch()
    assert (got.how, got.proof) == ("linked", "published")
    assert store.hub.seen == []


def test_a_damaged_copy_in_the_cache_is_not_used(store: Store, tmp_path: Path) -> None:
    data = lora_bytes()
    blob = cached_elsewhere(tmp_path / "hub", data)
    blob.write_bytes(data[::-1])
    store.hub.add("owner/name", "v1/svi.safetensors", data)
    store.file = store.file._replace(place=Place("owner/name", "v1/svi.safetensors"))
    store.settings = replace(store.settings, cache=tmp_path / "hub")
    assert store.fetch().how == "downloaded"
    assert store.target.read_bytes() == data


def test_offline_says_so(store: Store) -> None:
    store.settings = replace(store.settings, offline=True)
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert caught.value.code == "download-offline"
    assert store.hub.seen == []
    assert not (store.root / "loras").exists()


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, "disk-full"), (errno.EDQUOT, "disk-full"), (errno.EIO, "disk-error")]
)
def test_a_disk_that_refuses_in_the_middle(
    store: Store, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    store.publish(large_lora(3_000_000))
    store.layout = None
    real = os.write
    left = [5]

    def write(fd: int, data: bytes) -> int:
        if len(data) > 4096:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(number, os.strerror(number))
        return real(fd, data)

    with monkeypatch.context() as patch:
        patch.setattr(part_module.os, "write", write)
        with pytest.raises(SviError) as caught:
            store.fetch()
    assert (caught.value.code, caught.value.exit_code) == (code, EXIT_DOWNLOAD)
    got = store.fetch()
    assert got.resumed > 0
    assert got.fetched < 3_000_000


def test_a_folder_that_cannot_be_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert caught.value.code == "no-permission"


def test_no_room_is_said_before_the_first_byte(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:

    store.publish(lora_bytes())
    monkeypatch.setattr(failures, "free_space", lambda _folder: failures.RESERVE)
    with pytest.raises(SviError) as caught:
        store.fetch()
    assert caught.value.code == "disk-full"
    assert not store.target.exists()
    assert caught.value.message.startswith(store.file.filename)


def test_a_file_that_appears_meanwhile_is_respected(store: Store) -> None:
    data = store.publish(lora_bytes())
    assert isinstance(data, bytes)
    store.hub.faults.append(Fault(cut=700))
    got = store.fetch(lambda progress: put(store, data) if progress.phase == "retry" else None)
    assert got.how == "have"
    assert store.litter() == []


def test_a_complete_part_needs_no_network(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    data = store.publish(lora_bytes())
    assert isinstance(data, bytes)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "in use")

    with monkeypatch.context() as patch:
        patch.setattr(own_files, "move", refuse)
        with pytest.raises(SviError):
            store.fetch()
    store.hub.seen.clear()
    got = store.fetch()
    assert (got.sha256, got.fetched, got.resumed) == (sha256(data), 0, len(data))
    assert store.hub.downloads() == []


def test_names_and_paths_of_the_fixture_are_those_of_the_hub(store: Store) -> None:
    assert store.file.url.endswith(f"{REPOSITORY}/resolve/main/{PATH}")
    assert TINY.tensors == 40
