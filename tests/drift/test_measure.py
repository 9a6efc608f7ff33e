from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage.color import rgb2lab

from svi_install.drift.frames import Frame, Video
from svi_install.drift.measure import Looks, energies, lab_of, measure

from . import videos


def test_cielab_from_tables_is_that_of_others() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    rgb[0], rgb[1] = 0, 255
    rgb[2, :, :] = np.arange(80)[:, None]
    away = np.abs(lab_of(rgb) - rgb2lab(rgb).transpose(2, 0, 1))
    assert away.max() < 0.1
    assert away.mean() < 0.01


def first(path: Path) -> tuple[Frame, Looks]:
    video = Video(path)
    try:
        frame = next(iter(video.frames()))
        return frame, measure(frame)
    finally:
        video.close()


def test_brightness_means_the_same_however_the_file_keeps_it(tmp_path: Path) -> None:
    frames = [np.clip(videos.place() * 3 - 250, 0, 255).round().astype(np.uint8)] * 2
    found = {}
    for pixels in ("yuv420p", "yuvj420p", "yuv444p10le"):
        made = videos.write(tmp_path / f"{pixels}.mp4", frames, pixels=pixels, options={"crf": "4"})
        found[pixels] = first(made)
    assert [found[name][0].levels for name in found] == [(16, 235), (0, 255), (0, 255)]
    narrow, *others = (looks for _, looks in found.values())
    for other in others:
        for name, within in (("detail", 0.1), ("noise", 0.5), ("clipped", 0.02)):
            assert narrow.value(name) == pytest.approx(other.value(name), abs=within)
        assert narrow.value("clarity") == pytest.approx(other.value("clarity"), rel=0.1)
    assert narrow.value("clipped") > 0.01


def test_energy_is_counted_in_levels_at_every_size() -> None:
    ramp = np.tile(np.arange(0, 128, 2, dtype=np.int16), (64, 1))
    full, half, quarter = energies(ramp, 8)
    assert full[:, :-1] == pytest.approx(4)
    # A ramp of 2 levels a pixel is one of 4 for every second pixel and of 8 for every fourth.
    assert half[:, :-1] == pytest.approx(16)
    assert quarter[:, :-1] == pytest.approx(64)


def test_the_steepest_step_there_is() -> None:
    stripes = np.zeros((32, 32), np.int16)
    stripes[:, 1::2] = 255
    assert energies(stripes, 8)[0][:, :-1] == pytest.approx(255**2)
