"""WanGP's queue: what it takes at a time, what it tells, and that an error of one clip is none of another."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from svi_install.errors import SviError
from svi_install.plugin import wangp_queue
from svi_install.runtime import png

from .session import Scripted


def step(number: int, steps: int = 50) -> tuple[str, Any]:
    return "progress", SimpleNamespace(current_step=number, total_steps=steps, status="Denoising")


def test_a_row_is_as_long_as_the_memory_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that cannot be read takes all of it."""
    image = tmp_path / "start.png"
    png.write(image, png.Picture(64, 32, bytes(64 * 32 * 3)))
    tasks = [{"image_start": [str(image)], "image_end": [str(image)]}] * 300
    assert [len(row) for row in wangp_queue.rows(tasks)] == [128, 128, 44]
    # Two pictures of 64 x 32.
    monkeypatch.setattr(wangp_queue, "ROOM", 20 * 2 * 64 * 32 * 3)
    assert [len(row) for row in wangp_queue.rows(tasks[:45])] == [20, 20, 5]
    assert [len(row) for row in wangp_queue.rows([{"image_start": ["gone.png"]}] * 17)] == [8, 8, 1]
    assert list(wangp_queue.rows([])) == []


def test_what_wangp_says_meanwhile() -> None:
    job = Scripted(("status", "Queued in WanGP..."), step(1), ("started", {}), step(2), ("output", {}))
    seen: list[object] = []
    for each in wangp_queue.run(job, [{}], lambda index: len(seen) >= 3, Event()):
        seen.append(each)
        job.done = each == 0
    assert seen == [
        wangp_queue.Step(0, 0, 0, "Queued in WanGP..."),
        wangp_queue.Step(0, 1, 50, "Denoising"),
        wangp_queue.Step(0, 2, 50, "Denoising"),
        0,
    ]
    assert not job.cancelled


def test_of_a_clip_that_is_made_an_error_is_none() -> None:
    """WanGP may lose sight of its own copy of a clip that SVI has written."""
    lost = SimpleNamespace(task_index=1, stage="generation")
    job, made = Scripted(("started", {}), ("error", lost), ("output", {})), {0}
    seen = []
    for each in wangp_queue.run(job, [{}, {}], made.__contains__, Event()):
        seen.append(each)
        job.done = each == 1
        made.add(1)
    assert seen == [0, 1]


def test_it_was_stopped_in_wangps_queue() -> None:
    job = Scripted(("error", SimpleNamespace(task_index=1, stage="cancelled")))
    with pytest.raises(SviError, match="It was stopped in WanGP's queue"):
        list(wangp_queue.run(job, [{}, {}], lambda index: False, Event()))
    assert job.cancelled


def test_a_closed_page_does_no_harm_to_what_the_queue_has_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wangp_queue, "PAGE_PATIENCE", 0.0)
    job = Scripted(("status", "Waiting in WanGP queue..."), step(1))
    seen: list[object] = []
    for each in wangp_queue.run(job, [{}], lambda index: len(seen) >= 2, Event(), lambda: True):
        seen.append(each)
        job.done = each == 0
    assert seen == [wangp_queue.Step(0, 0, 0, "Waiting in WanGP queue..."), wangp_queue.Step(0, 1, 50, "Denoising"), 0]


def test_without_a_page_none_is_closed() -> None:
    assert wangp_queue.page_closed()() is False


def test_a_page_that_was_closed_before_the_queue_took_the_next_clips() -> None:
    """WanGP says first that they wait in its queue, and then that its page would have to put them there."""
    waits = [("status", "Waiting in WanGP queue..."), ("status", "Waiting for WanGP Media Generator to get focus...")]
    job, closed = Scripted(*waits), iter((False, False, True))
    seen: list[object] = []
    with pytest.raises(SviError, match="The page was closed"):
        seen.extend(wangp_queue.run(job, [{}], lambda index: False, Event(), lambda: next(closed)))
    assert [each.said for each in seen if isinstance(each, wangp_queue.Step)] == [words for _, words in waits]
    assert next(closed, "asked until it was closed") == "asked until it was closed"
    assert job.cancelled
