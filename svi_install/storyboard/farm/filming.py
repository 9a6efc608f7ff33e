"""Makes the clips that a film lacks on many workers: those that can be made now, the longest way first."""

from __future__ import annotations

import asyncio
import heapq
import queue
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...errors import SviError
from ...runtime.segment import DONE as MADE
from ..archive import images
from ..archive.store import read_json
from ..film import clips, making
from ..film.film import PART, Clip, Film, Progress, Report
from ..film.model_choice import ModelChoice
from ..headless.wangp import WanGP
from . import cluster, parcel, work

if TYPE_CHECKING:
    from pathlib import Path

    from distributed import Client, Future

# Another worker may do what one cannot; what the film itself is the reason for fails everywhere.
TRIES = 3
# Clips that fail on a worker one after the other: then it is the worker, whose card somebody else may use.
FAULTS = 2
# How often it is asked who has come and gone.
LOOK = 2.0
OF_THE_FILM = {"input-lost", "story"}
Say = Callable[[str], None]


@dataclass
class Crew:
    """The workers that fit this computer's WanGP, by their address.

    Args:
        client: of the scheduler.
        wangp: of this computer; a clip must look the same wherever it is made.
        say: prints a line.
    """

    client: Client
    wangp: WanGP
    say: Say
    fit: dict[str, str] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    cards: set[str] = field(default_factory=set)

    def look(self) -> None:
        """Ask workers that have come who they are, and forget those that have gone."""
        there = self.client.scheduler_info(n_workers=-1)["workers"]
        new = [
            address
            for address, facts in there.items()
            if address not in self.known and facts.get("resources", {}).get(cluster.RESOURCE)
        ]
        answers = self.client.run(work.introduce, workers=new, on_error="return") if new else {}
        for address, facts in answers.items():
            if isinstance(facts, OSError):
                # It has just gone, or is too busy to answer.
                continue
            name = str(there[address].get("name", address))
            why = self._misfit(facts)
            self.known[address] = name
            if why:
                self.say(f"  {name} is left out: {why}")
                self.left_out.add(address)
                continue
            if self.cards and facts["card"] not in self.cards:
                self.say(
                    f"  {name} has another card ({facts['card'] or 'unknown'}): its clips may differ in the last bit."
                )
            self.cards.add(facts["card"])
        # One whose answers are late is back at the next look.
        suit = self.known.keys() - self.left_out
        self.fit = {address: name for address, name in self.known.items() if address in suit and address in there}

    def leave_out(self, name: str) -> None:
        """Give a worker no more clips."""
        self.left_out |= {address for address, known in self.fit.items() if known == name}
        self.fit = {address: known for address, known in self.fit.items() if known != name}

    def _misfit(self, facts: Any) -> str:
        if not isinstance(facts, Mapping):
            return f"it is not a worker of svi-install ({facts})"
        if facts.get("program") != __version__ or facts.get("runtime") != work.runtime_digest():
            return f"it has another version of this program ({facts.get('program')})"
        if facts.get("why"):
            return str(facts["why"])
        if facts.get("wangp") != self.wangp.version:
            return f"it has WanGP {facts.get('wangp')}, and this computer {self.wangp.version}"
        return ""


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
    """Make the missing clips.

    Args:
        film: the film; its store is locked by the caller.
        crew: who makes them.
        choice: model and options of WanGP.
        program: ffmpeg.
        report: is told how far it is.
        after: is called with each clip that is finished, before the report says so.
        patience: seconds to wait for a worker while there is none.

    Returns:
        The clips that were made.

    Raises:
        SviError: a clip failed everywhere, the disk refuses, or nobody is there; finished clips stay.
    """
    for clip in film.lacking():
        if film.store.made(clip.key) is not None:
            clips.finish(film, clip, program, 0.0)
    lacking = {clip.key: clip for clip in film.lacking()}
    if not lacking:
        return ()
    row = _Row(film, crew, choice, lacking, report)
    try:
        return row.run(after, patience)
    finally:
        row.cancel()


class _Row:
    """The clips of one run: which wait, which are out, which are back."""

    def __init__(self, film: Film, crew: Crew, choice: ModelChoice, lacking: dict[str, Clip], report: Report) -> None:
        self.film, self.crew, self.choice, self.lacking, self.report = film, crew, choice, lacking, report
        self.pictures = {
            path: (copy.name, copy.read_bytes()) for path, copy in images.keep(film.store, film.images).items()
        }
        self.topic = f"svi-{secrets.token_hex(8)}"
        self.out: dict[Future[parcel.Outcome], Clip] = {}
        self.failed: dict[str, list[str]] = {}
        # Where those that are out may be made, None for everywhere.
        self.places: dict[Future[parcel.Outcome], set[str] | None] = {}
        self.faults: dict[str, int] = {}
        self.ways = _ways(lacking)
        self.began, self.looked = time.monotonic(), 0.0
        self.kept: set[str] = set()
        self.followers: dict[str, list[Clip]] = {}
        for clip in lacking.values():
            if clip.before is not None:
                self.followers.setdefault(clip.before, []).append(clip)
        self.back: queue.SimpleQueue[Future[parcel.Outcome]] = queue.SimpleQueue()
        self.ready: list[tuple[int, int, str]] = []
        for clip in lacking.values():
            if clip.before not in lacking:
                self._wait(clip)

    def run(self, after: making.After, patience: float) -> tuple[Clip, ...]:
        film, made = self.film, []
        wangp = self.crew.wangp.version
        film.store.write("start", wangp=wangp, headless="farm", segments=len(film.segments), missing=len(self.lacking))
        self.crew.client.subscribe_topic(self.topic, self._heard)
        alone = time.monotonic()
        while self.ready or self.out:
            if self.back.empty() and time.monotonic() - self.looked > LOOK:
                self._look()
                self.looked = time.monotonic()
            alone = time.monotonic() if self.crew.fit else alone
            if time.monotonic() - alone > patience:
                raise self._nobody()
            self._hire()
            try:
                future = self.back.get(timeout=LOOK)
            except queue.Empty:
                continue
            if future not in self.out:
                continue
            clip = self._in(future)
            outcome = self._outcome(future, clip)
            if outcome is None:
                continue
            self._keep(clip, outcome)
            self.kept.add(clip.key)
            made.append(clip)
            after(clip)
            part = film.store.folder(clip.key) / PART
            self.report(self._progress(clip, outcome.worker, finished=part, seconds=outcome.seconds))
            for follower in self.followers.get(clip.key, ()):
                self._wait(follower)
        return tuple(made)

    def cancel(self) -> None:
        """Take back what nobody has begun, and end the listening."""
        client = self.crew.client
        if client.status == "running":
            client.cancel(list(self.out))
            client.unsubscribe_topic(self.topic)

    def _wait(self, clip: Clip) -> None:
        heapq.heappush(self.ready, (-self.ways[clip.key], clip.segment.number, clip.key))

    def _hire(self) -> None:
        """Hand out as many clips as there are workers, so that the next one is chosen when one of them is free."""
        while self.ready and len(self.out) < len(self.crew.fit):
            clip = self.lacking[heapq.heappop(self.ready)[2]]
            places = self._places(clip)
            future = self._submit(clip, places)
            self.out[future] = clip
            self.places[future] = places
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
                self._wait(self._in(future))
                client.cancel([future])

    def _in(self, future: Future[parcel.Outcome]) -> Clip:
        del self.places[future]
        return self.out.pop(future)

    def _places(self, clip: Clip) -> set[str] | None:
        """Return who may make a clip: nobody who has failed at it or at others; None for everybody."""
        tried = self.failed.get(clip.key, [])
        if not tried and not self.faults:
            return None
        return {address for address, name in self.crew.fit.items() if name not in tried}

    def _submit(self, clip: Clip, places: set[str] | None) -> Future[parcel.Outcome]:
        film, tried = self.film, self.failed.get(clip.key, [])
        before = {} if clip.before is None else parcel.tail(film.store.folder(clip.before))
        wanted = {
            path: self.pictures[path] for name in ("image_start", "image_end") for path in clip.task.get(name, ())
        }
        order = parcel.Order(clip, film.variant, wanted, before, self.choice.options, self.choice.model, self.topic)
        clips.count_take(film, clip)
        return self.crew.client.submit(
            on_worker,
            order,
            key=f"{self.topic}-{clip.key[:16]}-{len(tried)}",
            workers=None if places is None else sorted(places),
            resources={cluster.RESOURCE: 1, work.kind(self.crew.wangp.version): 1},
            priority=self.ways[clip.key],
            pure=False,
        )

    def _outcome(self, future: Future[parcel.Outcome], clip: Clip) -> parcel.Outcome | None:
        """Return what came back; None when it is tried once more elsewhere."""
        from distributed import KilledWorker

        try:
            outcome: parcel.Outcome = future.result()
        except KilledWorker:
            self._again(clip, "a worker", ("worker-lost", "the worker died three times over this clip", ""))
            return None
        except (asyncio.CancelledError, CancelledError, OSError) as error:
            raise cluster.gone(_address(self.crew.client), str(error)) from error
        if outcome.error is not None:
            self._again(clip, outcome.worker, outcome.error)
            self._doubt(outcome.worker)
            return None
        self.faults.pop(outcome.worker, None)
        return outcome

    def _doubt(self, worker: str) -> None:
        self.faults[worker] = self.faults.get(worker, 0) + 1
        if self.faults[worker] == FAULTS:
            self.crew.say(f"  {worker} is left out from here on: {FAULTS} clips in a row failed there.")
            self.crew.leave_out(worker)

    def _again(self, clip: Clip, worker: str, error: tuple[str, str, str]) -> None:
        code, message, hint = error
        tried = self.failed.setdefault(clip.key, [])
        tried.append(worker)
        others = set(self.crew.fit.values()) - set(tried)
        if code in OF_THE_FILM or len(tried) >= TRIES or not others:
            raise SviError(code, f"On {worker}: {message}", hint or "Run the same command again.")
        # Its first sentence; WanGP's own words, which follow it, are said when nobody can make the clip.
        why = message.split(". ")[0].rstrip(".")
        self.crew.say(f"  segment {clip.segment.number} failed on {worker}: {why}. It goes to another one.")
        self._wait(clip)

    def _keep(self, clip: Clip, outcome: parcel.Outcome) -> None:
        store = self.film.store
        folder = store.begin(clip.key)
        parcel.unpack(outcome.files, folder, outcome.hashes)
        facts = read_json(folder / MADE)
        if facts != dict(outcome.facts) or PART not in outcome.files:
            raise SviError(
                "parcel",
                f"Segment {clip.segment.number} did not arrive whole from {outcome.worker}.",
                "Run the same command again.",
            )
        clips.keep(self.film, clip, facts, outcome.seconds, worker=outcome.worker)

    def _heard(self, event: tuple[float, Mapping[str, Any]]) -> None:
        said = event[1]
        clip = self.lacking.get(str(said.get("key")))
        if clip is not None and clip.key not in self.kept:
            self.report(
                self._progress(
                    clip, str(said.get("worker")), step=int(said.get("step", 0)), steps=int(said.get("steps", 0))
                )
            )

    def _progress(self, clip: Clip, worker: str, **further: Any) -> Progress:
        done = len(self.kept)
        left = len(self.lacking) - done
        takes = self.film.takes[clip.segment.number].known
        # The time that is left counts all workers together.
        pace = (time.monotonic() - self.began) / done if done else None
        return Progress(
            clip.segment.number,
            len(self.film.segments),
            left=left,
            take=clip.take,
            takes=takes,
            worker=worker,
            **{"seconds": pace, **further},
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


def maker(wish: cluster.Wish, wangp: WanGP, choice: ModelChoice, say: Say) -> Callable[..., tuple[Clip, ...]]:
    """Return what makes the clips that a film lacks where a person asked for; called like `making.make`."""

    def made(film: Film, program: Path, report: Report, *, after: making.After = lambda clip: None) -> tuple[Clip, ...]:
        if not film.lacking():
            return ()
        with cluster.opened(wish, wangp) as client:
            if page := cluster.dashboard(client):
                say(f"  Dask's page: {page}")
            return make(film, Crew(client, wangp, say), choice, program, report, after=after)

    return made
