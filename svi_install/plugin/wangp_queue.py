"""WanGP's own queue: clips go in, and each is told of as soon as SVI has written all of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Event
from typing import Any, NamedTuple

from ..errors import SviError

# What is in the queue goes on without a browser, what is not waits for one. So a row is long; but WanGP opens the
# images of every task in its queue: their pixels have to find room in memory.
ROOM = 512 << 20
LEAST, MOST = 8, 128
PATIENCE = 60.0
# The page passes a row on to the queue within a second; a page in the background may take until it is looked at.
PAGE_PATIENCE = 30.0
# What WanGP says of clips that its queue has taken.
_TAKEN = "Waiting in WanGP queue"
# And of clips that its queue has not taken, after it has said the other.
_WAITS = "Waiting for WanGP Media Generator"
CLOSED = (
    "The page was closed before WanGP's queue took the next clips. Finished segments are kept. Continue goes on with "
    "the next one."
)
WITHOUT_SVI = "WanGP made a clip without SVI, so it cannot be used. Look at State, above."


class Step(NamedTuple):
    """How far WanGP is with a clip of the row: denoising steps done and all of them (0 of 0 otherwise), its words."""

    clip: int
    step: int
    steps: int
    said: str


def rows(tasks: Sequence[Mapping[str, Any]]) -> Iterator[range]:
    """Divide clips into rows that the queue takes at a time."""
    known: dict[str, int] = {}
    start = room = 0
    for index, task in enumerate(tasks):
        pictures = [str(path) for name in ("image_start", "image_end") for path in task.get(name) or ()]
        needs = sum(known.setdefault(path, known.get(path) or _opened(path)) for path in pictures)
        if index - start >= MOST or (index - start >= LEAST and room + needs > ROOM):
            yield range(start, index)
            start, room = index, 0
        room += needs
    if tasks:
        yield range(start, len(tasks))


def _opened(path: str) -> int:
    """Bytes of a picture in memory; one that cannot be read here takes all the room."""
    try:
        from PIL import Image

        with Image.open(path) as picture:
            return int(picture.width * picture.height * 3)
    except Exception:  # noqa: BLE001  (WanGP says what is wrong with it)
        return ROOM


def page_closed() -> Callable[[], bool]:
    """Return what tells whether the page that has called is closed; without a page it never is."""
    try:
        from gradio.context import LocalContext

        blocks = LocalContext.blocks.get()
        known = blocks.state_holder.session_data
        # Gradio's own request, which names its page, is not always what stands in LocalContext.request.
        page = blocks._queue.event_ids_to_events[LocalContext.event_id.get()].session_hash
        known[page].is_closed  # noqa: B018
    except Exception:  # noqa: BLE001  (another Gradio, or none)
        return lambda: False
    return lambda: page not in known or known[page].is_closed


def run(
    api: Any,
    tasks: Sequence[Mapping[str, Any]],
    made: Callable[[int], bool],
    stopped: Event,
    closed: Callable[[], bool] = lambda: False,
) -> Iterator[Step | int]:
    """Have WanGP make clips with the model that it has loaded.

    Args:
        api: WanGP's session for plugins.
        tasks: settings of the clips, in their order.
        made: tells whether SVI has written all of a clip.
        stopped: set when a person has had enough.
        closed: tells whether the page is closed that passes the clips on to the queue.

    Yields:
        How far it is, and the index of each clip that is made. It ends early when it was stopped.

    Raises:
        SviError: WanGP has not made a clip; what it said is in the message.
    """
    try:
        job = api.submit_manifest([dict(task) for task in tasks])
    except Exception as error:
        raise SviError("queue", f"WanGP's queue does not take the clips: {error}.") from error
    index, taken, waits, since = 0, False, False, time.monotonic()
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
            taken = taken or index > 0 or kind == "progress" or str(data).startswith(_TAKEN)
            waits = str(data).startswith(_WAITS) or (waits and kind != "progress")
            if (waits or (not taken and time.monotonic() - since > PAGE_PATIENCE)) and closed():
                raise SviError("page-closed", CLOSED)
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
