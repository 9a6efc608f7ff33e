"""The program that runs inside WanGP's Python, here inside the tests' own."""

from __future__ import annotations

import io
import json
import queue
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from svi_install.storyboard.headless import driver

from . import standin


class Ended(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A stand-in whose modules can be imported, until the test is over."""

    def end(code: int) -> NoReturn:
        raise Ended(code)

    made = standin.make(tmp_path / "WanGP")
    monkeypatch.setattr(driver.os, "_exit", end)
    monkeypatch.syspath_prepend(str(made))
    monkeypatch.chdir(made)
    before = set(sys.modules)
    yield made
    for name in set(sys.modules) - before:
        del sys.modules[name]


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix(driver.MARK)) for line in text.split("\n") if line.startswith(driver.MARK)]


def task(folder: Path, image: Path, prompt: str) -> str:
    settings = {
        "prompt": prompt,
        "seed": 1,
        "resolution": "16x16",
        "video_length": 5,
        "num_inference_steps": 2,
        "image_start": [str(image)],
        "svi_segment_out": str(folder),
    }
    return json.dumps(settings) + "\n"


def test_tasks_one_after_the_other(root: Path, tmp_path: Path, image: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines: queue.Queue[str] = queue.Queue()
    for line in (task(tmp_path, image, "one"), task(tmp_path, image, "fail it"), "null\n"):
        lines.put(line)
    with pytest.raises(Ended, match="0"):
        driver._serve(str(root), str(tmp_path), ["--profile", "5"], lines)
    said = capfd.readouterr().out
    assert "WanGP starts with --profile 5" in said
    assert events(said) == [
        {"event": "ready"},
        {"event": "progress", "step": 1, "steps": 2},
        {"event": "progress", "step": 2, "steps": 2},
        {"event": "done", "ok": True, "errors": []},
        {"event": "done", "ok": False, "errors": ["fail it"]},
    ]
    assert (tmp_path / "segment.json").is_file()


def test_nobody_listens_any_more(root: Path) -> None:
    lines: queue.Queue[str] = queue.Queue()
    with pytest.raises(Ended, match=str(driver.STOPPED)):
        driver._listen(io.StringIO("one\ntwo\n"), lines)
    assert [lines.get(), lines.get()] == ["one\n", "two\n"]


def test_the_card_is_cleared_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    cleared: list[bool] = []
    cuda = SimpleNamespace(is_available=lambda: True, empty_cache=lambda: cleared.append(True))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))  # type: ignore[arg-type]
    driver._free()
    assert cleared == [True]
