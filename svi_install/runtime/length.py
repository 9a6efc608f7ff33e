"""How many clips a length asks for, and how many frames WanGP has to be told so that every clip is whole."""

from __future__ import annotations

from dataclasses import dataclass

# Wan's VAE makes one latent frame of four frames, after a first one of its own.
LATENT = 4


@dataclass(frozen=True)
class Lengths:
    """Frame counts of one video.

    Attributes:
        clips: number of clips.
        clip_frames: frames of a clip.
        total: frames of the stitched video; None when a video is continued, because its own are not counted here.
        overlap: overlap to give to WanGP, the next 4k+1 from the motion frames on.
        wangp_frames: ``video_length`` to give to WanGP.
    """

    clips: int
    clip_frames: int
    total: int | None
    overlap: int
    wangp_frames: int

    def describe(self) -> str:
        """The numbers in plain words."""
        clips = f"{self.clips} clip{'s' if self.clips > 1 else ''} of {self.clip_frames} frames"
        return f"{clips} behind the video" if self.total is None else f"{clips} = {self.total} frames"


def plan(frames: int, window: int, motion_frames: int, continues: bool) -> Lengths:
    """Rounds a length to whole clips: F + (n-1) * (F-m) frames for n clips of F frames with m motion frames.

    Args:
        frames: the length that a person asked for.
        window: frames of a clip as set in the form; WanGP rounds it down to 4k+1 and so does this.
        motion_frames: m.
        continues: whether a video is continued; then all F-m frames of each clip are new.

    Raises:
        ValueError: the clips are too short for the motion frames.
    """
    window = _whole_latents(window)
    overlap = overlap_of(motion_frames)
    if overlap > window - LATENT:
        raise ValueError(
            f"a clip of {window} frames is too short for {motion_frames} motion frames: "
            f"choose a sliding window size of at least {overlap + LATENT}"
        )
    step, known = window - motion_frames, (overlap if continues else 1)
    # WanGP adds overlap - 1 to the length when it continues a video.
    if frames + known - 1 <= window:
        single = _whole_latents(frames + known - 1)
        return Lengths(1, single, None if continues else single, overlap, single - known + 1)
    asked = frames - 1 if continues else frames - motion_frames
    # A half rounds up: a person would rather have more than less.
    clips = max(1, (2 * asked + step) // (2 * step))
    total = None if continues else clips * step + motion_frames
    return Lengths(clips, window, total, overlap, window + (clips - 1) * (window - overlap) - known + 1)


def overlap_of(motion_frames: int) -> int:
    """The smallest 4k+1 that holds the motion frames: the only overlaps that WanGP's window loop can count with."""
    return (motion_frames + LATENT - 2) // LATENT * LATENT + 1


def _whole_latents(frames: int) -> int:
    return (max(frames, 1) - 1) // LATENT * LATENT + 1
