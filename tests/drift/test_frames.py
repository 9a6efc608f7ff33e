from __future__ import annotations

import os
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest

from svi_install.drift.frames import LARGE, SMALL, Video, size_within
from svi_install.errors import SviError

from . import videos


def read(path: Path) -> list:
    video = Video(path)
    try:
        return list(video.frames())
    finally:
        video.close()


def test_every_frame_comes_once_and_in_order(tmp_path: Path) -> None:
    frames = read(videos.write(tmp_path / "a film (ü).mp4", videos.clean(30)))
    assert [frame.index for frame in frames] == list(range(30))
    assert frames[16].time == pytest.approx(1.0)
    assert frames[0].rgb.shape == (videos.HEIGHT, videos.WIDTH, 3)
    assert frames[0].gray.shape == (videos.HEIGHT, videos.WIDTH)


def test_a_large_frame_is_made_smaller_and_keeps_its_shape() -> None:
    assert size_within(832, 480, LARGE) == (832, 480)
    width, height = size_within(3840, 2160, SMALL)
    assert width * height <= SMALL * 1.02
    assert width / height == pytest.approx(16 / 9, rel=0.02)
    assert size_within(4000, 4, SMALL) == (4000, 4)


@pytest.mark.parametrize(
    ("pixels", "codec", "options"),
    [
        ("yuv420p10le", "libx264", {"crf": "16"}),
        ("gray", "libx264", {"crf": "16"}),
        ("yuv444p", "libx264", {"crf": "16"}),
        ("yuva420p", "libvpx-vp9", {"crf": "20", "b": "0"}),
        ("rgb24", "png", {}),
        ("argb", "qtrle", {}),
    ],
)
def test_other_kinds_of_pixels(tmp_path: Path, pixels: str, codec: str, options: dict[str, str]) -> None:
    name = "a.webm" if "vp9" in codec else "a.mov" if codec in {"png", "qtrle"} else "a.mp4"
    source = videos.clean(6)
    frames = read(videos.write(tmp_path / name, source, pixels=pixels, codec=codec, options=options))
    assert len(frames) == 6
    if pixels != "gray":
        assert np.abs(frames[3].rgb.astype(int) - source[3]).mean() < 8


def test_odd_sizes(tmp_path: Path) -> None:
    source = [frame[:101, :151] for frame in videos.clean(4)]
    frames = read(videos.write(tmp_path / "a.mp4", source, pixels="yuv444p"))
    assert frames[0].gray.shape == (101, 151)


def test_a_phone_video_is_shown_upright(tmp_path: Path, ffmpeg_program: str) -> None:
    flat = videos.write(tmp_path / "flat.mp4", videos.clean(3))
    turned = tmp_path / "turned.mp4"
    # Older ones take it as a tag of the stream, newer ones as an option of the source.
    old = ["-i", str(flat), "-c", "copy", "-metadata:s:v:0", "rotate=90"]
    new = ["-display_rotation", "90", "-i", str(flat), "-c", "copy"]
    for words in (new, old):
        if not subprocess.run([ffmpeg_program, "-v", "error", "-y", *words, str(turned)], check=False).returncode:
            break
    video = Video(turned)
    frame = next(iter(video.frames()))
    assert frame.rotation in {90, 270}
    assert video.shown == (videos.HEIGHT, videos.WIDTH)
    video.close()


def test_a_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    times = [0, 40, 80, 400, 440, 1000]
    frames = read(videos.write(tmp_path / "a.mp4", videos.clean(6), times=times))
    assert [round(1000 * frame.time) for frame in frames] == times


def test_what_a_file_says_of_itself(tmp_path: Path) -> None:
    video = Video(videos.write(tmp_path / "a.mp4", videos.clean(5), comment='{"prompt": "川"}'))
    assert video.comment() == '{"prompt": "川"}'
    assert (video.stream().frames, video.stream().fps) == (5, 16)
    video.close()
    plain = Video(videos.write(tmp_path / "b.mp4", videos.clean(5)))
    assert plain.comment() == ""
    plain.close()


def refused(path: Path) -> SviError:
    with pytest.raises(SviError) as caught:
        read(path)
    assert "Nothing was measured" in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 1
    return caught.value


def test_what_is_no_video_is_refused_in_words(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.mp4").code == "no-video"
    assert "folder" in refused(tmp_path).message
    (tmp_path / "text.mp4").write_text("not a video")
    assert refused(tmp_path / "text.mp4").code == "unreadable-video"
    (tmp_path / "empty.mp4").write_bytes(b"")
    assert refused(tmp_path / "empty.mp4").code == "unreadable-video"
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(os.urandom(8000))
    error = refused(tmp_path / "sound.wav")
    assert (error.code, "only sound" in error.message) == ("no-picture", True)


def test_a_file_that_was_cut_off(tmp_path: Path) -> None:
    whole = videos.write(tmp_path / "a.mkv", videos.clean(60))
    data = whole.read_bytes()
    whole.write_bytes(data[: len(data) // 2])
    assert 0 < len(read(whole)) < 60
    late = videos.write(tmp_path / "b.mp4", videos.clean(60))
    late.write_bytes(late.read_bytes()[:3000])
    assert refused(late).code == "unreadable-video"


def test_damage_in_the_middle_does_not_hide_the_rest(tmp_path: Path) -> None:
    path = videos.write(tmp_path / "a.mp4", videos.clean(60))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = os.urandom(4000)
    path.write_bytes(bytes(data))
    assert len(read(path)) > 5
