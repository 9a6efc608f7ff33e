"""WanGP's session for plugins, as `shared/api.py` and `shared/api_webui.py` of 12.60 have it; clips take no time.

One job at a time; it tells of progress, of an error for each clip that is not made (`_check_queue_errors`), and of
nothing else; an error of one task empties the queue (wgp.py, `process_tasks`, command "error").
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from svi_install.plugin import filming

from ..storyboard.standin import CLIP


class Events:
    """SessionStream: get returns None when nothing comes in time."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Any] = queue.Queue()

    def put(self, kind: str, data: Any) -> None:
        self._queue.put(SimpleNamespace(kind=kind, data=data))

    def get(self, timeout: float) -> Any:
        try:
            return self._queue.get(timeout=timeout)
        except queue.Empty:
            return None


class Job:
    """SessionJob."""

    def __init__(self, tasks: Sequence[Mapping[str, Any]], before: Callable[[Mapping[str, Any]], None]) -> None:
        self.events, self.errors = Events(), list[Any]()
        self.cancelled, self._done = threading.Event(), threading.Event()
        self._tasks, self._before = tasks, before

    def run(self) -> None:
        make = _maker()
        for number, task in enumerate(self._tasks, 1):
            try:
                self._before(task)
                make({**task, "base": "."}, self._step)
            except Exception as error:  # noqa: BLE001  (as WanGP does)
                stage = "cancelled" if self.cancelled.is_set() else "generation"
                for left in range(number, len(self._tasks) + 1):
                    self._wrong(str(error), left, stage)
                break
        self._done.set()

    def _wrong(self, message: str, number: int, stage: str) -> None:
        error = Wrong(message, number, stage)
        self.errors.append(error)
        self.events.put("error", error)

    def _step(self, step: int, steps: int) -> None:
        if self.cancelled.is_set():
            raise RuntimeError("Generation was cancelled")
        self.events.put("progress", SimpleNamespace(current_step=step, total_steps=steps, status="Denoising"))

    @property
    def done(self) -> bool:
        return self._done.is_set()

    def cancel(self) -> None:
        self.cancelled.set()

    def result(self) -> Any:
        self._done.wait()
        return SimpleNamespace(errors=self.errors)


class Wrong:
    """GenerationError."""

    def __init__(self, message: str, task_index: int, stage: str) -> None:
        self.message, self.task_index, self.stage = message, task_index, stage

    def __str__(self) -> str:
        return self.message

    @property
    def cancelled(self) -> bool:
        return self.stage == "cancelled"


class Session:
    """What a plugin is given.

    Args:
        before: is told of each task before its clip is made.
    """

    def __init__(self, before: Callable[[Mapping[str, Any]], None] = lambda task: None) -> None:
        self._before = before
        self.job: Job | None = None
        self.asked: list[list[Mapping[str, Any]]] = []

    def submit_manifest(self, tasks: list[Mapping[str, Any]]) -> Job:
        if self.job is not None and not self.job.done:
            raise RuntimeError("WanGP session already has a generation in progress")
        self.asked.append(tasks)
        self.job = Job(tasks, self._before)
        threading.Thread(target=self.job.run, daemon=True).start()
        return self.job


class Scripted:
    """A job of which everything is known before."""

    def __init__(self, *events: tuple[str, Any]) -> None:
        self.events, self.done, self.cancelled = Events(), False, False
        for kind, data in events:
            self.events.put(kind, data)

    def submit_manifest(self, tasks: list[Any]) -> Scripted:
        return self

    def cancel(self) -> None:
        self.cancelled = self.done = True


def stops_at(prompt: str) -> Session:
    """A session in which a person presses Stop while the clip of that prompt is made."""

    def stop(task: Mapping[str, Any]) -> None:
        if task["prompt"] == prompt:
            filming.stop()
            assert session.job is not None
            assert session.job.cancelled.wait(60)

    session = Session(stop)
    return session


def _maker() -> Callable[..., None]:
    names: dict[str, Any] = {}
    exec(CLIP, names)
    make: Callable[..., None] = names["make"]
    return make
