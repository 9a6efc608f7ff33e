"""The stand-in of the pictures: its film is one that sails on, clip by clip, and drifts only when it is told to."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from svi_install.cli import main
from svi_install.storyboard.sheet.sheet import ROUGH

from . import sailing

SMALL = ("--variant", "fast", "--resolution", "64x48", "--clip-frames", "9")


@pytest.mark.usefixtures("ffmpeg_program")
@pytest.mark.parametrize(("strength", "drifts"), [(0.0, False), (0.2, True)])
def test_the_boat_sails_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], strength: float, drifts: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    root = sailing.studio(tmp_path / "WanGP", tmp_path / "harbour.png", strength)
    words = ("render", "harbour.png", "it sails | it sails on", "-o", "film.mp4", "--wangp", str(root), *SMALL)
    assert main.main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["film"]["made"] == [1, 2]
    with av.open("film.mp4") as file:
        frames = [frame.to_ndarray(format="rgb24").astype(float) for frame in file.decode(video=0)]
    # What the contact sheet would call a rough seam is nowhere.
    steps = [float(np.abs(one - other).mean()) for one, other in pairwise(frames)]
    assert max(steps) < ROUGH * float(np.median(steps))
    first, last = (frame.mean(axis=(0, 1)) for frame in (frames[0], frames[-1]))
    assert bool(last[0] - last[2] > first[0] - first[2] + 20) is drifts
