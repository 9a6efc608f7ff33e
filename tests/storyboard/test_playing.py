"""What `render` makes plays in a browser: every frame, forwards, with its sound, and after jumps to and fro."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from svi_install.cli import main

from . import player, standin
from .test_continuation import H264, NO_LORAS, Clips, clips, far, pixels

__all__ = ["clips"]


@pytest.fixture(autouse=True)
def browser() -> None:
    if player.program() is None:
        pytest.skip("needs chromium")


def test_a_film_that_goes_on_from_a_video_and_its_file_to_publish(
    clips: Clips, ffmpeg_program: Path, tmp_path: Path
) -> None:
    root, clip = standin.make(tmp_path / "WanGP"), clips("clip.mp4", *H264, rate="24")
    music, film = tmp_path / "music.mp3", tmp_path / "film.mp4"
    subprocess.run([ffmpeg_program, "-v", "error", "-f", "lavfi", "-i", "sine=d=1", music], check=True)
    words = ["render", str(clip), "one | two", "-o", str(film), "--wangp", str(root), *NO_LORAS, "--steps", "2"]
    wish = ["--clip-frames", "17", "--variant", "2.0", "--fps", "30", "--audio", str(music), "-q"]
    assert main.main([*words, *wish]) == 0
    shown = pixels(ffmpeg_program, film)
    # 24 of the person's; 24 of 16 a second are 37 of 24.
    assert len(shown) == 24 + 37
    moments = [40, 3, 50, 20]
    found = player.play(film, [(number + 0.5) / 24 for number in moments])
    assert (found["how"], found["error"], found["rising"]) == ("ended", None, True)
    assert (found["width"], found["height"], found["frames"]) == (96, 64, len(shown))
    assert abs(found["time"] - len(shown) / 24) < 0.05
    for number, seen in zip(moments, found["seen"], strict=True):
        # A browser scales and converts in its own way; the frames of this film are further apart than that.
        distances = [far(bytes(seen), each) for each in shown]
        assert distances[number] < 25, (number, distances[number])
        assert distances[number] <= min(distances) + 12, number
    published = player.play(tmp_path / "film-30fps-music.mp4")
    assert (published["how"], published["error"], published["rising"]) == ("ended", None, True)
    assert published["frames"] == 76
    assert published["sound"] > 1000
    assert abs(published["duration"] - 76 / 30) < 0.01
