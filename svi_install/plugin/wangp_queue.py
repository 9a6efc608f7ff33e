"""WanGP's own queue: clips go in, and each is told of as soon as SVI has written all of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Event
from typing import Any, NamedTuple

from ..errors import SviError

# WanGP opens the start image of every task in its queue; and what is in the queue goes on without a browser.
BATCH = 8
PATIENCE = 60.0
WITHOUT_SVI = "WanGP made a clip without SVI, so it cannot be used. Look at State, above."


class Step(NamedTuple):
    """How far WanGP is with a clip of the row: denoising steps done and all of them (0 of 0 otherwise), its words."""

    clip: int
    step: int
    steps: int
    said: str


def run(
    api: Any, tasks: Sequence[Mapping[str, Any]], made: Callable[[int], bool], stopped: Event
) -> Iterator[Step | int]:
    """Have WanGP make clips with the model that it has loaded.

    Args:
        api: WanGP's session for plugins.
        tasks: settings of the clips, in their order.
        made: tells whether SVI has written all of a clip.
        stopped: set when a person has had enough.

    Yields:
        How far it is, and the index of each clip that is made. It ends early when it was stopped.

    Raises:
        SviError: WanGP has not made a clip; what it said is in the message.
    """
    try:
        job = api.submit_manifest([dict(task) for task in tasks])
    except Exception as error:
        raise SviError("queue", f"WanGP's queue does not take the clips: {error}.") from error
    index = 0
    try:
        while index < len(tasks):
            event = job.events.get(timeout=0.3)
            while index < len(tasks) and made(index):
                yield index
                index += 1
            if index == len(tasks) or stopped.is_set():
                break
            kind: str = event.kind if event is not None else ""
            data: Any = event.data if event is not None else None
            if kind == "progress":
                yield Step(index, data.current_step or 0, data.total_steps or 0, str(data.status or ""))
            elif kind == "status":
                yield Step(index, 0, 0, str(data))
            if made(index):
                continue
            wrong = [data] if kind == "error" else job.result().errors if job.done else []
            # Of a clip that is made, nothing more is wanted.
            left = [each for each in wrong if (each.task_index or index + 1) > index]
            if left or job.done:
                raise SviError("wangp-failed", _why(left[0] if left else None, index))
    finally:
        _end(job, early=index < len(tasks))


def _why(error: Any, index: int) -> str:
    # A clip behind this one was begun, so WanGP is through with this one.
    if error is None or (error.task_index or 0) > index + 1:
        return WITHOUT_SVI
    if getattr(error, "stage", "") == "cancelled":
        return "It was stopped in WanGP's queue. Finished segments are kept."
    return f"WanGP gave up: {' '.join(str(error).split()).rstrip('.')}. Finished segments are kept."


def _end(job: Any, *, early: bool) -> None:
    """Leave nothing of ours in the queue, and wait until WanGP can take more."""
    if early and not job.done:
        job.cancel()
    until = time.monotonic() + PATIENCE
    while not job.done and time.monotonic() < until:
        time.sleep(0.1)
    # A finished video is in the job's memory until this.
    if hasattr(job, "release_output_payload"):
        job.release_output_payload()
