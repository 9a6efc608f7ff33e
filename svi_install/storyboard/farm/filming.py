"""Makes the clips that films lack on many workers: those that can be made now, the longest way first."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import queue
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...errors import SviError
from ...runtime.segment import DONE as MADE
from ..archive import images
from ..archive.store import read_json
from ..film import clips, making
from ..film.film import PART, Clip, Film, Progress, Report
from ..film.model_choice import ModelChoice
from ..headless.wangp import WanGP
from . import cluster, parcel, work
from .crew import Crew, Say

if TYPE_CHECKING:
    from pathlib import Path

    from distributed import Client, Future

# Another worker may do what one cannot; what the film itself is the reason for fails everywhere.
TRIES = 3
# How often it is asked who has come and gone.
LOOK = 2.0
OF_THE_FILM = {"input-lost", "story"}


@dataclass(eq=False)
class Part:
    """One of the films that are made at the same time.

    Args:
        film: the film; its store is locked by the caller.
        choice: model and options of WanGP.
        program: ffmpeg.
        report: is told how far it is.
        after: is called with each clip that is finished, before the report says so.
        finished: is called once when nothing is lacking any more; what it raises is this film's error.
        name: what lines begin with that are about this film, empty where there is only one.
        made: the clips that were made.
        error: what went wrong with this film alone.
    """

    film: Film
    choice: ModelChoice
    program: Path
    report: Report
    after: making.After = lambda clip: None
    finished: Callable[[Part], None] = lambda part: None
    name: str = ""
    made: list[Clip] = field(default_factory=list)
    error: SviError | None = None
    kept: set[str] = field(default_factory=set)
    failed: dict[str, list[str]] = field(default_factory=dict)
    topic: str = field(default_factory=lambda: f"svi-{secrets.token_hex(8)}")

    @cached_property
    def lacking(self) -> dict[str, Clip]:
        """The clips that were lacking at the beginning, by their key."""
        return {clip.key: clip for clip in self.film.lacking()}

    @cached_property
    def ways(self) -> dict[str, int]:
        """How many clips wait for each one, itself included, one behind the other."""
        return _ways(self.lacking)

    @cached_property
    def pictures(self) -> dict[str, tuple[str, bytes]]:
        """Name and content of each image."""
        kept = images.keep(self.film.store, self.film.images)
        return {path: (copy.name, copy.read_bytes()) for path, copy in kept.items()}

    def begin(self, wangp: str) -> None:
        """Compress what an earlier run has left, and write down that this one begins."""
        for clip in self.film.lacking():
            if self.film.store.made(clip.key) is not None:
                clips.finish(self.film, clip, self.program, 0.0)
        if self.lacking:
            facts = {"segments": len(self.film.segments), "missing": len(self.lacking)}
            self.film.store.write("start", wangp=wangp, headless="farm", **facts)

    @cached_property
    def followers(self) -> dict[str | None, list[Clip]]:
        """The clips that can be made as soon as one is finished, those of None at the beginning."""
        found: dict[str | None, list[Clip]] = {}
        for clip in self.lacking.values():
            found.setdefault(clip.before if clip.before in self.lacking else None, []).append(clip)
        return found

    @property
    def left(self) -> int:
        """How many clips are still to be made."""
        return 0 if self.error is not None else len(self.lacking) - len(self.made)


def make(
    film: Film,
    crew: Crew,
    choice: ModelChoice,
    program: Path,
    report: Report,
    *,
    after: making.After = lambda clip: None,
    patience: float = 60.0,
) -> tuple[Clip, ...]:
    """Make the missing clips of one film; see `Part` and `make_all`.

    Raises:
        SviError: a clip failed everywhere, the disk refuses, or nobody is there; finished clips stay.
    """
    part = Part(film, choice, program, report, after)
    make_all([part], crew, patience=patience)
    if part.error is not None:
        raise part.error
    return tuple(part.made)


def make_all(parts: Sequence[Part], crew: Crew, *, patience: float = 60.0) -> None:
    """Make the missing clips of films side by side; where one fails, the others go on.

    Args:
        crew: who makes them.
        patience: seconds to wait for a worker while there is none.

    Raises:
        SviError: nobody is there who makes clips; finished clips stay.
    """
    row = _Row(parts, crew)
    try:
        row.run(patience)
    finally:
        row.cancel()


class _Row:
    """The clips of one run: which wait, which are out, which are back."""

    def __init__(self, parts: Sequence[Part], crew: Crew) -> None:
        self.parts, self.crew = parts, crew
        self.out: dict[Future[parcel.Outcome], tuple[Part, Clip]] = {}
        # Where those that are out may be made, None for everywhere.
        self.places: dict[Future[parcel.Outcome], set[str] | None] = {}
        self.began, self.looked = time.monotonic(), 0.0
        self.back: queue.SimpleQueue[Future[parcel.Outcome]] = queue.SimpleQueue()
        self.ready: list[tuple[int, int, int, str]] = []
        self.done: set[int] = set()

    def run(self, patience: float) -> None:
        for part in self.parts:
            with self._alone(part):
                part.begin(self.crew.wangp.version)
                for clip in part.followers.get(None, ()):
                    self._wait(part, clip)
                self.crew.client.subscribe_topic(part.topic, self._listener(part))
        alone = time.monotonic()
        while self.ready or self.out:
            if self.back.empty() and time.monotonic() - self.looked > LOOK:
                self._look()
                self.looked = time.monotonic()
            alone = time.monotonic() if self.crew.fit else alone
            if time.monotonic() - alone > patience:
                raise self._nobody()
            self._hire()
            self._finish()
            try:
                future = self.back.get(timeout=LOOK)
            except queue.Empty:
                continue
            if future in self.out:
                self._take(future)
        self._finish()

    def cancel(self) -> None:
        """Take back what nobody has begun, and end the listening."""
        client = self.crew.client
        if client.status == "running":
            client.cancel(list(self.out))
            for part in self.parts:
                client.unsubscribe_topic(part.topic)

    @contextlib.contextmanager
    def _alone(self, part: Part) -> Iterator[None]:
        """Let what goes wrong with a film end that film alone."""
        try:
            yield
        except SviError as error:
            part.error = error
            number = self.parts.index(part)
            self.ready = [each for each in self.ready if each[1] != number]
            heapq.heapify(self.ready)
            given_up = [future for future, (owner, _) in self.out.items() if owner is part]
            for future in given_up:
                self._in(future)
            self.crew.client.cancel(given_up)

    def _take(self, future: Future[parcel.Outcome]) -> None:
        part, clip = self._in(future)
        outcome = self._answer(future)
        with self._alone(part):
            if outcome.error is not None:
                self._again(part, clip, outcome.worker, outcome.error)
                return
            self.crew.made(outcome.worker, part.failed.get(clip.key, ()))
            self._keep(part, clip, outcome)
            part.made.append(clip)
            part.kept.add(clip.key)
            part.after(clip)
            folder = part.film.store.folder(clip.key)
            part.report(self._progress(part, clip, outcome.worker, finished=folder / PART, seconds=outcome.seconds))
            for follower in part.followers.get(clip.key, ()):
                self._wait(part, follower)

    def _finish(self) -> None:
        """Finish films of which nothing is lacking, while the workers make what is lacking of others."""
        for number, part in enumerate(self.parts):
            if number not in self.done and part.error is None and not part.left:
                self.done.add(number)
                with self._alone(part):
                    part.finished(part)

    def _wait(self, part: Part, clip: Clip) -> None:
        heapq.heappush(self.ready, (-part.ways[clip.key], self.parts.index(part), clip.segment.number, clip.key))

    def _hire(self) -> None:
        """Hand out as many clips as there are workers, so that the next one is chosen when one of them is free."""
        while self.ready and len(self.out) < len(self.crew.fit):
            _, number, _, key = heapq.heappop(self.ready)
            part = self.parts[number]
            clip = part.lacking[key]
            with self._alone(part):
                places = self.crew.places(part.failed.get(key, ()))
                future = self._submit(part, clip, places)
                self.out[future], self.places[future] = (part, clip), places
                future.add_done_callback(self.back.put)

    def _nobody(self) -> SviError:
        known = ", ".join(self.crew.known.values())
        return SviError(
            "no-worker",
            f"No worker that fits is there{f' (seen: {known})' if known else ''}. Finished segments are kept.",
            "Start one: svi-install worker --scheduler ADDRESS, then run the same command again.",
        )

    def _look(self) -> None:
        client = self.crew.client
        try:
            if client.status != "running":
                raise OSError("the connection is lost")
            self.crew.look()
        except (OSError, asyncio.TimeoutError) as error:
            raise cluster.gone(_address(client), str(error)) from error
        for future, places in list(self.places.items()):
            if places is not None and not places & self.crew.fit.keys():
                # All that it was meant for have gone.
                self._wait(*self._in(future))
                client.cancel([future])

    def _in(self, future: Future[parcel.Outcome]) -> tuple[Part, Clip]:
        del self.places[future]
        return self.out.pop(future)

    def _submit(self, part: Part, clip: Clip, places: set[str] | None) -> Future[parcel.Outcome]:
        film, tried = part.film, part.failed.get(clip.key, [])
        before = {} if clip.before is None else parcel.tail(film.store.folder(clip.before))
        wanted = {
            path: part.pictures[path] for name in ("image_start", "image_end") for path in clip.task.get(name, ())
        }
        choice = part.choice
        order = parcel.Order(clip, film.variant, wanted, before, choice.options, choice.model, part.topic)
        clips.count_take(film, clip)
        return self.crew.client.submit(
            on_worker,
            order,
            # A key of its own for each try: Dask would remember what came of the last one.
            key=f"{part.topic}-{clip.key[:16]}-{len(tried)}-{secrets.token_hex(4)}",
            workers=None if places is None else sorted(places),
            resources={cluster.RESOURCE: 1, work.kind(self.crew.wangp.version): 1},
            priority=part.ways[clip.key],
            pure=False,
        )

    def _answer(self, future: Future[parcel.Outcome]) -> parcel.Outcome:
        from distributed import KilledWorker

        try:
            outcome: parcel.Outcome = future.result()
        except KilledWorker:
            return parcel.Outcome("a worker", error=("worker-lost", "the worker died three times over this clip", ""))
        except (asyncio.CancelledError, CancelledError, OSError) as error:
            raise cluster.gone(_address(self.crew.client), str(error)) from error
        return outcome

    def _again(self, part: Part, clip: Clip, worker: str, error: tuple[str, str, str]) -> None:
        code, message, hint = error
        tried = part.failed.setdefault(clip.key, [])
        tried.append(worker)
        others = set(self.crew.fit.values()) - set(tried)
        if code in OF_THE_FILM or len(tried) >= TRIES or not others:
            raise SviError(code, f"On {worker}: {message}", hint or "Run the same command again.")
        # Its first sentence; WanGP's own words, which follow it, are said when nobody can make the clip.
        why = message.split(". ")[0].rstrip(".")
        which = f"{part.name}segment {clip.segment.number}"
        self.crew.say(f"  {which} failed on {worker}: {why}. It goes to another one.")
        self._wait(part, clip)

    def _keep(self, part: Part, clip: Clip, outcome: parcel.Outcome) -> None:
        store = part.film.store
        folder = store.begin(clip.key)
        parcel.unpack(outcome.files, folder, outcome.hashes)
        facts = read_json(folder / MADE)
        if facts != dict(outcome.facts) or PART not in outcome.files:
            raise SviError(
                "parcel",
                f"Segment {clip.segment.number} did not arrive whole from {outcome.worker}.",
                "Run the same command again.",
            )
        clips.keep(part.film, clip, facts, outcome.seconds, worker=outcome.worker)

    def _listener(self, part: Part) -> Callable[[tuple[float, Mapping[str, Any]]], None]:
        def heard(event: tuple[float, Mapping[str, Any]]) -> None:
            said = event[1]
            clip = part.lacking.get(str(said.get("key")))
            if clip is not None and clip.key not in part.kept:
                step, steps = int(said.get("step", 0)), int(said.get("steps", 0))
                part.report(self._progress(part, clip, str(said.get("name")), step=step, steps=steps))

        return heard

    def _progress(self, part: Part, clip: Clip, worker: str, **further: Any) -> Progress:
        done = sum(len(each.made) for each in self.parts)
        return Progress(
            clip.segment.number,
            len(part.film.segments),
            left=sum(each.left for each in self.parts),
            take=clip.take,
            takes=part.film.takes[clip.segment.number].known,
            worker=worker,
            # The time that is left counts all workers and all films together.
            pace=(time.monotonic() - self.began) / done if done else None,
            **further,
        )


def on_worker(order: parcel.Order) -> parcel.Outcome:
    """Make a clip, on the worker."""
    from distributed import get_worker

    worker = get_worker()
    return work.make(order, lambda said: worker.log_event(order.topic, dict(said)))


def _ways(lacking: Mapping[str, Clip]) -> dict[str, int]:
    """Return how many clips of the film wait for each one, itself included, one behind the other."""
    ways = dict.fromkeys(lacking, 1)
    for key in reversed(list(lacking)):
        before = lacking[key].before
        if before in ways:
            ways[before] = max(ways[before], ways[key] + 1)
    return ways


def _address(client: Client) -> str:
    return str(client.scheduler.address) if client.scheduler else "the cluster"


def alone(part: Part, wish: cluster.Wish, wangp: WanGP, say: Say) -> tuple[Clip, ...]:
    """Make what one film lacks where a person asked for.

    Raises:
        SviError: see `make`.
    """
    together([part], wish, wangp, say)
    if part.error is not None:
        raise part.error
    return tuple(part.made)


def together(parts: Sequence[Part], wish: cluster.Wish, wangp: WanGP, say: Say) -> None:
    """Make what films lack where a person asked for; see `make_all`."""
    if not any(part.film.lacking() for part in parts):
        for part in parts:
            part.finished(part)
        return
    with cluster.opened(wish, wangp) as client:
        if page := cluster.dashboard(client):
            say(f"  Dask's page: {page}")
        make_all(parts, Crew(client, wangp, say))
