"""One film: which of its segments are finished, making the missing ones, joining them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import SviError
from ..runtime import png
from ..runtime.segment import DONE as MADE
from . import failures, ffmpeg, images, runner, task
from .segments import Segment, film_frames, part_frames, segments_of
from .store import Store, plainly, remove, tail_of
from .story import MOST_SECONDS, Story
from .variants import Variant

PART = "segment.mp4"
END = "end.mp4"
JOINED = "film.mp4"
OUT = "wangp"


@dataclass(frozen=True)
class Film:
    """A story with everything that follows from it.

    Args:
        target: the video to be.
        store: the folder beside it.
        variant: how clips are made.
        segments: in the order of the film.
        keys: address of each segment's result, by its number.
        tasks: WanGP settings of each segment, by its number.
        images: hash of each image by its path.
    """

    target: Path
    store: Store
    variant: Variant
    segments: tuple[Segment, ...]
    keys: Mapping[int, str]
    tasks: Mapping[int, Mapping[str, Any]]
    images: Mapping[str, str] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        """Frames of the whole film."""
        return film_frames(self.segments, self.variant.overlap)

    def folder(self, segment: Segment) -> Path:
        """Folder of a segment's result."""
        return self.store.folder(segment.number, self.keys[segment.number])

    def finished(self, segment: Segment) -> bool:
        """Whether a segment is finished."""
        return self.store.finished(segment.number, self.keys[segment.number])

    def missing(self) -> tuple[Segment, ...]:
        """The segments that have to be made, in the order of the film."""
        return tuple(segment for segment in self.segments if not self.finished(segment))


@dataclass(frozen=True)
class Progress:
    """How far a film is.

    Args:
        segment: number of the segment that is being made.
        segments: how many the film has.
        step: denoising steps that are done.
        steps: of all.
        finished: the file of a segment that has just been finished, None in between.
        seconds: that the last finished segment took, None before the first.
        left: segments that are still to be made, with the current one.
    """

    segment: int
    segments: int
    step: int = 0
    steps: int = 0
    finished: Path | None = None
    seconds: float | None = None
    left: int = 0

    @property
    def eta(self) -> float | None:
        """Seconds to the end, None while nothing is known."""
        if self.seconds is None:
            return None
        done = self.step / self.steps if self.steps and self.finished is None else 0.0
        return max(0.0, self.seconds * (self.left - done))


Report = Callable[[Progress], None]


def store_of(target: Path) -> Store:
    """Return the folder of a film: ``film.svi`` beside ``film.mp4``."""
    return Store(target.absolute().with_suffix(".svi"))


def preview_of(store: Store) -> Path:
    """Return the video that grows with every segment, on request."""
    return store.root / "preview.mp4"


def plan(story: Story, variant: Variant, target: Path, model: str | None = None) -> Film:
    """Work out a film without changing anything.

    Args:
        story: what a person asks for.
        variant: how its clips are made.
        model: WanGP's model type where it is not the variant's.

    Raises:
        SviError: an image cannot be read.
    """
    store = store_of(target)
    segments = segments_of(story, variant, store.takes())
    hashes: dict[str, str] = {}
    keys: dict[int, str] = {}
    tasks: dict[int, Mapping[str, Any]] = {}
    for segment in segments:
        for image in filter(None, (segment.image, segment.end_image)):
            if str(image) not in hashes:
                hashes[str(image)] = images.address(image)
        settings = task.task_of(segment, story, variant, model)
        before = None if segment.begins else keys[segment.number - 1]
        tasks[segment.number] = settings
        keys[segment.number] = task.key_of(settings, before, hashes)
    return Film(target.absolute(), store, variant, segments, keys, tasks, hashes)


def make(film: Film, job: runner.Job, program: Path, report: Report, preview: bool = False) -> tuple[Segment, ...]:
    """Make the missing segments.

    Args:
        film: the film; its store is locked by the caller.
        report: is told how far it is.
        preview: join what is there after each segment.

    Returns:
        The segments that were made.

    Raises:
        SviError: WanGP or ffmpeg failed; finished segments stay.
    """
    if not said_lost(film, job):
        for segment in film.missing():
            if film.store.made(segment.number, film.keys[segment.number]) is not None:
                # The last run was ended between WanGP and ffmpeg.
                _finish(film, segment, program, 0.0)
    missing = film.missing()
    if not missing:
        return ()
    pictures = images.keep(film.store, film.images)
    tasks = [_placed(film, segment, job.wangp.fields, pictures) for segment in missing]
    for segment in missing:
        film.store.begin(segment.number, film.keys[segment.number])
    total, seconds, began = len(film.segments), known_seconds(film), time.monotonic()
    heard = runner.size(job)

    def without_svi(segment: Segment) -> SviError:
        what = f"WanGP made segment {segment.number} without SVI, so it cannot be used"
        return failures.without_svi(what, job.wangp.root, runner.said(job, heard))

    def tell(step: runner.Step) -> None:
        if step.index < len(missing):
            segment, left = missing[step.index], len(missing) - step.index
            # Other work of WanGP counts steps too; only denoising has as many as were asked for.
            denoises = step.step and step.steps == film.tasks[segment.number].get("num_inference_steps")
            if denoises and job.wangp.says_begun and not film.store.begun(segment.number, film.keys[segment.number]):
                raise without_svi(segment)
            report(Progress(segment.number, total, step.step, step.steps, seconds=seconds, left=left))

    film.store.write(
        "start",
        wangp=job.wangp.version,
        headless=job.wangp.headless,
        segments=total,
        missing=len(missing),
        log=heard,
    )
    made = []
    for index in _run(film, job, tasks, missing, tell):
        segment, now = missing[index], time.monotonic()
        if film.store.made(segment.number, film.keys[segment.number]) is None:
            raise without_svi(segment)
        # The first one also loads the model.
        seconds, began = now - began, now
        _finish(film, segment, program, seconds)
        made.append(segment)
        part = film.folder(segment) / PART
        if preview:
            # A player may hold the last one open; that is no reason to stop a night's work.
            with contextlib.suppress(SviError):
                join(film, program, preview_of(film.store), _prefix(film))
        report(Progress(segment.number, total, 0, 0, part, seconds, len(missing) - index - 1))
        _tidy(job.out)
    return tuple(made)


def _run(
    film: Film,
    job: runner.Job,
    tasks: Sequence[Mapping[str, Any]],
    missing: Sequence[Segment],
    tell: Callable[[runner.Step], None],
) -> Iterator[int]:
    """Run WanGP; what it has made without a file that it lacked must not be taken for finished later."""
    try:
        yield from runner.run(job, tasks, tell)
    except SviError as error:
        if error.code == "input-lost":
            forget(film, [segment.number for segment in missing if not film.finished(segment)])
        raise


def said_lost(film: Film, job: runner.Job) -> bool:
    """Tell whether WanGP lacked a file in the last run: what it has made then is of no use."""
    starts = [event.get("log") for event in film.store.journal() if event.get("event") == "start"]
    since = starts[-1] if starts and type(starts[-1]) is int and starts[-1] >= 0 else 0
    return any(failures.LOST.match(line) for line in runner.said(job, since))


def join(film: Film, program: Path, target: Path, segments: Sequence[Segment] | None = None) -> int:
    """Join segments to a video; nothing is compressed again.

    Args:
        target: the video, in the film's folder.
        segments: finished segments from the first on, None for all.

    Raises:
        SviError: ffmpeg failed, or the video has another length than it should have.
    """
    chosen = film.segments if segments is None else tuple(segments)
    parts: list[Path] = []
    for index, segment in enumerate(chosen):
        folder = film.folder(segment)
        parts.append(folder / PART)
        last = index == len(chosen) - 1 or chosen[index + 1].begins
        if last and film.variant.seam == "head":
            parts.append(_end_of(folder, program, film.variant.motion_frames))
    ffmpeg.join(program, parts, target, _comment(film, chosen))
    wanted, frames = film_frames(chosen, film.variant.overlap), ffmpeg.count(program, target)
    if frames != wanted:
        raise SviError(
            "wrong-length",
            f"The film came out {frames} frames long instead of {wanted}, so it was "
            f"not given its final name; it is {target}.",
            "Make it again from the first segment: add --from 1",
        )
    return frames


def handed(film: Film, segment: Segment) -> str | None:
    """Return the address of what a segment hands on to the next one, None when that is not known."""
    kept = film.store.facts(segment.number, film.keys[segment.number]).get("files")
    if not isinstance(kept, dict):
        return None
    text = "".join(f"{name}{kept[name]}" for name in sorted(kept) if name not in (PART, MADE))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def forget(film: Film, numbers: Iterable[int]) -> None:
    """Throw results of segments away."""
    for number in numbers:
        film.store.forget(number, film.keys[number])


def _finish(film: Film, segment: Segment, program: Path, seconds: float) -> None:
    key, folder = film.keys[segment.number], film.folder(segment)
    facts = film.store.made(segment.number, key)
    assert facts is not None
    first, end = part_frames(segment, facts["frames"], film.variant.overlap, film.variant.seam)
    raw = ffmpeg.Raw(folder / "frames.rgb", facts["width"], facts["height"], first, end)
    comment = json.dumps({**film.tasks[segment.number], "svi": facts.get("svi")}, ensure_ascii=False)
    ffmpeg.encode(program, raw, folder / PART, comment)
    kept = {**facts, "seed": segment.seed, "prompt": segment.prompt, "seconds": round(seconds, 2), "key": key}
    before = None if segment.begins else handed(film, film.segments[segment.number - 2])
    kept = {**kept, **({"before": before} if before else {})}
    film.store.finish(segment.number, key, kept, [PART, MADE, *(path.name for path in tail_of(folder))])
    film.store.write("finished", segment=segment.number, key=key, seconds=round(seconds, 2), seed=segment.seed)


def _end_of(folder: Path, program: Path, count: int) -> Path:
    """The tail of a segment that nothing follows, from the lossless frames."""
    target = folder / END
    with plainly(target, "write"):
        try:
            pictures = [png.read(path) for path in tail_of(folder)[-count:] if path.suffix == ".png"]
        except ValueError as error:
            raise SviError("store", f"{error}. Finished segments are kept.", "Run the same command again.") from error
        if target.is_dir():
            remove(target)
        size = (pictures[0].width, pictures[0].height)
        ffmpeg.encode_frames(program, [each.pixels for each in pictures], size, target)
    return target


def _placed(film: Film, segment: Segment, fields: bool, pictures: Mapping[str, Path]) -> dict[str, Any]:
    before = None if segment.begins else film.folder(film.segments[segment.number - 2])
    settings = film.tasks[segment.number]
    settings = task.with_fields(settings, film.variant.architecture) if fields else settings
    shown = {
        name: [str(pictures[path]) for path in settings[name]]
        for name in ("image_start", "image_end")
        if name in settings
    }
    return task.placed({**settings, **shown}, before, film.folder(segment))


def _prefix(film: Film) -> tuple[Segment, ...]:
    found = []
    for segment in film.segments:
        if not film.finished(segment):
            break
        found.append(segment)
    return tuple(found)


def _comment(film: Film, segments: Sequence[Segment]) -> str:
    facts = [film.store.facts(segment.number, film.keys[segment.number]) for segment in segments]
    svi = {**(facts[0].get("svi") or {}), "seeds": [segment.seed for segment in segments], "segments": len(segments)}
    return json.dumps({"svi": svi}, ensure_ascii=False)


def known_seconds(film: Film) -> float | None:
    """How long a segment of this film took in an earlier run; the first of a run also loads the model."""
    times = [event.get("seconds") for event in film.store.journal() if event.get("event") == "finished"]
    known = [float(each) for each in times if isinstance(each, (int, float)) and 0 < each < MOST_SECONDS]
    return known[-1] if known and known[-1] == times[-1] else None


def _tidy(out: Path) -> None:
    """WanGP's own compressed video of a segment is of no use beside the part of the film."""
    for video in out.glob("*.mp4"):
        # On Windows WanGP may still have it open; then the next segment's turn takes it.
        with contextlib.suppress(OSError):
            video.unlink()
