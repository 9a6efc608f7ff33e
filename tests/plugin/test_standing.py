"""What the tab SVI says in each state, what its button mends, and how its downloads go."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from svi_install import loras
from svi_install.errors import SviError
from svi_install.loras.transfer.progress import Progress
from svi_install.plugin import standing
from svi_install.plugin.start import ASIDE, SAFE_MODE, Plugin, Status

from . import standin


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    root = standin.write(tmp_path / "WanGP")
    found = Plugin(next((root / "plugins").iterdir()))
    found.root = root
    found.status = Status("on", "", "12.60")
    return found


class Manager:
    """WanGP's plugin manager, as far as the tab asks it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def update_plugin(self, name: str) -> str:
        self.asked.append(name)
        return f"[Success] Plugin '{name}' updated."


def how(plugin: Plugin, what: str) -> standing.Row:
    return next(row for row in standing.rows(plugin) if row.what == what)


def test_all_is_well(plugin: Plugin) -> None:
    assert "in memory" in how(plugin, "Hooks").how
    assert how(plugin, "WanGP").how.startswith("12.60, proven up to ")
    assert standing.mends(plugin, Manager()) == []
    assert standing.cannot_mend(plugin) == ""
    lora = next(row for row in standing.rows(plugin) if "SVI-Shot" in row.what)
    assert "not there yet" in lora.how
    assert "<script" not in standing.table([standing.Row(standing._GOOD, "y", "<script>")])


@pytest.mark.parametrize(
    ("why", "words"),
    [
        (f"{ASIDE}: because", "install --plugin"),
        ("SVI_WANGP is set to off", "without the variable"),
        ("WanGP started in safe mode", "Restart"),
        ("wgp.py cannot be patched safely", "report the line"),
    ],
)
def test_what_only_a_person_can_mend(plugin: Plugin, why: str, words: str) -> None:
    plugin.status = Status("off", why, "12.60")
    assert words in standing.cannot_mend(plugin)
    assert (how(plugin, "Hooks").mark == standing._BAD) == (ASIDE not in why)


def test_the_button_mends(plugin: Plugin) -> None:
    """A switch is taken back; anything else begins anew, with the newest plugin."""
    manager = Manager()
    (plugin.home / "off").touch()
    (plugin.home / "cache").mkdir()
    (plugin.home / ".git").mkdir()
    plugin.status = Status("off", "there is a file off", "")
    ((_, call),) = standing.mends(plugin, manager)
    assert "gone" in call()
    assert not (plugin.home / "off").exists()
    plugin.status = Status("off", "wgp.py cannot be patched safely", "12.60")
    said = [call() for _, call in standing.mends(plugin, manager)]
    assert ["gone" in each for each in said] == [True, False]
    assert said[1] == f"Plugin '{plugin.home.name}' updated."
    assert manager.asked == [plugin.home.name]
    assert not (plugin.home / "cache").exists()


@pytest.mark.parametrize("why", [f"{ASIDE}: because", "SVI_WANGP is set to off", SAFE_MODE])
def test_what_is_meant_is_not_mended(plugin: Plugin, why: str) -> None:
    (plugin.home / "cache").mkdir()
    plugin.status = Status("off", why, "12.60")
    assert standing.mends(plugin, Manager()) == []


def test_a_function_that_could_not_be_hooked(plugin: Plugin) -> None:
    plugin.lost = "models/wan/any2video.py"
    assert "any2video.py is not as it was" in how(plugin, "Hooks").how


def test_a_lora_that_is_cut(plugin: Plugin) -> None:
    name = next(lora for _, lora in standing.missing(plugin) if lora == "svi-shot")
    (need,) = loras.needs(plugin.root, [name])
    need.target.parent.mkdir(parents=True, exist_ok=True)
    need.target.write_bytes(b"x")
    row = next(row for row in standing.rows(plugin) if "cannot load it" in row.how)
    assert row.mark == standing._BAD


def prefetching(monkeypatch: pytest.MonkeyPatch, run: Callable[[Any], object]) -> None:
    monkeypatch.setattr(loras, "prefetch", lambda root, names, precision, report: run(report))


def test_a_download_says_how_far_it_is(plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(report: Any) -> Any:
        for done in (0, 512, 1024):
            report(Progress("x", "x.safetensors", "download", done, 1024, 0.0, ""))
        raise SviError("download", "The hub did not answer.", "Try again.")

    prefetching(monkeypatch, run)
    said = list(standing.download(plugin.root, "x"))
    assert "512 bytes of 1.0 KB (50 %)" in said[1]
    assert said[-1] == "That failed: The hub did not answer. Try again."


def test_a_download_that_is_stopped_ends(plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    ended, going = threading.Event(), threading.Event()

    def run(report: Any) -> Any:
        try:
            for number in range(100_000):
                report(Progress("x", "x", "download", number, 100_000, 0.0, ""))
                going.wait(0.001)
        finally:
            ended.set()

    prefetching(monkeypatch, run)
    words = standing.download(plugin.root, "x")
    next(words)
    words.close()
    assert ended.wait(10)
