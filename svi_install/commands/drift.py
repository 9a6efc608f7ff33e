"""``drift``: measures videos, says what is wrong with them, and writes the page."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..drift import arrivals, needs
from ..errors import SviError, quoted
from ..report.result import Line, Result
from ..writing.own_files import write_over

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..drift.report import Report
    from ..drift.scan import Progress

_STYLES = {"steady": "green", "drifting": "yellow", "broken": "red"}


def drift(
    videos: Sequence[Path],
    *,
    reference: Path | None = None,
    html: Path | None = None,
    clip_frames: int | None = None,
    goals: Mapping[int, Path] | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Result:
    """Measure videos.

    Args:
        videos: one, or several to compare.
        reference: a picture that they are compared with.
        html: write a page to this file.
        clip_frames: frames per clip, where a person says so.
        goals: images that clips of the first video were to end on, by the clip from 1.
        progress: told how far it is.

    Returns:
        What was found; the exit code is 0 whatever that is.

    Raises:
        SviError: a video cannot be measured, or the page cannot be written.
    """
    needs.check()
    from ..drift import compare
    from ..drift.report import look

    picture = _picture(reference, "--reference") if reference is not None else None
    given = {clip: (path.name, _picture(path, "--goal")) for clip, path in (goals or {}).items()}
    _writable(html, videos)
    reports = [
        look(
            video,
            clip_frames=clip_frames,
            reference=picture,
            progress=progress,
            pictures=html is not None,
            goals={**_known_goals(video), **(given if not number else {})},
        )
        for number, video in enumerate(videos)
    ]
    ranking = compare.compare(reports) if len(reports) > 1 else None
    if html is not None:
        _write(html, reports, ranking)
    body: list[Line] = []
    for report in reports:
        body += _lines(report, named=len(reports) > 1)
    page = f" The page is {html}." if html is not None else ""
    headline = f"{ranking.text}{page}" if ranking else f"{_headline(reports[0])}{page}"
    extra: dict[str, Any] = dict(facts(reports[0])) if len(reports) == 1 else {}
    if ranking:
        extra = {"videos": [facts(each) for each in reports], "least": str(ranking.least), "sure": ranking.sure}
    shown = " ".join(quoted(video) for video in videos)
    target = videos[0].with_suffix(".drift.html")
    return Result(
        "drift",
        "done",
        headline,
        body=tuple(body),
        extra=extra,
        next_command="" if html else f"svi-install drift {shown} --html {quoted(target)}",
    )


def facts(report: Report) -> dict[str, Any]:
    """Return what a program may want to know of a video; the keys are part of the interface."""
    from ..drift.summary import clip_values

    return {
        "video": str(report.path),
        "verdict": report.verdict,
        "score": round(report.score, 3),
        "margin": round(report.margin, 3),
        "onset_clip": report.onset,
        "clips": clip_values(report),
        "clips_from": report.clips.how,
        "seams": [
            {
                "frame": seam.frame,
                "clip": seam.clip,
                "flagged": seam.flagged,
                "step": round(seam.against, 3) if math.isfinite(seam.against) else None,
                "kind": seam.kind,
                "brightness": round(seam.step[0], 3),
                "colour": round(seam.step[1], 3),
                "detail": round(seam.step[2], 3),
                "cut": seam.cut,
            }
            for seam in report.seams
        ],
        "cuts": list(report.scan.cuts),
        "findings": [
            {
                "quantity": finding.quantity,
                "clip": finding.clip,
                "per_clip": None if finding.per_clip is None else round(finding.per_clip, 4),
                "text": finding.text,
                "remedy": finding.remedy,
            }
            for finding in report.findings
        ],
        "arrivals": [
            {
                "clip": arrival.clip,
                "frame": arrival.frame,
                "image": arrival.image or None,
                "ssim": None if arrival.ssim is None else round(arrival.ssim, 4),
                "delta_e": None if arrival.delta_e is None else round(arrival.delta_e, 3),
            }
            for arrival in report.arrivals
        ],
        "published": dict(report.published),
    }


def _headline(report: Report) -> str:
    from ..drift.summary import in_words

    return f"{report.path}: {in_words(report)}"


def _lines(report: Report, *, named: bool) -> list[Line]:
    lines: list[Line] = [((_headline(report), _STYLES[report.verdict]),)] if named else []
    for finding in report.findings:
        lines.append((("  ", ""), (finding.text, "bold")))
        lines.append(((f"      {finding.remedy}", ""),))
    lines += [((f"  {arrivals.said(each)}", ""),) for each in report.arrivals]
    how = {
        "asked": "as you said",
        "metadata": "from the video's own settings",
        "found": "found by their seams",
        "counted": "counted, because the video does not say; --clip-frames N sets another length",
    }
    count, frames = len(report.clips.starts), report.scan.frames
    said = f"  {frames} frames, {count} clip{'' if count == 1 else 's'} ({how[report.clips.how]})"
    cuts = f", {len(report.scan.cuts)} cut{'' if len(report.scan.cuts) == 1 else 's'}" if report.scan.cuts else ""
    return [*lines, ((f"{said}{cuts}", "dim"),)]


def _known_goals(video: Path) -> dict[int, tuple[str, NDArray[np.uint8]]]:
    """The images that clips of a film of ours end on, as far as they are still there."""
    from ..storyboard.archive import story_data
    from ..storyboard.script.segments import segments_of
    from ..storyboard.script.variants import variant_of

    found: dict[int, tuple[str, NDArray[np.uint8]]] = {}
    with contextlib.suppress(SviError):
        if story_data.kept_in(video) is None:
            return found
        story = story_data.of_film(video)
        led = story.video is not None
        for segment in segments_of(story, variant_of(story.variant)):
            if segment.end_image is not None:
                with contextlib.suppress(SviError):
                    found[segment.number + led] = segment.end_image.name, _picture(segment.end_image, "--goal")
    return found


def _picture(path: Path, option: str) -> NDArray[np.uint8]:
    import numpy as np
    from PIL import Image

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError as error:
        why = error.strerror or "it is not a picture"
        raise SviError(
            "no-reference",
            f"{path} cannot be read: {why}. Nothing was measured.",
            f"Give a PNG or JPEG with {option}.",
        ) from error


def _writable(html: Path | None, videos: Sequence[Path]) -> None:
    """Find out before the work begins whether the page has a place to go to."""
    if html is None:
        return
    if html.is_dir() or not html.absolute().parent.is_dir():
        what = "is a folder" if html.is_dir() else f"lies in {html.absolute().parent}, which does not exist"
        raise SviError("page", f"{html} {what}. Nothing was measured.", "Choose another file for --html.")
    if html.exists() and any(video.exists() and html.samefile(video) for video in videos):
        raise SviError("page", f"{html} is the video itself. Nothing was measured.", "Choose another file for --html.")


def _write(html: Path, reports: Sequence[Report], ranking: Any) -> None:
    from ..report.drift_page import page

    when = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    try:
        write_over(html, page(reports, ranking, when=when).encode("utf-8", "replace").decode())
    except OSError as error:
        raise SviError("page", f"The page {html} could not be written: {error.strerror}.") from error
