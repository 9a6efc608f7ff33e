"""Several connections for one file, and several processes that want the same one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from .conftest import PATH, REPOSITORY, Store, large_lora
from .hub import Fault

MIB = 1024 * 1024


@pytest.fixture
def large(store: Store, tmp_path: Path) -> Store:
    """40 MiB to fetch, and a client that soon tries a second connection."""
    source = tmp_path / "source.bin"
    source.write_bytes(large_lora(40 * MIB))
    store.publish(source)
    store.layout = None
    store.limits(trial_seconds=0.25, worthwhile_seconds=0.0)
    return store


def test_several_connections_where_they_pay(large: Store) -> None:
    large.hub.always = Fault(rate=5.0 * MIB)
    got = large.fetch()
    assert got.sha256 == large.hub.sha256(f"{REPOSITORY}/{PATH}")
    starts = [seen.start for seen in large.hub.downloads()]
    assert len(starts) > 1
    assert got.fetched < 41 * MIB


def test_a_refused_second_connection_does_not_end_the_download(large: Store) -> None:
    large.hub.faults.extend([Fault(rate=20.0 * MIB), Fault(status=403)])
    got = large.fetch()
    assert got.sha256 == large.hub.sha256(f"{REPOSITORY}/{PATH}")
    assert large.pauses == []


def test_two_at_once_bring_it_once(store: Store) -> None:
    data = store.publish(large_lora(2 * MIB))
    store.layout = None
    store.hub.always = Fault(rate=4.0 * MIB)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(store.fetch().how)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["downloaded", "have"]
    assert sum(seen.sent[0] for seen in store.hub.downloads()) == len(data)
    assert store.litter() == []
