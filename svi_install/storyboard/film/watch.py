"""Measures each finished clip before the next one starts; a bad one is made again with a new seed, the best is kept."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import SviError
from ...runtime.segment import TAIL_NAME
from ..archive import images
from ..archive.store import Store, Takes, read_json, write_json
from ..script.segments import Segment
from ..script.story import FPS, MOST_TAKES
from .film import PART, Clip, Film

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...drift.frames import Frame
    from ...drift.scan import Scan

LOOK = "drift.json"
# Takes of a clip where a person does not say how many.
USUAL = 3
# In halves of what is called drift: what a clip may add, from where on it may add nothing, what a jump counts as.
GROWTH, FAR, JUMP = 1.5, 2.0, 1.0
# A jump that is barely one is not worth another clip.
SURE = 1.05
# A distance from the image that a clip arrives at, in dE, that counts as much.
MISSED = 4.0
# Frames before a clip that its seam is judged from.
BEFORE = 24


@dataclass(frozen=True)
class Look:
    """What was measured of one take.

    Args:
        off: how far its second half is from the beginning of its scene, by quantity (`drift.steps.QUANTITIES`).
        end: how far its last frame is, which the next clip goes on from.
        distance: how far it is off over all quantities; 2 for one of them is what is called drift.
        growth: what this clip added to the distance.
        seam: the jump at its beginning against what is flagged.
        wrong: in words, empty when nothing is.
        goal: of a clip that arrives at an image, likeness (SSIM) and distance (dE) of its last frame to it.
    """

    off: Mapping[str, float]
    end: Mapping[str, float]
    distance: float
    growth: float
    seam: float
    wrong: tuple[str, ...] = ()
    goal: tuple[float, ...] = ()

    @property
    def badness(self) -> float:
        """What takes are compared by; less is better."""
        missed = self.goal[1] / MISSED if self.goal else 0.0
        return (
            missed
            + self.distance
            + JUMP * max(0.0, self.seam - 1)
            + (100.0 if "still" in " ".join(self.wrong) else 0.0)
        )


def read(store: Store, key: str) -> Look | None:
    """Return what was measured of a result, None when it was not."""
    found = read_json(store.folder(key) / LOOK) or {}
    off, end = found.get("off"), found.get("end")
    numbers = [found.get(name) for name in ("distance", "growth", "seam")]
    if found.get("key") != key or not isinstance(off, dict) or not isinstance(end, dict):
        return None
    every = (*numbers, *off.values(), *end.values())
    if not all(isinstance(each, (int, float)) and math.isfinite(each) for each in every):
        return None
    wrong = found.get("wrong")
    words = tuple(str(each) for each in wrong) if isinstance(wrong, list) else ()
    distance, growth, seam = (float(each) for each in numbers if each is not None)
    away, last = ({str(name): float(value) for name, value in each.items()} for each in (off, end))
    near = found.get("goal")
    near = near if isinstance(near, list) else []
    goal = tuple(float(each) for each in near if isinstance(each, (int, float)))
    return Look(away, last, distance, growth, seam, words, goal if len(goal) == 2 else ())


class Watch:
    """Steers a film while it is made.

    Args:
        film: as it is planned.
        most: takes of a clip.
        anew: plans the film again after another take was picked.
        say: tells a person what was done.
    """

    def __init__(self, film: Film, most: int, anew: Callable[[], Film], say: Callable[[str], None]) -> None:
        self.film, self._most, self._anew, self._say = film, min(most, MOST_TAKES), anew, say

    def steer(self, clip: Clip) -> Film:
        """Measure a clip, then decide: go on with it, make it again, or go back to an earlier take.

        Raises:
            SviError: the disk refuses.
        """
        segment = next(each for each in self.film.segments if each.number == clip.segment.number)
        try:
            look = measure(self.film, clip)
        except SviError as error:
            # That is no reason to stop a night's work.
            self._say(f"  segment {segment.number} could not be measured: {error.message}")
            return self.film
        takes = self.film.takes[segment.number]
        self.film.store.write(
            "watched",
            segment=segment.number,
            take=clip.take,
            distance=round(look.distance, 2),
            growth=round(look.growth, 2),
            wrong=list(look.wrong),
        )
        if segment.take is not None or clip.take != takes.picked:
            # The story itself says which take it is.
            return self.film
        if look.wrong and takes.known < self._most:
            self._say(f"  segment {segment.number}, take {clip.take}: {'; '.join(look.wrong)}. Another seed is tried.")
            return self._pick(segment, takes.known + 1)
        if look.wrong or takes.picked > 1:
            return self._pick(segment, self._best(segment, clip.take))
        return self.film

    def _best(self, segment: Segment, last: int) -> int:
        looks = {}
        for clip in self.film.clips(segment):
            if self.film.store.finished(clip.key):
                look = read(self.film.store, clip.key)
                if look is not None:
                    looks[clip.take] = look
        best = min(looks, key=lambda take: (looks[take].badness, take), default=last)
        if len(looks) > 1:
            self._say(f"  segment {segment.number}: take {best} of {len(looks)} drifts least and is in the film.")
        return best

    def _pick(self, segment: Segment, take: int) -> Film:
        takes = self.film.takes[segment.number]
        slot = self.film.slots[segment.number]
        if take != takes.picked or take > takes.known:
            self.film.store.keep_takes(slot, Takes(takes.first, take, max(takes.known, take)))
            self.film = self._anew()
        return self.film


def measure(film: Film, clip: Clip) -> Look:
    """Measure a take against the beginning of its scene, and keep what was found beside it.

    Raises:
        SviError: a finished clip cannot be read, or the disk refuses.
    """
    import numpy as np

    from ...drift.findings import in_unit
    from ...drift.freeze import freezes
    from ...drift.seams import seams
    from ...drift.steps import QUANTITIES
    from ...drift.trend import LEAST, UNITS

    store = film.store
    if (known := read(store, clip.key)) is not None:
        return known
    before = read(store, clip.before) if clip.before else None
    found, lead = scanned(store, clip)
    gained = gain(found, lead)[1]
    arrives = clip.segment.end_image is not None
    # Where it is told to go is no drift, and what follows goes on from there.
    half, last = (np.zeros(len(QUANTITIES)),) * 2 if arrives else (np.median(gained[len(gained) // 2 :], 0), gained[-1])
    was = before.end if before is not None else dict.fromkeys(QUANTITIES, 0.0)
    off = {name: was.get(name, 0.0) + float(half[index]) for index, name in enumerate(QUANTITIES)}
    end = {name: was.get(name, 0.0) + float(last[index]) for index, name in enumerate(QUANTITIES)}
    weight = {name: 2 / (UNITS[name] * LEAST[name]) for name in QUANTITIES}
    distance = math.hypot(*(off[name] * weight[name] for name in QUANTITIES))
    growth = distance - (before.distance if before is not None else 0.0)
    wrong, seam = [], 0.0
    if lead:
        joint = seams(found, (0, lead))[0]
        seam = joint.against if math.isfinite(joint.against) else 0.0
        if joint.flagged and (joint.kind == "repeat" or seam >= SURE):
            wrong.append("its beginning jumps" if joint.kind != "repeat" else "its beginning repeats a frame")
    if any(each.fails or each.share > 0.5 for each in freezes(found)):
        wrong.append("the picture stands still")
    if not arrives and (growth > GROWTH or (distance > FAR and growth > 0)):
        worst = max(QUANTITIES, key=lambda name: abs(off[name] - was.get(name, 0.0)) * weight[name])
        wrong.append(f"it drifts: {in_unit(worst, off[worst] - was.get(worst, 0.0)):+.2f} {_WORDS[worst]}")
    look = Look(off, end, distance, growth, seam, tuple(wrong), _goal(film, clip))
    write_json(store.folder(clip.key) / LOOK, {"key": clip.key, **json.loads(json.dumps(asdict(look)))})
    return look


def _goal(film: Film, clip: Clip) -> tuple[float, ...]:
    """How near the last frame of an arriving clip is to its image, empty where nothing arrives or can be read."""
    import numpy as np
    from PIL import Image

    from ...drift.arrivals import distance

    path = clip.segment.end_image
    if path is None:
        return ()
    known = film.images.get(str(path))
    copy = images.copy_of(film.store, known) if known else None
    # The last frame as it is handed on; in the film it may be the next clip's.
    shown = (film.store.folder(clip.key) / TAIL_NAME.format(1), copy or path)
    try:
        last, goal = (np.asarray(Image.open(each).convert("RGB")) for each in shown)
    except OSError:
        return ()
    return distance(last, goal)


def scanned(store: Store, clip: Clip) -> tuple[Scan, int]:
    """Scan a finished take behind the last frames of the clip before it.

    Returns:
        The numbers of all these frames, and how many of them belong to the clip before.

    Raises:
        SviError: a finished clip cannot be read.
    """
    from ...drift.frames import Video
    from ...drift.scan import scan

    video = Video(store.folder(clip.key) / PART)
    try:
        # Before the first clip there may be what a person's video hands on, which is no clip.
        before = store.folder(clip.before) / PART if clip.before else None
        lead = list(_tail(before)) if before is not None and before.is_file() else []
        # Both files count from 0; the numbers of a scan must go on.
        return scan(video.stream(), _joined(lead, video.frames())), len(lead)
    finally:
        video.close()


def gain(found: Scan, lead: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what a take adds to the drift of the clips before it.

    Args:
        found: its numbers, and those of the frames before it.
        lead: how many frames these are.

    Returns:
        Frames of the take, and a row of `drift.steps.QUANTITIES` for each; the first one stands for its beginning.
    """
    import numpy as np

    if not found.marks:
        return np.zeros(1), np.zeros((1, found.drift.shape[1]))
    start = max((index for index, mark in enumerate(found.marks) if mark < max(1, lead)), default=0)
    where = np.maximum(np.array(found.marks[start:], float) - lead, 0)
    return where, found.drift[start:] - found.drift[start]


_WORDS = {
    "L": "L*",
    "a": "a* (green to red)",
    "b": "b* (blue to yellow)",
    "chroma": "% of colour",
    "contrast": "% of contrast",
    "detail": "% of fine detail",
    "noise": "levels of noise",
}


def said(look: Look | None) -> str:
    """Say in a few words what was measured, empty when nothing was."""
    if look is None:
        return ""
    bad = f"; {'; '.join(look.wrong)}" if look.wrong else ""
    near = f"; SSIM {look.goal[0]:.2f}, {look.goal[1]:.1f} dE off the image that it ends on" if look.goal else ""
    return f"drift {look.distance:.1f} ({look.growth:+.1f} in this clip){near}{bad}"


def _tail(path: Path) -> Iterator[Frame]:
    """The last frames of a clip."""
    import collections

    from ...drift.frames import Video

    video = Video(path)
    try:
        yield from collections.deque(video.frames(), BEFORE)
    finally:
        video.close()


def _joined(lead: list[Frame], frames: Iterator[Frame]) -> Iterator[Frame]:
    from dataclasses import replace
    from itertools import chain

    for number, each in enumerate(chain(lead, frames)):
        yield replace(each, index=number, time=number / FPS)


def facts(film: Film) -> list[dict[str, Any]]:
    """Return what was measured of the takes in the film, for programs."""
    found = []
    for segment in film.segments:
        look = read(film.store, film.keys[segment.number])
        if look is not None:
            found.append({"segment": segment.number, "take": film.takes[segment.number].picked, **asdict(look)})
    return found
