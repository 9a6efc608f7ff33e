"""What a film still costs: as it goes where segments are finished, as the table and its start image say before."""

from __future__ import annotations

import subprocess
import zlib
from pathlib import Path
from typing import NamedTuple

from ..archive.store import regular, tail_of
from ..headless import estimate
from ..headless.hardware import Card
from ..media import ffmpeg
from .film import PART, Film, known_seconds


class Time(NamedTuple):
    """Seconds for a clip: from and to, and how that is known."""

    least: float
    most: float
    source: str = ""


def clip_time(film: Film, card: Card | None) -> Time | None:
    """Return how long a clip of a film takes, None when nothing is known.

    Args:
        card: that will make it, None where there is none.
    """
    known = known_seconds(film)
    if known is not None:
        return Time(known, known)
    cost = estimate.clip(film.tasks[1], card)
    if cost is None:
        return None
    share = cost.speed.share
    how = "measured" if share.basis == "measured" else "computed, not measured,"
    return Time(*cost.span, f"{how} for a card of the class {cost.speed.name}")


def disk(film: Film, program: Path | None = None) -> estimate.Disk | None:
    """Return what a film still needs on the disk, None when nothing is missing or its size is not known.

    Args:
        program: ffmpeg, by which the start image is looked at; None to do without.
    """
    size, missing = estimate.size_of(film.tasks[1]), len(film.lacking())
    if not missing or size is None:
        return None
    rates = (
        _finished(film, size[0] * size[1])
        or (program and looked_at(film.segments[0].image, size, program))
        or estimate.USUAL
    )
    clips, frames = len(film.segments), film.segments[0].frames
    return estimate.disk(clips, missing, frames, size[0] * size[1], motion=film.variant.motion_frames, rates=rates)


def _finished(film: Film, pixels: int) -> estimate.Rates | None:
    """How well the finished segments of a film have compressed."""
    videos, pictures, frames = [], [], 0
    for segment in film.segments:
        if film.finished(segment):
            folder = film.folder(segment)
            videos.append(regular(folder / PART) or 0)
            frames += segment.frames
            pictures += [regular(path) or 0 for path in tail_of(folder)]
    if not frames or not sum(videos):
        return None
    motion = max(1, film.variant.motion_frames)
    picture = sum(pictures) / len(videos) / motion / pixels
    return estimate.Rates(sum(videos) / frames / pixels, picture, known=True)


def looked_at(image: Path, size: tuple[int, int], program: Path) -> estimate.Rates | None:
    """Judge a film by its start image; None where ffmpeg cannot read that.

    Args:
        size: width and height of the film.
        program: ffmpeg.
    """
    width, height = size
    scaled = f"scale={width}:{height}:force_original_aspect_ratio=increase,crop={width}:{height}"
    read = [str(program), "-v", "error", "-nostdin", "-i", str(image), "-frames:v", "1"]
    raw = [*read, "-vf", scaled, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    try:
        pixels = subprocess.run(raw, capture_output=True, check=False, timeout=60).stdout
        if len(pixels) != width * height * 3:
            return None
        frame = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-i", "-"]
        command = [str(program), "-v", "error", *frame, *ffmpeg.ENCODE, "-f", "h264", "-"]
        still = subprocess.run(command, input=pixels, capture_output=True, check=False, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    return estimate.rates_of(len(still), len(zlib.compress(pixels, 6)), width * height) if still else None
