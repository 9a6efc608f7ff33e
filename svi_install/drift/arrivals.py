"""Clips that arrive at an image: that they change is what was asked for; how near they came to it is said instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .frames import SMALL, Video, size_within
from .scan import Scan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# From which likeness and within which distance of colour anybody takes a last frame for the image.
NEAR = (0.85, 4.0)


@dataclass(frozen=True)
class Arrival:
    """One clip that arrives at an image.

    Args:
        clip: its number, from 1.
        frame: its last frame.
        image: the name of the image, empty where it is not known.
        ssim: likeness of its last frame and the image in brightness, 1 for the same; None without an image.
        delta_e: mean distance of their colours (CIEDE2000); 1 can just be seen.
    """

    clip: int
    frame: int
    image: str = ""
    ssim: float | None = None
    delta_e: float | None = None


def from_metadata(settings: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the clips, from 1, of which a video says that they arrive at an image."""
    svi, fields = settings.get("svi"), settings.get("custom_settings")
    if not isinstance(svi, dict) and isinstance(fields, dict):
        svi = fields.get("svi")
    found = svi.get("end_images") if isinstance(svi, dict) else None
    return tuple(sorted({each for each in found if type(each) is int and each > 0})) if isinstance(found, list) else ()


def left_out(scan: Scan, starts: Sequence[int], clips: Sequence[int]) -> Scan:
    """Take what arriving clips do out of the drift: what comes after one goes on from where the one before it was.

    Args:
        starts: the frame at which each clip begins.
        clips: that arrive, from 1.
    """
    import numpy as np

    marks, drift = np.array(scan.marks, int), scan.drift.copy()
    kept = np.ones(len(marks), bool)
    ends = (*starts[1:], scan.frames)
    for clip in clips:
        if not 0 < clip <= len(starts):
            continue
        before, after = marks < starts[clip - 1], marks >= ends[clip - 1]
        kept &= before | after
        if after.any():
            was = drift[before][-1] if before.any() else np.zeros(drift.shape[1])
            drift[after] -= drift[after][0] - was
    return replace(scan, marks=tuple(marks[kept].tolist()), drift=drift[kept])


def look(
    path: Path, scan: Scan, starts: Sequence[int], clips: Sequence[int], goals: Mapping[int, tuple[str, Any]]
) -> tuple[Arrival, ...]:
    """Compare the last frame of each arriving clip with its image.

    Args:
        path: the video; it is read once more where an image is known.
        goals: name and RGB picture of the images that are known, by the clip.

    Raises:
        SviError: the video cannot be read any more.
    """
    import numpy as np

    ends = (*starts[1:], scan.frames)
    found = {clip: Arrival(clip, ends[clip - 1] - 1) for clip in clips if 0 < clip <= len(starts)}
    wanted = {arrival.frame: clip for clip, arrival in found.items() if clip in goals}
    if wanted:
        video = Video(path)
        try:
            for frame in video.frames():
                if frame.index in wanted:
                    clip = wanted[frame.index]
                    name, picture = goals[clip]
                    ssim, delta = distance(np.rot90(frame.rgb, frame.rotation // 90), picture)
                    found[clip] = replace(found[clip], image=name, ssim=ssim, delta_e=delta)
                if frame.index >= max(wanted):
                    break
        finally:
            video.close()
    return tuple(found.values())


def distance(own: NDArray[np.uint8], picture: NDArray[np.uint8]) -> tuple[float, float]:
    """Return SSIM and mean colour distance of a frame and a picture of any size.

    Args:
        own: the frame, RGB, as it is shown.
        picture: RGB; what sticks out where it has another shape is left out.
    """
    from skimage.color import deltaE_ciede2000, rgb2gray, rgb2lab
    from skimage.metrics import structural_similarity

    own, goal = (fitted(each, *size_within(own.shape[1], own.shape[0], SMALL)) for each in (own, picture))
    delta = float(deltaE_ciede2000(rgb2lab(own), rgb2lab(goal)).mean())  # type: ignore[no-untyped-call]
    one, two = rgb2gray(own), rgb2gray(goal)
    if min(one.shape) < 7:
        return float((own == goal).all()), delta
    return float(structural_similarity(one, two, data_range=1.0)), delta  # type: ignore[no-untyped-call]


def fitted(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return a picture in another size; where its shape differs, its middle."""
    import numpy as np
    from PIL import Image, ImageOps

    found: NDArray[np.uint8] = np.asarray(ImageOps.fit(Image.fromarray(picture), (width, height), Image.Resampling.BOX))
    return found


def said(arrival: Arrival) -> str:
    """Say in a few words how a clip arrives."""
    if arrival.ssim is None or arrival.delta_e is None:
        return f"clip {arrival.clip} arrives at an image; its change of colour does not count as drift"
    near = "it is there" if arrival.ssim > NEAR[0] and arrival.delta_e < NEAR[1] else "it is not quite there"
    return (
        f"clip {arrival.clip} arrives at {arrival.image}: {near} (SSIM {arrival.ssim:.2f}, "
        f"colour {arrival.delta_e:.1f} dE off in its last frame)"
    )
