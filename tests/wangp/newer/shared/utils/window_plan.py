"""The windows of a video as WanGP 13.0 and later count them. Written for the laboratory.

Read: shared/utils/frame_scheduler.py between 12.641 and 17.17 (its newest version is not stored anywhere), the call in
wgp.py 13.0, 13.14 and 17.17 (generate_media), and a plugin's own account of the version of 17.x. The rules:

* The first window begins with frames that are there already: the start image, or the end of the video that is
  continued. One of them counts as part of the length that was asked for (initial_shared_frames).
* Each window has room for its size less its overlap and what is thrown away behind it.
* A window overlaps no more frames than the windows before it have brought (of the version between).
* A window's frames go to the nearest number that the model can make, and the new frames of the window change with it;
  with preserve_exact_output_frames they go up, and what is too much is trimmed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple


class Grid(NamedTuple):
    """Numbers of frames that a model can make: offset and any number of steps, not less than the minimum."""

    minimum: int
    step: int
    offset: int

    def up(self, frames: int) -> int:
        frames = max(self.minimum, frames)
        return frames + (self.offset - frames) % self.step if self.step > 1 else frames

    def nearest(self, frames: int) -> int:
        above = self.up(frames)
        below = above - self.step
        return below if self.step > 1 and below >= self.minimum and frames - below <= above - frames else above


def whole_overlap(frames: int, step: int, offset: int) -> int:
    """The largest overlap on the grid that is not longer; 0 when there is none."""
    if frames <= 0 or frames < offset:
        return 0
    return offset + (frames - offset) // step * step


def overlaps(wanted: int, most: int | None, available: int | None, step: int, offset: int) -> list[int]:
    """The overlaps that a window may have: the wanted one first, then longer ones."""
    limit = wanted if most is None else max(wanted, most)
    if available is not None:
        limit = min(limit, available)
    limit = whole_overlap(limit, step, offset)
    first = whole_overlap(min(wanted, limit), step, offset)
    return list(range(first, limit + 1, step)) if first else [0]


def fitted(new: int, overlap: int, discarded: int, grid: Grid, exact: bool) -> tuple[int, int]:
    """Frames that the model makes for so many new ones, and how many of those are too many (or, below 0, missing)."""
    asked = new + overlap + discarded
    frames = grid.up(asked) if exact else grid.nearest(asked)
    if frames <= overlap + discarded:
        frames = grid.up(overlap + discarded + 1)
    return frames, frames - asked


def window(new: int, choices: list[int], discarded: int, grid: Grid, exact: bool) -> dict[str, Any]:
    """A window of so many new frames with the best of the overlaps that it may have; the first is the wanted one."""

    def cost(overlap: int) -> tuple[int, int, int]:
        frames, too_many = fitted(new, overlap, discarded, grid, exact)
        return abs(too_many), overlap - choices[0], frames

    overlap = min(choices, key=cost)
    frames, too_many = fitted(new, overlap, discarded, grid, exact)
    return {
        "prompt": "",
        "output_frames": new if exact else new + too_many,
        "requested_output_frames": new,
        "overlap_frames": overlap,
        "discard_last_frames": discarded,
        "trim_last_frames": too_many if exact else 0,
        "frame_num": frames,
        "new_shot": False,
        "model_options": {},
    }


def build_default_window_plan(
    *,
    total_frames: int,
    window_size: int,
    default_overlap: int,
    discard_last_frames: int,
    minimum: int,
    step: int,
    frame_offset: int = 1,
    overlap_offset: int = 1,
    max_overlap: int | None = None,
    first_window_overlap: int = 0,
    first_window_available_overlap: int | None = None,
    initial_shared_frames: int = 0,
    preserve_exact_output_frames: bool = False,
    output_frame_policy: str | None = None,
) -> list[dict[str, Any]]:
    """The windows; output_frame_policy is taken and not looked at, because no model of Wan declares one."""
    grid, discarded = Grid(minimum, step, frame_offset), max(0, discard_last_frames)

    def plan() -> Iterator[dict[str, Any]]:
        size, first = grid.up(window_size), max(0, first_window_overlap)
        if first_window_available_overlap is not None:
            first = min(first, max(0, first_window_available_overlap))
        first = whole_overlap(first, step, overlap_offset)
        left = max(1, total_frames - min(max(0, initial_shared_frames), first))
        room, made = max(1, size - first), 0
        choices = overlaps(first, max_overlap, first_window_available_overlap, step, overlap_offset) if first else [0]
        behind = discarded if left > room else 0
        while left > 0:
            new = min(left, max(1, room - behind))
            yield (one := window(new, choices, behind, grid, preserve_exact_output_frames))
            left, made = left - new, made + one["output_frames"]
            room, behind = size - default_overlap, discarded
            choices = overlaps(default_overlap, max_overlap, made, step, overlap_offset) if default_overlap else [0]

    return list(plan())
