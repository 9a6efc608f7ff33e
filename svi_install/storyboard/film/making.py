"""Makes the clips that a film lacks: WanGP makes them, ffmpeg compresses each one once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import SviError
from ..archive import images
from ..headless import failures, runner
from ..headless.pace import Pace
from . import anchor, clips
from .film import PART, Clip, Film, Progress, Report, known_seconds

After = Callable[[Clip], None]
# Looks at a clip that was just finished and says how the film goes on.
Steer = Callable[[Clip], Film]


def make(
    film: Film,
    job: runner.Job,
    program: Path,
    report: Report,
    *,
    after: After = lambda clip: None,
    steer: Steer | None = None,
) -> tuple[Clip, ...]:
    """Make the missing clips.

    Args:
        film: the film; its store is locked by the caller.
        report: is told how far it is.
        after: is called with each clip that is finished, before the report says so.
        steer: is asked after each clip which film is to be made from there on; WanGP waits meanwhile.

    Returns:
        The clips that were made.

    Raises:
        SviError: WanGP or ffmpeg failed; finished clips stay.
    """
    store, hold = film.store, anchor.hold if film.anchored else None
    if not said_lost(film, job):
        for clip in film.lacking():
            if store.made(clip.key) is not None:
                # The last run was ended between WanGP and ffmpeg.
                clips.finish(film, clip, program, 0.0, hold)
    lacking = list(film.lacking())
    if not lacking:
        return ()
    whole = len(lacking)
    pictures = images.keep(store, film.images)
    tasks: list[dict[str, Any]] = []

    def queue(row: Sequence[Clip]) -> None:
        fields = job.wangp.fields
        tasks.extend(clips.placed(film, clip, pictures, fields=fields, model=job.model) for clip in row)
        for clip in row:
            store.begin(clip.key)
            clips.count_take(film, clip)

    if steer is not None:
        del lacking[1:]
    queue(lacking)
    total, pace = len(film.segments), Pace(known_seconds(film), time.monotonic())
    heard = runner.size(job)

    def without_svi(clip: Clip) -> SviError:
        what = f"WanGP made segment {clip.segment.number} without SVI, so it cannot be used"
        return failures.without_svi(what, job.wangp.root, runner.said(job, heard))

    def progress(index: int, left: int, **further: Any) -> Progress:
        clip = lacking[index]
        takes = film.takes[clip.segment.number].known
        return Progress(
            clip.segment.number, total, seconds=pace.seconds, left=left, take=clip.take, takes=takes, **further
        )

    def tell(step: runner.Step) -> None:
        if step.index < len(lacking):
            clip = lacking[step.index]
            # Other work of WanGP counts steps too; only denoising has as many as were asked for.
            denoises = step.steps == clip.task.get("num_inference_steps")
            if denoises:
                pace.step(step.step, step.steps, time.monotonic())
            if step.step and denoises and job.wangp.says_begun and not store.begun(clip.key):
                raise without_svi(clip)
            report(progress(step.index, whole - step.index, step=step.step, steps=step.steps))

    store.write(
        "start",
        wangp=job.wangp.version,
        headless=job.wangp.headless,
        segments=total,
        missing=whole,
        log=heard,
    )
    for index in _run(film, job, tasks, lacking, tell, ahead=steer is None and not film.anchored):
        clip = lacking[index]
        if store.made(clip.key) is None:
            raise without_svi(clip)
        clips.finish(film, clip, program, pace.finish(time.monotonic()), hold)
        after(clip)
        if steer is not None:
            film = steer(clip)
            left = film.lacking()
            whole = len(lacking) + len(left)
            queue(left[:1])
            lacking += left[:1]
        report(progress(index, whole - index - 1, finished=store.folder(clip.key) / PART))
        _tidy(job.videos)
    return tuple(lacking)


def said_lost(film: Film, job: runner.Job) -> bool:
    """Tell whether WanGP lacked a file in the last run: what it has made then is of no use."""
    starts = [event.get("log") for event in film.store.journal() if event.get("event") == "start"]
    since = starts[-1] if starts and type(starts[-1]) is int and starts[-1] >= 0 else 0
    return any(failures.LOST.match(line) for line in runner.said(job, since))


def doubtful(film: Film, job: runner.Job) -> bool:
    """Tell whether there are segments of a version that kept what WanGP had made without an image."""
    old = [
        segment
        for segment in film.segments
        if film.finished(segment) and "files" not in film.store.facts(film.keys[segment.number])
    ]
    return bool(old) and any(failures.LOST.match(line) for line in runner.said(job))


def _run(
    film: Film,
    job: runner.Job,
    tasks: Sequence[Mapping[str, Any]],
    lacking: Sequence[Clip],
    tell: Callable[[runner.Step], None],
    *,
    ahead: bool,
) -> Iterator[int]:
    """Run WanGP; what it has made without a file that it lacked must not be taken for finished later."""
    try:
        yield from runner.run(job, tasks, tell, ahead=ahead)
    except SviError as error:
        if error.code == "input-lost":
            for clip in lacking:
                if not film.store.finished(clip.key):
                    film.store.forget(clip.key)
        raise


def _tidy(out: Path) -> None:
    """WanGP's own compressed video of a segment is of no use beside the part of the film."""
    for video in out.glob("*.mp4"):
        # On Windows WanGP may still have it open; then the next segment's turn takes it.
        with contextlib.suppress(OSError):
            video.unlink()
