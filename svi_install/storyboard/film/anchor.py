"""Holds a film's colour: where it drifts, a finished clip is brought back to clip 1 before the next one starts.

What the clips do by themselves is kept without what was taken out of it, so that the trend is judged on all of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime import png
from ..archive.store import Store, digest, plainly, read_json, tail_of, write_json
from ..media import ffmpeg
from . import watch
from .film import PART, Clip, Film

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RECORD = "anchor.json"
COLOURS = ("L", "a", "b")
# Less than this is not worth a change: a third of what an eye notices, in L*, a*, b*.
LEAST = 0.3
# No clip is changed by more than this, in L*, a*, b* and as a factor: noise can look like anything.
MOST, STRONGEST = 10.0, 1.25
# Parts of a clip over which what it adds may build up.
RISES = (0.0, 0.1, 0.25, 0.5, 1.0)
Three = tuple[float, float, float]
ZERO: Three = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Course:
    """What one clip does to the colour; all colours are L*, a*, b* against the beginning of its scene.

    Args:
        marks: where in the clip (0 to 1) and what the colour would be there if nothing had ever been taken out.
        end: what is left of it at the last frame.
        held: what was taken out so far, by this clip and those before it.
        by: what was taken out of this clip at its last frame; zero where it is as WanGP has made it.
        old: what of this the clips before had left, which goes little by little over the whole clip.
        rise: frames over which the rest of it builds up.
        mean: its colour before that, in levels of red, green and blue.
        tails: hash of each frame that it hands on, before anything was taken out of it.
    """

    marks: tuple[tuple[float, float, float, float], ...] = ()
    end: Three = ZERO
    held: Three = ZERO
    by: Three = ZERO
    old: Three = ZERO
    rise: int = 0
    mean: Three = ZERO
    tails: Mapping[str, str] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        """Whether anything is taken out of this clip."""
        return any(self.by)


def read(store: Store, key: str) -> Course | None:
    """Return what is known of a clip, None when nothing is."""
    found = read_json(store.folder(key) / RECORD) or {}
    try:
        if found.pop("key") != key:
            return None
        threes = {name: _three(found[name]) for name in ("end", "held", "by", "old", "mean")}
        marks = tuple((float(at), *_three(colour)) for at, *colour in found["marks"])
        tails = {str(name): str(value) for name, value in found["tails"].items()}
        return Course(marks, rise=int(found["rise"]), tails=tails, **threes)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def hold(film: Film, clip: Clip, program: Path, raw: ffmpeg.Raw, *, total: int, comment: str) -> dict[str, float]:
    """Take out of a clip what its colour has drifted; where the trend says nothing, the clip stays as it is.

    The same command does the same again after a crash, wherever that was.

    Args:
        clip: whose video was just compressed, and whose frames are still there.
        program: ffmpeg.
        raw: the frames of its video.
        total: frames that WanGP has left of it.
        comment: of its video.

    Returns:
        What was taken out of it at its end, empty where nothing was.

    Raises:
        SviError: a clip cannot be read, ffmpeg failed, or the disk refuses.
    """
    store, folder = film.store, film.store.folder(clip.key)
    before = _before(film, clip)
    course = read(store, clip.key)
    if course is None:
        course = _anchored(film, clip, raw, before)
        _keep(store, clip.key, course)
    if not course.changes:
        return {}
    curve = gains(course, raw.end - raw.first, total - raw.first)
    with plainly(folder, "write"):
        for back, path in enumerate(_tail(folder), 1):
            # What has another hash was changed before a crash.
            if digest(path) == course.tails.get(path.name):
                picture = png.read(path)
                part = path.with_name(f"{path.name}.part")
                png.write(part, png.Picture(picture.width, picture.height, shifted(picture.pixels, curve[-back])))
                part.replace(path)
    new = json.loads(comment)
    new["svi"] = {**(new.get("svi") or {}), "anchored": said(course)}
    frames = _frames(raw, curve)
    ffmpeg.encode_frames(program, frames, (raw.width, raw.height), folder / PART, json.dumps(new, ensure_ascii=False))
    # What it came to, so that no error adds up from clip to clip.
    left = _measured(film, clip, before)[0].end
    held = [sum(each) - now for *each, now in zip(course.end, course.held, left, strict=True)]
    _keep(store, clip.key, replace(course, end=left, held=_three(held)))
    store.write("anchored", segment=clip.segment.number, take=clip.take, **said(course))
    return said(course)


def said(course: Course) -> dict[str, float]:
    """Return what was taken out of a clip at its end, for programs."""
    return {name: round(value, 2) for name, value in zip(COLOURS, course.by, strict=True)}


def words(course: Course | None) -> str:
    """Say what was taken out of a clip, empty where nothing was."""
    if course is None or not course.changes:
        return ""
    each = ", ".join(f"{value:+.1f} {name}*" for name, value in said(course).items() if value)
    return f"colour brought back to clip 1 ({each} at its end)"


def gains(course: Course, frames: int, total: int) -> NDArray[np.float64]:
    """Return the factors of red, green and blue that take out what a clip has too much.

    Args:
        frames: of its video.
        total: with those that only the next clip sees.

    Returns:
        (total, 3).
    """
    import numpy as np
    from skimage.color import lab2rgb, rgb2lab

    by, old = np.array(course.by), np.array(course.old)
    taken = (by - old) * _ramp(total, course.rise)[:, None] + old * _ramp(total, frames)[:, None]
    level = np.array(course.mean) / 255
    lab = rgb2lab(level[None, None])[0]
    wanted = lab2rgb((lab + taken)[None])[0]
    found: NDArray[np.float64] = np.clip(wanted / np.maximum(level, 1e-3), 1 / STRONGEST, STRONGEST)
    return found


def shifted(pixels: bytes, factors: Sequence[float] | NDArray[np.float64]) -> bytes:
    """Multiply the red, green and blue of pixels."""
    import numpy as np

    picture = np.frombuffer(pixels, np.uint8).reshape(-1, 3)
    levels = np.arange(256)[:, None] * np.asarray(factors)
    table = np.rint(np.clip(levels, 0, 255)).astype(np.uint8)
    return np.stack([table[:, each][picture[:, each]] for each in range(3)], axis=1).tobytes()


def _anchored(film: Film, clip: Clip, raw: ffmpeg.Raw, before: Sequence[Course]) -> Course:
    """Decide what is to be taken out of a clip."""
    import numpy as np

    course, rise = _measured(film, clip, before)
    if clip.segment.end_image is not None:
        return course
    off = _drifting([*before, course])
    by = np.where(off, -np.array(course.end), 0.0).clip(-MOST, MOST)
    if not (np.abs(by) >= LEAST).any():
        return course
    old = np.where(off, -np.array(before[-1].end), 0.0).clip(-MOST, MOST)
    tails = {path.name: digest(path) for path in _tail(film.store.folder(clip.key))}
    return Course(
        course.marks,
        end=_three(course.end + by),
        held=_three(course.held - by),
        by=_three(by),
        old=_three(old),
        rise=rise,
        mean=_mean(raw),
        tails=tails,
    )


def _measured(film: Film, clip: Clip, before: Sequence[Course]) -> tuple[Course, int]:
    """Measure a clip as its video is now.

    Returns:
        What it does, and the frames over which it comes to what it adds.
    """
    import numpy as np

    was = before[-1] if before else Course()
    if clip.segment.end_image is not None:
        # It goes where it is told to, and what follows goes on from there.
        return Course(end=was.end, held=was.held), 0
    found, lead = watch.scanned(film.store, clip)
    where, rows = watch.gain(found, lead)
    frames, gained = found.frames - lead, rows[1:, _columns()]
    virtual = gained + was.end + was.held
    marks = tuple((float(at) / frames, *_three(each)) for at, each in zip(where[1:], virtual, strict=True))
    rise, added = _shape(where[1:], gained, frames)
    return Course(marks, _three(np.array(was.end) + added), was.held), rise


def _before(film: Film, clip: Clip) -> list[Course]:
    """What the clips of a scene before this one do."""
    found: list[Course] = []
    for segment in film.segments[: clip.segment.number - 1]:
        if segment.begins:
            found = []
        key = film.keys[segment.number]
        course = read(film.store, key)
        if course is None:
            # The first clip of a scene is the same with and without an anchor, and may be from before.
            course, _ = _measured(film, film.clip(segment, film.takes[segment.number].picked), found)
            _keep(film.store, key, course)
        found.append(course)
    return [] if clip.segment.begins else found


def _drifting(courses: Sequence[Course]) -> NDArray[np.bool_]:
    """Ask the trend, over all clips of the scene, which of `COLOURS` drift."""
    import numpy as np

    from ...drift.trend import trend

    # A clip that arrives at an image has no marks, and time stands still meanwhile.
    moving = [course for course in courses if course.marks]
    rows = np.array([(number + at, *colour) for number, course in enumerate(moving) for at, *colour in course.marks])
    if len(rows) == 0:
        return np.zeros(len(COLOURS), bool)
    clips = len(moving)
    return np.array([trend(name, rows[:, 0], rows[:, 1 + at], clips).drifts for at, name in enumerate(COLOURS)])


def _shape(where: NDArray[np.float64], gained: NDArray[np.float64], frames: int) -> tuple[int, NDArray[np.float64]]:
    """Find how a clip comes to what it adds: at once, or over some of its frames.

    Returns:
        The frames, and what it has added then, in L*, a*, b*.
    """
    import numpy as np

    if len(where) == 0:
        return 0, np.zeros(len(COLOURS))
    best: tuple[float, int, NDArray[np.float64]] | None = None
    for part in RISES:
        rise = round(frames * part)
        shape = _ramp(frames, rise)[np.minimum(where.astype(int), frames - 1)]
        added = shape @ gained / (shape @ shape)
        error = float(np.square(gained - shape[:, None] * added).sum())
        if best is None or error < best[0]:
            best = error, rise, added
    assert best is not None
    return best[1:]


def _ramp(frames: int, rise: int) -> NDArray[np.float64]:
    import numpy as np

    found: NDArray[np.float64] = np.minimum(1.0, np.arange(1, frames + 1) / max(1, rise))
    return found


def _mean(raw: ffmpeg.Raw) -> Three:
    """The mean colour of the second half of a clip."""
    import numpy as np

    size = raw.width * raw.height * 3
    with plainly(raw.path, "read"), raw.path.open("rb") as file:
        found = []
        for number in range((raw.first + raw.end) // 2, raw.end, 4):
            file.seek(number * size)
            found.append(np.frombuffer(file.read(size), np.uint8).reshape(-1, 3).mean(0))
    return _three(np.mean(found, axis=0))


def _frames(raw: ffmpeg.Raw, curve: NDArray[np.float64]) -> Iterator[bytes]:
    size = raw.width * raw.height * 3
    with raw.path.open("rb") as file:
        file.seek(raw.first * size)
        for factors in curve[: raw.end - raw.first]:
            yield shifted(file.read(size), factors)


def _tail(folder: Path) -> list[Path]:
    """The frames that a clip hands on, the last one first."""
    return sorted(path for path in tail_of(folder) if path.suffix == ".png")


def _keep(store: Store, key: str, course: Course) -> None:
    write_json(store.folder(key) / RECORD, {"key": key, **asdict(course)})


def _columns() -> list[int]:
    from ...drift.steps import QUANTITIES

    return [QUANTITIES.index(name) for name in COLOURS]


def _three(values: Any) -> Three:
    first, second, third = (float(each) for each in values)
    return first, second, third
