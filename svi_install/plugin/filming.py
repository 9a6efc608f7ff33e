"""Makes films inside WanGP: the clips by WanGP's own queue, everything else as `svi-install render` does it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from threading import Event, Lock
from typing import Any, NamedTuple

from .. import loras
from ..errors import SviError
from ..storyboard.archive import decided, images
from ..storyboard.archive.store import Takes, plainly, regular
from ..storyboard.film import clips, damage, film, lint, picking
from ..storyboard.film.film import Clip, Film
from ..storyboard.finish import delivery
from ..storyboard.headless.pace import Pace
from ..storyboard.media import ffmpeg
from ..storyboard.script.segments import seconds
from ..storyboard.script.story import Story
from ..storyboard.script.variants import variant_of
from . import standing, wangp_queue

LOG = "wangp/wangp.log"
STOPPED = "Stopped. {done} of {all} segments are finished and kept. Continue goes on with the next one."


class Seen(NamedTuple):
    """What a person sees: a sentence, and the film as far as it is."""

    said: str
    film: Film


class _Work:
    """There is one model, so one film is made at a time."""

    def __init__(self) -> None:
        self._one, self.stopped, self.name = Lock(), Event(), ""
        self.last: Seen | None = None

    def begin(self, name: str) -> None:
        if not self._one.acquire(blocking=False):
            raise SviError("busy", f"The film {self.name} is being made already. Stop it first.")
        self.name, self.last = name, None
        self.stopped.clear()

    def end(self) -> None:
        self.name = ""
        self._one.release()


_WORK = _Work()


def now() -> str:
    """Return the name of the film that is being made, empty when none is."""
    return _WORK.name


def last() -> Seen | None:
    """Return what was last said of the film that is being made, or of the one before; for a page opened meanwhile."""
    return _WORK.last


def plain(error: Exception) -> str:
    """Say in one line what went wrong."""
    words = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
    return " ".join(str(words).split())


def stop() -> str:
    """Have the film that is being made stopped; says what happens."""
    if not _WORK.name:
        return "No film is being made."
    _WORK.stopped.set()
    return f"Stopping {_WORK.name}. Finished segments are kept."


def plan(story: Story, target: Path, takes: Mapping[str, Takes] | None = None) -> Film:
    """Work out a film without changing anything.

    Raises:
        SviError: an image cannot be read, or there is no such profile.
    """
    return film.plan(story, variant_of(story.variant), target, None, takes)


def make(
    api: Any,
    root: Path,
    story: Story,
    target: Path,
    *,
    picks: Sequence[tuple[int, int]] = (),
    redo: Sequence[int] = (),
    begun: Callable[[Film], None] = lambda planned: None,
) -> Iterator[Seen]:
    """Make a film, or go on with one.

    Args:
        api: WanGP's session for plugins.
        root: WanGP's folder.
        picks: segments, and the takes of them that are to be in the film.
        redo: segments that are to get a further take.
        begun: is called when the film's folder is there.

    Yields:
        What a person is to see.

    Raises:
        SviError: it cannot be made; finished segments stay.
    """
    _WORK.begin(target.stem)
    try:
        with closing(_made(api, root, story, target, picks=picks, redo=redo, begun=begun)) as made:
            for seen in made:
                _WORK.last = seen
                yield seen
    except Exception as error:
        if _WORK.last is not None:
            _WORK.last = _WORK.last._replace(said=plain(error))
        raise
    finally:
        _WORK.end()


def _made(
    api: Any,
    root: Path,
    story: Story,
    target: Path,
    *,
    picks: Sequence[tuple[int, int]],
    redo: Sequence[int],
    begun: Callable[[Film], None],
) -> Generator[Seen]:
    planned = plan(story, target)
    program = ffmpeg.find(root, Path(sys.executable))
    # WanGP makes the folder of its videos with the first one.
    with plainly(target.parent, "make"):
        target.parent.mkdir(parents=True, exist_ok=True)
    place = delivery.look(planned.target, planned.store)
    if not place.own:
        raise SviError(
            "not-ours", f"{target} is there already and is not this film. It was left alone; choose another name."
        )
    with planned.store.locked():
        if film.take_over(planned):
            planned = plan(story, target)
        _refuse(story, planned, root)
        begun(planned)
        planned = picking.choose(planned, picks, redo, lambda takes: plan(story, target, takes))
        mended = damage.damaged(planned, program)
        film.forget(planned, [segment.number for segment, _ in mended])
        decided.remember(planned.store, story, str(planned.tasks[1]["resolution"]))
        for segment, why in mended:
            yield Seen(f"Segment {segment.number} is damaged and is made again: {why}.", planned)
        yield from _loras(root, planned)
        if not _WORK.stopped.is_set():
            yield from _lacking(api, planned, program)
        if _WORK.stopped.is_set():
            done = len(planned.segments) - len(planned.missing())
            yield Seen(STOPPED.format(done=done, all=len(planned.segments)), planned)
            return
        yield Seen("The segments are joined.", planned)
        joined = planned.store.root / film.JOINED
        film.join(planned, program, joined)
        delivery.put(joined, place, planned.store)
        planned.store.write("joined", segments=len(planned.segments))
        yield Seen(f"The film is done: {planned.target}, {seconds(planned.frames):.1f} seconds.", planned)


def _refuse(story: Story, planned: Film, root: Path) -> None:
    errors = [found.text for found in lint.lint(story, planned, root) if found.level == "error"]
    if errors:
        raise SviError("story", f"This film cannot be made yet: {' '.join(errors)} Nothing was started.")


def _loras(root: Path, planned: Film) -> Iterator[Seen]:
    """Fetch what is missing, with resume and proof; where that fails WanGP tries it itself, and says why it cannot."""
    clips_left = planned.lacking()
    named = [str(name) for clip in clips_left for name in clip.task.get("activated_loras") or ()]
    for name, precision in loras.missing(root, named):
        for words in standing.download(root, name, precision):
            yield Seen(words, planned)
            if _WORK.stopped.is_set():
                return


def _lacking(api: Any, planned: Film, program: Path) -> Iterator[Seen]:
    """Make the clips that a film lacks."""
    store, pace = planned.store, Pace(film.known_seconds(planned), time.monotonic())
    for clip in planned.lacking():
        if store.made(clip.key) is not None:
            # The last run was ended between WanGP and ffmpeg.
            clips.finish(planned, clip, program, 0.0)
    lacking = planned.lacking()
    if not lacking:
        return
    pictures = images.keep(store, planned.images)
    store.write(
        "start",
        headless="page",
        segments=len(planned.segments),
        missing=len(lacking),
        log=regular(store.root / LOG) or 0,
    )
    yield Seen(_of(planned, lacking[0], "waiting for WanGP's queue"), planned)
    tasks = [clips.placed(planned, clip, pictures, fields=True) for clip in lacking]
    closed = wangp_queue.page_closed()
    for places in wangp_queue.rows(tasks):
        start, row = places.start, lacking[places.start : places.stop]
        for clip in row:
            store.begin(clip.key)
            clips.count_take(planned, clip)

        def made(index: int, row: Sequence[Clip] = row) -> bool:
            return store.made(row[index].key) is not None

        for each in wangp_queue.run(api, tasks[start : places.stop], made, _WORK.stopped, closed):
            if isinstance(each, int):
                clips.finish(planned, row[each], program, pace.finish(time.monotonic()))
                yield Seen(_of(planned, row[each], "done"), planned)
                continue
            clip = row[each.clip]
            denoises = each.steps == clip.task.get("num_inference_steps")
            if denoises:
                pace.step(each.step, each.steps, time.monotonic())
            left = len(lacking) - start - each.clip - (each.step / each.steps if denoises else 0)
            yield Seen(_of(planned, clip, _step(each, denoises=denoises, left=left, pace=pace)), planned)
        if _WORK.stopped.is_set():
            return


def _of(planned: Film, clip: Clip, what: str) -> str:
    take = f", take {clip.take}" if clip.take > 1 else ""
    return f"Segment {clip.segment.number} of {len(planned.segments)}{take}: {what}."


def _step(each: wangp_queue.Step, *, denoises: bool, left: float, pace: Pace) -> str:
    if not denoises:
        return each.said.strip().rstrip(".") or "waiting for WanGP"
    whole = pace.seconds
    if whole is None:
        return f"step {each.step} of {each.steps}"
    minutes = whole * left / 60
    return (
        f"step {each.step} of {each.steps}, about {minutes:.0f} min to go"
        if minutes >= 1
        else f"step {each.step} of {each.steps}"
    )
