"""Where the clips of a video begin: told by its metadata, found in the picture, or counted."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .scan import Scan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

How = Literal["asked", "metadata", "found", "counted"]
# WanGP's clip at its usual settings, which is counted when nothing else is known, and its frames a second.
USUAL, FPS = 81, 16.0
# Lengths that clips of video models have.
SHORTEST, LONGEST = 24, 200
# Against the ordinary step, how much the seams must stand out together to be believed, and one by one.
CLEAR, SINGLE = 6.0, 3.0
FEWEST = 3


@dataclass(frozen=True)
class Clips:
    """The clips.

    Args:
        starts: the frame at which each begins; the first is 0.
        how: how that is known.
    """

    starts: tuple[int, ...]
    how: How


def told_by(settings: Mapping[str, Any], frames: int, fps: float, chapters: Sequence[float]) -> tuple[int, ...] | None:
    """Return where clips begin, from what is known of a video; films have a chapter for each shot.

    Args:
        settings: the comment of the video, from JSON.
        frames: how many the video has.
        fps: frames per second; a file that is made to be published has more than WanGP makes.
        chapters: when they begin, in seconds.
    """
    told = from_metadata(settings, frames, fps)
    svi = settings.get("svi")
    if told is None or not isinstance(svi, dict):
        return told
    edges, story = [round(each * fps) for each in chapters], svi.get("story")
    led = 0
    if isinstance(story, dict) and "video" in story:
        # A film that goes on from a person's video has a chapter for that, and else does not say how long it is.
        if len(edges) < 2:
            return None
        led = edges[1]
    if (listed := _listed(svi, fps)) is not None:
        return tuple(sorted({0, *(each + led for each in listed if 0 <= each + led < frames)}))
    clips = len(told)
    shots = [led, *(each for each in edges if led < each < frames), frames]
    counts = [max(1, round((end - start) * clips / (frames - led))) for start, end in itertools.pairwise(shots)]
    if sum(counts) != clips:
        return told
    overlap = _overlap(svi) * fps / FPS
    starts: list[int] = [0] if led else []
    for (start, end), count in zip(itertools.pairwise(shots), counts, strict=True):
        # Only the first clip of a film shows the frames that it shares.
        own = overlap if start == 0 else 0.0
        each = (end - start - own) / count
        starts += [start, *(round(start + own + each * number) for number in range(1, count))]
    return tuple(starts)


def from_metadata(settings: Mapping[str, Any], frames: int, fps: float = FPS) -> tuple[int, ...] | None:
    """Return where clips begin, from what WanGP or svi-install left in a video.

    Args:
        settings: the comment of the video, from JSON.
        frames: how many the video has.
        fps: frames per second.

    Returns:
        The first frame of each clip; None when the settings do not say or do not fit the video.
    """
    svi = settings.get("svi")
    fields = settings.get("custom_settings")
    if not isinstance(svi, dict) and isinstance(fields, dict):
        svi = fields.get("svi")
    svi = svi if isinstance(svi, dict) else {}
    if (listed := _listed(svi, fps)) is not None:
        starts = tuple(sorted({0, *(each for each in listed if 0 < each < frames)}))
        return starts if len(starts) > 1 else None
    count = svi.get("segments") or (len(svi["seeds"]) if isinstance(svi.get("seeds"), list) else None)
    if type(count) is int and 1 < count <= frames // 2:
        return _even(frames, count, _overlap(svi) * fps / FPS)
    window, overlap = settings.get("sliding_window_size"), settings.get("sliding_window_overlap", 1)
    dropped = settings.get("sliding_window_discard_last_frames", 0)
    if all(type(each) is int for each in (window, overlap, dropped)) and window - dropped < frames:
        step = window - overlap - dropped
        if step > 1:
            return (0, *range(window - dropped, frames, step))
    return None


def _listed(svi: Mapping[str, Any], fps: float) -> list[int] | None:
    """Where a film itself says that its clips begin, in frames of this video."""
    listed = svi.get("clip_starts")
    if not isinstance(listed, list) or not listed or not all(type(each) is int for each in listed):
        return None
    return [round(each * fps / FPS) for each in listed]


def _overlap(svi: Mapping[str, Any]) -> int:
    motion = svi.get("motion_frames")
    return motion if type(motion) is int and 0 <= motion < 32 else 1


def _even(frames: int, count: int, overlap: float) -> tuple[int, ...]:
    """Clips of one length, of which all but the first share some frames with the one before."""
    length = (frames + overlap * (count - 1)) / count
    step = length - overlap
    return (0, *(round(length + step * each) for each in range(count - 1)))


def settings_of(comment: str) -> dict[str, Any]:
    """Return the settings in a video's comment, empty when there are none."""
    try:
        settings = json.loads(comment or "{}")
    except ValueError:
        return {}
    return settings if isinstance(settings, dict) else {}


def find(scan: Scan) -> tuple[int, ...] | None:
    """Look for clips of one length by their seams: frames at which more changes than around them, again and again.

    Returns:
        The first frame of each clip, None when no length stands out.
    """
    import numpy as np

    if scan.frames < FEWEST * SHORTEST:
        return None
    signal = _surprise(scan)
    best: tuple[float, int, int] | None = None
    for length in range(SHORTEST, min(LONGEST, scan.frames // FEWEST) + 1):
        whole = scan.frames // length
        if whole < FEWEST:
            continue
        # Clips share frames: after the first, each is shorter by up to 16, so the first seam is looked for there.
        for first in range(length, min(length + 17, scan.frames)):
            seams = signal[first::length]
            if len(seams) < FEWEST - 1:
                continue
            single = float(np.median(seams))
            together = float(np.minimum(seams, 8.0).mean() * np.sqrt(len(seams)))
            if single >= SINGLE and together >= CLEAR and (best is None or together > best[0]):
                best = together, length, first
    if best is None:
        return None
    _, length, first = best
    return (0, *range(first, scan.frames, length))


def _surprise(scan: Scan) -> NDArray[np.float64]:
    """How far each step is from those around it, in ordinary deviations, cuts left out: the largest of all kinds."""
    import numpy as np

    from .seams import sudden

    steps = sudden(scan, REACH)
    usual = 1.4826 * np.median(np.abs(steps), axis=0) + np.array(FLOORS)
    found: NDArray[np.float64] = (np.abs(steps) / usual).max(axis=1)
    found[list(scan.cuts)] = 0.0
    return found


REACH = 3
# What counts as nothing, per quantity of `seams.KINDS`: rounding and codecs do as much.
FLOORS = (0.04, 0.04, 0.02)


def divide(scan: Scan, told: Sequence[int] | None, asked: int | None) -> Clips:
    """Decide where clips begin.

    Args:
        told: by the metadata.
        asked: frames per clip by ``--clip-frames``, which comes first.
    """
    if asked is not None:
        return Clips(_counted(scan.frames, asked), "asked")
    if told is not None and len(told) > 1:
        return Clips(tuple(each for each in told if each < scan.frames), "metadata")
    found = find(scan)
    if found is not None:
        return Clips(_without_scrap(found, scan.frames), "found")
    return Clips(_counted(scan.frames, USUAL), "counted")


def _counted(frames: int, length: int) -> tuple[int, ...]:
    return _without_scrap(tuple(range(0, frames, length)), frames)


def _without_scrap(starts: tuple[int, ...], frames: int) -> tuple[int, ...]:
    """A rest of less than a quarter clip belongs to the clip before it."""
    if len(starts) > 1 and frames - starts[-1] < (starts[-1] - starts[-2]) / 4:
        return starts[:-1]
    return starts
