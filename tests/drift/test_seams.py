from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from svi_install.drift.frames import Video
from svi_install.drift.scan import Scan, scan
from svi_install.drift.seams import seams

from . import videos


def compressed(path: Path, frames: list[videos.Picture]) -> Scan:
    video = Video(videos.write(path, frames))
    try:
        return scan(video.stream(), video.frames())
    finally:
        video.close()


@pytest.mark.parametrize("make", [videos.clean, videos.pan])
def test_a_jump_of_one_percent_is_found_behind_a_codec(tmp_path: Path, make) -> None:
    frames = make()
    clean = seams(compressed(tmp_path / "clean.mp4", frames), videos.STARTS)
    assert not [seam.clip for seam in clean if seam.flagged]
    at = 3 * videos.CLIP
    brighter = [np.clip(np.round(frame * 1.012), 0, 255).astype(np.uint8) for frame in frames[at:]]
    found = seams(compressed(tmp_path / "jump.mp4", [*frames[:at], *brighter]), videos.STARTS)
    assert [seam.frame for seam in found if seam.flagged] == [at]
    seam = found[2]
    assert (seam.clip, seam.kind, seam.obvious, seam.cut) == (4, "brightness", False, False)
    assert 0.2 < seam.step[0] < 0.8


def test_a_jump_that_anybody_sees() -> None:
    frames = videos.clean()
    at = 2 * videos.CLIP
    frames[at:] = [np.clip(frame * 1.2, 0, 255).astype(np.uint8) for frame in frames[at:]]
    found = seams(videos.scanned(frames), videos.STARTS)
    assert [seam.obvious for seam in found].count(True) == 1


def test_a_cut_at_a_seam_is_not_judged() -> None:
    frames = [*videos.clean(2 * videos.CLIP), *videos.clean(4 * videos.CLIP, seed=8)]
    found = seams(videos.scanned(frames), videos.STARTS)
    assert (found[1].cut, found[1].flagged) == (True, False)


def test_a_frame_that_is_shown_twice_at_a_seam() -> None:
    frames = videos.clean()
    frames[videos.CLIP] = frames[videos.CLIP - 1]
    found = seams(videos.scanned(frames), videos.STARTS)
    assert (found[0].repeats, found[0].flagged, found[0].kind) == (1, True, "repeat")
    assert not found[1].flagged


def test_a_video_that_repeats_anyway_has_no_bad_seam_for_it() -> None:
    frames = [frame for frame in videos.clean(videos.FRAMES // 2) for _ in range(2)]
    found = seams(videos.scanned(frames), [start + 1 for start in videos.STARTS])
    assert not any(seam.kind == "repeat" and seam.flagged for seam in found)


def test_too_little_between_seams() -> None:
    found = seams(videos.scanned(videos.clean(12)), (0, 6))
    assert (found[0].flagged, found[0].against) == (False, 0.0)
