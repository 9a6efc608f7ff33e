"""The button Download against a hub: gone on with after a break, and proven at the end."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from svi_install import loras
from svi_install.plugin import standing
from svi_install.plugin.start import Plugin

from ..loras.conftest import Store, bare_environment, hub, lora_bytes, root, store
from ..loras.hub import Fault

__all__ = ["bare_environment", "hub", "root", "store"]


@pytest.fixture
def plugin(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plugin:
    found = Plugin(tmp_path / "plugin")
    found.root = store.root
    store.limits(attempts=1)
    real = loras.prefetch

    def here(*words: object, **further: object) -> object:
        return functools.partial(real, settings=store.settings, catalogue=store.catalogue, pause=store.pauses)(
            *words, **further
        )

    monkeypatch.setattr(loras, "prefetch", here)
    return found


def test_it_arrives_and_is_proven(store: Store, plugin: Plugin) -> None:
    data = store.publish(lora_bytes())
    said = list(standing.download(plugin.root, "svi-tiny"))
    assert said[-1].startswith("svi-tiny.safetensors: ")
    assert "published" in said[-1]
    assert store.target.read_bytes() == data


def test_after_a_break_it_goes_on(store: Store, plugin: Plugin) -> None:
    data = store.publish(lora_bytes())
    store.hub.faults.append(Fault(cut=700))
    said = list(standing.download(plugin.root, "svi-tiny"))
    assert said[-1].startswith("That failed: ")
    assert store.part.stat().st_size == 700
    asked = len(store.hub.seen)
    said = list(standing.download(plugin.root, "svi-tiny"))
    assert "published" in said[-1]
    assert store.target.read_bytes() == data
    assert any(each.headers.get("range") == "bytes=700-" for each in store.hub.seen[asked:])


def test_a_wrong_byte_is_noticed(store: Store, plugin: Plugin) -> None:
    store.publish(lora_bytes())
    store.hub.faults.append(Fault(flip=900))
    said = list(standing.download(plugin.root, "svi-tiny"))
    assert said[-1].startswith("That failed: ")
    assert not store.target.exists()


def test_it_is_stopped_and_gone_on_with(store: Store, plugin: Plugin) -> None:
    data = store.publish(lora_bytes())
    store.hub.always = Fault(rate=len(data) / 5)
    said = []
    for words in standing.download(plugin.root, "svi-tiny"):
        said.append(words)
        if "%" in words:
            standing.stop_downloads()
    assert said[-1] == standing.STOPPED
    assert 0 < store.part.stat().st_size < len(data)
    # Nothing is left to be stopped.
    standing.stop_downloads()
    store.hub.always = Fault()
    assert "published" in list(standing.download(plugin.root, "svi-tiny"))[-1]
    assert store.target.read_bytes() == data
    assert store.hub.downloads()[-1].start > 0
