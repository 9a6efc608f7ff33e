"""How many clips a length asks for, and how many frames WanGP has to be told so that every clip is whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

# Wan's VAE makes one latent frame of four frames, after a first one of its own.
LATENT = 4

# What WanGP makes of a length: (video_length, window, overlap, continues) -> frames of each window. A window that the
# release would cut at its end counts without what it cuts.
Windows = Callable[[int, int, int, bool], Sequence[int]]


@dataclass(frozen=True)
class Lengths:
    """Frame counts of one video.

    Attributes:
        clips: number of clips.
        clip_frames: frames of a clip.
        total: frames of the stitched video; None when a video is continued, because its own are not counted here.
        overlap: overlap to give to WanGP, the next 4k+1 from the motion frames on.
        wangp_frames: ``video_length`` to give to WanGP.
        new_frames: frames that are made: all of the stitched video, or those behind a continued one.
    """

    clips: int
    clip_frames: int
    total: int | None
    overlap: int
    wangp_frames: int
    new_frames: int

    def describe(self) -> str:
        """The numbers in plain words."""
        clips = f"{self.clips} clip{'s' if self.clips > 1 else ''} of {self.clip_frames} frames"
        return f"{clips} behind the video" if self.total is None else f"{clips} = {self.total} frames"


def whole_windows(frames: int, window: int, overlap: int, continues: bool) -> list[int]:
    """The windows of releases before 12.54, which count in one line.

    They take ``overlap - 1`` frames more where a video is continued, make whole windows while frames are missing, and
    shorten the last one.
    """
    left = _whole_latents(frames) + (overlap - 1 if continues else 0)
    made = [min(left, window)]
    while (left := left - made[-1]) > 0:
        left += overlap
        made.append(_whole_latents(min(left, window)))
    return made


def plan(frames: int, window: int, motion_frames: int, continues: bool, windows: Windows = whole_windows) -> Lengths:
    """Rounds a length to whole clips: F + (n-1) * (F-m) frames for n clips of F frames with m motion frames.

    Args:
        frames: the length that a person asked for.
        window: frames of a clip as set in the form; WanGP rounds it down to 4k+1 and so does this.
        motion_frames: m.
        continues: whether a video is continued; then all F-m frames of each clip are new.
        windows: the release's own arithmetic.

    Raises:
        ValueError: the clips are too short for the motion frames, or this release cannot make whole clips.
    """
    window = _whole_latents(window)
    overlap = overlap_of(motion_frames)
    if overlap > window - LATENT:
        raise ValueError(
            f"a clip of {window} frames is too short for {motion_frames} motion frames: "
            f"choose a Sliding Window Size of at least {overlap + LATENT}"
        )
    step, known = window - motion_frames, (overlap if continues else 1)
    # One of the frames that a person asks for is the last one of the continued video.
    if frames + known - 1 <= window:
        clips, size = 1, _whole_latents(frames + known - 1)
    else:
        asked = frames - 1 if continues else frames - motion_frames
        # A half rounds up: a person would rather have more than less.
        clips, size = max(1, (2 * asked + step) // (2 * step)), window
    nominal = size + (clips - 1) * (size - overlap) - known + 1
    told = next(
        (near for near in _near(nominal, overlap) if list(windows(near, window, overlap, continues)) == [size] * clips),
        None,
    )
    if told is None:
        raise ValueError(
            f"this WanGP would not make {clips} whole clips of {size} frames: choose another Number of Frames"
        )
    total = clips * (size - motion_frames) + motion_frames
    if continues:
        return Lengths(clips, size, None, overlap, told, total - motion_frames)
    return Lengths(clips, size, total, overlap, told, total)


def overlap_of(motion_frames: int) -> int:
    """The smallest 4k+1 that holds the motion frames: the only overlaps that WanGP's window loop can count with."""
    return (motion_frames + LATENT - 2) // LATENT * LATENT + 1


def _near(frames: int, overlap: int) -> list[int]:
    """Lengths around the one that adds up, the nearest first: releases count shared frames in or out."""
    away = range(0, overlap + 2 * LATENT, LATENT)
    return [near for near in dict.fromkeys(frames + sign * step for step in away for sign in (1, -1)) if near > 0]


def _whole_latents(frames: int) -> int:
    return (max(frames, 1) - 1) // LATENT * LATENT + 1
