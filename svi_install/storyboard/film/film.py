"""One film: its segments, the key of each, the takes of each and the one that is picked; joining them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import SviError
from ...runtime import png
from ...runtime.segment import DONE as MADE
from ..archive import earlier, images
from ..archive.store import Store, Takes, plainly, remove, tail_of
from ..headless import task
from ..media import ffmpeg
from ..script.segments import Segment, film_frames, part_frames, segments_of
from ..script.story import MOST_SECONDS, SEEDS, Story
from ..script.variants import Variant
from . import notes

PART = "segment.mp4"
END = "end.mp4"
JOINED = "film.mp4"


@dataclass(frozen=True)
class Clip:
    """One take of one segment: what WanGP makes at a time.

    Args:
        segment: with the seed of this take.
        take: its number.
        key: address of its result.
        task: WanGP settings, without the folders that it comes from and goes to.
        before: key of the clip that it goes on from, None at the beginning of a scene.
    """

    segment: Segment
    take: int
    key: str
    task: Mapping[str, Any]
    before: str | None


@dataclass(frozen=True)
class Film:
    """A story with everything that follows from it; of each segment the picked take, unless it says otherwise.

    Args:
        target: the video to be.
        store: the folder beside it.
        variant: how clips are made.
        segments: in the order of the film.
        keys: address of each segment's result, by its number.
        tasks: WanGP settings of each segment, by its number.
        images: hash of each image by its path.
        slots: address of each segment's first take as the story asks for it, by its number; takes belong to it.
        takes: of each segment, by its number.
        adopted: takes that are known from the layout before only, by their slot.
        story: what it was worked out from.
        anchored: colour that drifts is brought back clip by clip, see `anchor`.
    """

    target: Path
    store: Store
    variant: Variant
    segments: tuple[Segment, ...]
    keys: Mapping[int, str]
    tasks: Mapping[int, Mapping[str, Any]]
    images: Mapping[str, str] = field(default_factory=dict)
    slots: Mapping[int, str] = field(default_factory=dict)
    takes: Mapping[int, Takes] = field(default_factory=dict)
    adopted: Mapping[str, Takes] = field(default_factory=dict)
    story: Story | None = None
    anchored: bool = False

    @property
    def frames(self) -> int:
        """Frames of the whole film."""
        return film_frames(self.segments, self.variant.overlap)

    def folder(self, segment: Segment) -> Path:
        """Folder of a segment's result."""
        return self.store.folder(self.keys[segment.number])

    def finished(self, segment: Segment) -> bool:
        """Whether a segment is finished."""
        return self.store.finished(self.keys[segment.number])

    def missing(self) -> tuple[Segment, ...]:
        """The segments that have to be made, in the order of the film."""
        return tuple(segment for segment in self.segments if not self.finished(segment))

    def clip(self, segment: Segment, take: int) -> Clip:
        """One take of a segment, whether it was made or not."""
        number, seed = segment.number, self.takes[segment.number].seed(take)
        before = None if segment.begins else self.keys[number - 1]
        settings = {**self.tasks[number], "seed": seed}
        held = self.anchored and before is not None
        key = task.key_of(settings, before, self.images, anchored=held)
        key = self.keys[number] if seed == segment.seed else key
        return Clip(replace(segment, seed=seed), take, key, settings, before)

    def clips(self, segment: Segment) -> tuple[Clip, ...]:
        """All known takes of a segment, in their order."""
        return tuple(self.clip(segment, take) for take in range(1, self.takes[segment.number].known + 1))

    def lacking(self) -> tuple[Clip, ...]:
        """The clips that have to be made: of each segment the picked take and as many others as are asked for.

        Returns:
            Each result once, in the order in which they are made.
        """
        found: dict[str, Clip] = {}
        for segment in self.segments:
            picked = self.takes[segment.number].picked
            for take in (picked, *(each for each in range(1, segment.takes + 1) if each != picked)):
                clip = self.clip(segment, take)
                if clip.key not in found and not self.store.finished(clip.key):
                    found[clip.key] = clip
        return tuple(found.values())


@dataclass(frozen=True)
class Progress:
    """How far a film is.

    Args:
        segment: number of the segment that is being made.
        segments: how many the film has.
        step: denoising steps that are done.
        steps: of all.
        finished: the file of a clip that has just been finished, None in between.
        seconds: that the last finished clip took, None before the first.
        left: clips that are still to be made, with the current one.
        take: number of the take that is being made.
        takes: how many the segment has.
        sheet: the page that shows what is finished, None where there is none.
        worker: who makes it, empty where there is only this computer.
        pace: seconds after which one clip more is finished, where that is not how long one takes.
    """

    segment: int
    segments: int
    step: int = 0
    steps: int = 0
    finished: Path | None = None
    seconds: float | None = None
    left: int = 0
    take: int = 1
    takes: int = 1
    sheet: Path | None = None
    worker: str = ""
    pace: float | None = None

    @property
    def eta(self) -> float | None:
        """Seconds to the end, None while nothing is known."""
        pace = self.seconds if self.pace is None else self.pace
        if pace is None:
            return None
        done = self.step / self.steps if self.steps and self.finished is None else 0.0
        return max(0.0, pace * (self.left - done))


Report = Callable[[Progress], None]


def store_of(target: Path) -> Store:
    """Return the folder of a film: ``film.svi`` beside ``film.mp4``."""
    return Store(target.absolute().with_suffix(".svi"))


def plan(
    story: Story,
    variant: Variant,
    target: Path,
    model: str | None = None,
    takes: Mapping[str, Takes] | None = None,
    *,
    anchored: bool = False,
) -> Film:
    """Work out a film without changing anything.

    Args:
        story: what a person asks for.
        variant: how its clips are made.
        model: WanGP's model type where it is not the variant's.
        takes: of clips, by their slot, which count more than what the store knows of them.
        anchored: colour that drifts is brought back; that is part of the address of a clip that goes on from another.

    Raises:
        SviError: an image cannot be read.
    """
    store = store_of(target)
    before_today = earlier.look(store)
    store = replace(store, elsewhere=before_today.folders)
    hashes: dict[str, str] = {}
    segments: list[Segment] = []
    # Before the first segment there may be a video that it goes on from.
    keys: dict[int, str] = {} if story.handed is None else {0: story.handed}
    slots: dict[int, str] = {}
    tasks: dict[int, Mapping[str, Any]] = {}
    counted: dict[int, Takes] = {}
    adopted: dict[str, Takes] = {}
    shift = 0
    for segment in segments_of(story, variant):
        number = segment.number
        for image in filter(None, (segment.image, segment.end_image)):
            if str(image) not in hashes:
                hashes[str(image)] = images.address(image)
        settings = task.task_of(segment, story, variant, model)
        before = None if segment.begins else keys[number - 1]

        def key_of(seed: int, settings: Mapping[str, Any] = settings, before: str | None = before) -> str:
            held = anchored and before is not None
            return task.key_of({**settings, "seed": seed}, before, hashes, anchored=held)

        slot = slots[number] = key_of(segment.seed)
        found = (takes or {}).get(slot) or store.takes(slot)
        if found is None and (found := before_today.takes(segment, story.seed, key_of, shift)) is not None:
            shift = (found.first - segment.seed) % SEEDS
            if found != Takes(segment.seed):
                adopted[slot] = found
        found = found or Takes(segment.seed)
        picked = segment.take or found.picked
        counted[number] = Takes(found.first, picked, max(found.known, picked, segment.takes))
        seed = counted[number].seed(picked)
        segments.append(replace(segment, seed=seed))
        tasks[number] = {**settings, "seed": seed}
        keys[number] = slot if seed == segment.seed else key_of(seed)
    made = (keys, tasks, hashes, slots, counted, adopted)
    return Film(target.absolute(), store, variant, tuple(segments), *made, story, anchored)


def take_over(film: Film) -> bool:
    """Bring a film's folder into the layout of today.

    Returns:
        Whether anything was changed; then the film has to be planned anew.

    Raises:
        SviError: the disk refuses.
    """
    found = earlier.look(film.store)
    # First what the takes are, then the folders: in between, both say the same.
    for slot, takes in film.adopted.items():
        film.store.keep_takes(slot, takes)
    earlier.take_over(film.store, found)
    return bool(found.folders)


def join(film: Film, program: Path, target: Path, segments: Sequence[Segment] | None = None) -> int:
    """Join segments to a video; nothing is compressed again.

    Args:
        target: the video, in the film's folder.
        segments: finished segments from the first on, None for all.

    Raises:
        SviError: ffmpeg failed, or the video has another length than it should have.
    """
    chosen = film.segments if segments is None else tuple(segments)
    parts: list[tuple[Path, int]] = []
    for index, segment in enumerate(chosen):
        folder, made = film.folder(segment), film.store.facts(film.keys[segment.number])["frames"]
        first, end = part_frames(segment, made, film.variant.overlap, film.variant.seam)
        parts.append((folder / PART, end - first))
        last = index == len(chosen) - 1 or chosen[index + 1].begins
        if last and film.variant.seam == "head":
            parts.append((end_of(folder, program, film.variant.motion_frames), film.variant.motion_frames))
    closes = chosen[-1].closes
    if closes:
        # The part of a loop's last clip keeps its last frame; the film leaves it out.
        parts[-1] = (parts[-1][0], parts[-1][1] - 1)
    ffmpeg.join(program, parts, target, notes_of(film, chosen), cut=closes)
    wanted, frames = film_frames(chosen, film.variant.overlap), ffmpeg.count(program, target)
    if frames != wanted:
        raise SviError(
            "wrong-length",
            f"The film came out {frames} frames long instead of {wanted}, so it was "
            f"not given its final name; it is {target}.",
            "Make it again from the first segment: add --from 1",
        )
    return frames


def end_of(folder: Path, program: Path, count: int) -> Path:
    """Make a video of the tail of a segment that nothing follows, from the lossless frames.

    Raises:
        SviError: a frame is damaged, ffmpeg failed, or the disk refuses.
    """
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


def handed(store: Store, key: str) -> str | None:
    """Return the address of what a result hands on to the next clip, None when that is not known."""
    kept = store.facts(key).get("files")
    if not isinstance(kept, dict):
        return None
    text = "".join(f"{name}{kept[name]}" for name in sorted(kept) if name not in (PART, MADE))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def forget(film: Film, numbers: Iterable[int]) -> None:
    """Throw results of segments away."""
    for number in numbers:
        film.store.forget(film.keys[number])


def notes_of(film: Film, segments: Sequence[Segment] | None = None, *, published: bool = False) -> ffmpeg.Notes:
    """Return what a film says about itself.

    Args:
        segments: finished segments from the first on, None for all.
        published: whether this is for the file to publish; the film itself is the same whatever is made from it.
    """
    chosen = film.segments if segments is None else tuple(segments)
    first = film.store.facts(film.keys[chosen[0].number]).get("svi") or {}
    story = film.story
    if story is not None:
        story = notes.as_picked(story, film.segments, {number: each.picked for number, each in film.takes.items()})
        story = story if published else replace(story, fps=None, audio=None, scale=None)
    starts, held = notes.starts_of(chosen, film.variant), taken_out(film, chosen)
    text = notes.comment(first, chosen, story, film.images, film.target.parent, starts=starts, anchored=held)
    return ffmpeg.Notes(text, notes.chapters(chosen, film.variant.overlap))


def taken_out(film: Film, segments: Iterable[Segment]) -> list[dict[str, Any]]:
    """Return what was taken out of the colour of clips (`anchor`), by the number of their segments."""
    found = []
    for segment in segments:
        held = film.store.facts(film.keys[segment.number]).get("anchored")
        if isinstance(held, dict):
            found.append({"clip": segment.number, **held})
    return found


def known_seconds(film: Film) -> float | None:
    """How long a segment of this film took in an earlier run, without the load of the model."""
    times = [event.get("seconds") for event in film.store.journal() if event.get("event") == "finished"]
    known = [float(each) for each in times if isinstance(each, (int, float)) and 0 < each < MOST_SECONDS]
    return known[-1] if known and known[-1] == times[-1] else None
