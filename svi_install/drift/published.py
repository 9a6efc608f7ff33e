"""Measures that others have published, computed beside ours so that they can be cited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .scan import Scan
from .trend import positions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def measures(scan: Scan, starts: Sequence[int]) -> dict[str, float | None]:
    """Return the measures by name; None where the video is too short for one.

    VDE, video drift error, is that of LV-Bench (BlockVid, arXiv 2511.22973) over our clips instead of its segments:
    the sum over clips i from 2 to N of (N - i + 1) |x_i - x_1| / x_1, with x the clarity (variance of the Laplacian)
    or the motion. Temporal flickering is that of VBench: 1 less the mean absolute difference of consecutive frames
    as a share of 255, here on a small picture.
    """
    import numpy as np

    where = np.floor(positions(range(scan.frames), starts, scan.frames)).astype(int)
    clips = range(len(starts))
    clarity = [float(scan.of("clarity")[where == clip].mean()) for clip in clips]
    motion = [float(scan.motion[1:][where[1:] == clip].mean()) if (where[1:] == clip).any() else 0.0 for clip in clips]
    flicker = 1 - float(scan.flicker[1:].mean()) / 255 if scan.frames > 1 else None
    return {
        "vde_clarity": vde(np.array(clarity)),
        "vde_motion": vde(np.array(motion)),
        "temporal_flickering": flicker,
    }


def vde(values: NDArray[np.float64]) -> float | None:
    """Return the video drift error with linear weights.

    Args:
        values: one per segment.
    """
    import numpy as np

    if len(values) < 2 or not values[0]:
        return None
    weights = np.arange(len(values) - 1, 0, -1)
    return float((weights * np.abs(values[1:] - values[0]) / values[0]).sum())
