"""Everything that is known of one video's drift, and the one word for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from . import arrivals, published
from .arrivals import Arrival
from .clips import Clips, divide, settings_of, told_by
from .findings import Finding, findings
from .frames import Video
from .freeze import FAILS, Freeze, freezes
from .scan import Progress, Scan, scan
from .seams import Seam, seams
from .thumbnails import Thumbnails
from .trend import Trend, onset_of, trends

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Verdict = Literal["steady", "drifting", "broken"]
# Units beyond which nobody would show the video: several times what is called drift.
RUINED = 60.0
# What a video that stands still and a seam that anybody sees add to the score, in units.
FROZEN, JUMP = 20.0, 1.0


@dataclass(frozen=True)
class Report:
    """One video.

    Args:
        path: the file.
        scan: the numbers of every frame.
        clips: where they begin.
        seams: between them.
        trends: one per quantity.
        freezes: where the picture stands still.
        findings: what a person should know, worst first.
        verdict: the one word.
        margin: drift against what would be called drift; below 1 it is steady.
        score: more is worse; comparable between videos of one scene.
        onset: the first clip that is off, from 1, None when none is.
        published: measures of others, by name.
        settings: what the video says it was made with.
        thumbnails: first and last frame of each clip as JPEG, by frame.
        size: width and height as a player shows it.
        arrivals: of clips at images.
    """

    path: Path
    scan: Scan
    clips: Clips
    seams: tuple[Seam, ...]
    trends: tuple[Trend, ...]
    freezes: tuple[Freeze, ...]
    findings: tuple[Finding, ...]
    verdict: Verdict
    margin: float
    score: float
    onset: int | None
    published: Mapping[str, float | None]
    settings: Mapping[str, Any]
    thumbnails: Mapping[int, bytes]
    size: tuple[int, int]
    arrivals: tuple[Arrival, ...] = ()


def look(
    path: Path,
    *,
    clip_frames: int | None = None,
    reference: NDArray[np.uint8] | None = None,
    progress: Progress = lambda what, done, total: None,
    pictures: bool = True,
    goals: Mapping[int, tuple[str, NDArray[np.uint8]]] | None = None,
) -> Report:
    """Measure a video.

    Args:
        path: any video.
        clip_frames: frames per clip, where a person says so.
        reference: RGB picture that it is compared with; its first frame when None.
        progress: told how far it is.
        pictures: keep thumbnails.
        goals: name and RGB picture of images that clips arrive at, by the clip, from 1.

    Raises:
        SviError: it cannot be measured.
    """
    video = Video(path)
    try:
        stream, settings = video.stream(), settings_of(video.comment())
        chapters = video.chapters()
        told = told_by(settings, stream.frames, stream.fps, chapters) if stream.frames else None
        known = range(0, stream.frames, clip_frames) if clip_frames else told
        small = Thumbnails(known if pictures else (), keep_all=pictures and known is None)
        found = scan(
            stream,
            video.frames(),
            progress,
            what=f"Measuring {path.name}",
            reference=reference,
            keep=small.keep,
        )
        found.damage = video.damage
    finally:
        video.close()
    told = told_by(settings, found.frames, stream.fps, chapters)
    clips = divide(found, told, clip_frames)
    images = goals or {}
    arrive = sorted({*(arrivals.from_metadata(settings) if clips.how == "metadata" else ()), *images})
    return judge(
        path,
        found,
        clips,
        settings=settings,
        thumbnails=small.of(clips.starts, found.frames),
        size=video.shown,
        arrive=arrivals.look(path, found, clips.starts, arrive, images),
    )


def judge(
    path: Path,
    found: Scan,
    clips: Clips,
    *,
    settings: Mapping[str, Any],
    thumbnails: Mapping[int, bytes],
    size: tuple[int, int],
    arrive: Sequence[Arrival] = (),
) -> Report:
    """Come to a verdict from what was measured."""
    starts = clips.starts
    clips_out = [each.clip for each in arrive]
    found = arrivals.left_out(found, starts, clips_out)
    joints, ways, still = seams(found, starts), trends(found, starts, clips_out), freezes(found)
    off = [way for way in ways if way.drifts]
    margin = max((way.margin for way in ways), default=0.0)
    onset = onset_of(found, starts, off, clips_out)
    ruined = any(way.drifts and way.size >= RUINED for way in ways)
    frozen = any(each.fails for each in still)
    jumps = [seam for seam in joints if seam.obvious]
    verdict: Verdict = "broken" if frozen or ruined or jumps else "drifting" if off else "steady"
    return Report(
        path,
        found,
        clips,
        joints,
        ways,
        still,
        findings(found, starts, ways, joints, still, settings=settings),
        verdict,
        margin,
        score_of(ways, joints, still),
        onset,
        published.measures(found, starts),
        settings,
        thumbnails,
        size,
        tuple(arrive),
    )


def score_of(ways: Sequence[Trend], joints: Sequence[Seam], still: Sequence[Freeze]) -> float:
    """Return one number for how far a video is off, in units that an eye notices, and for its jumps.

    Quantities add up: as squares, what the scene itself does in one of them would hide what goes wrong in another.
    """
    drift = sum(way.distance for way in ways)
    # One that is barely flagged adds next to nothing: it might as well have been missed.
    over = (1.0 if seam.kind == "repeat" else max(0.0, seam.against - 1) for seam in joints if seam.flagged)
    jumps = JUMP * math.sqrt(sum(over))
    # A few seconds are nearly as bad as all of it: colours that drift in a still picture count, although they move it.
    stands = 1 - math.exp(-sum(each.seconds for each in still) / FAILS)
    return drift + jumps + FROZEN * stands
