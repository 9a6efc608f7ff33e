from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from svi_install.errors import SviError
from svi_install.storyboard.media import ffmpeg
from tests.trees import posix


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    path = tmp_path / "frames.rgb"
    path.write_bytes(b"".join(bytes([20 * number, 255 - 20 * number, 128]) * (32 * 16) for number in range(12)))
    return path


def encoded(program: Path, raw: Path, target: Path, first: int = 0, end: int = 12) -> Path:
    ffmpeg.encode(program, ffmpeg.Raw(raw, 32, 16, first, end), target, "made by a test")
    return target


def colours(program: Path, video: Path) -> list[int]:
    command = [str(program), "-v", "error", "-i", str(video), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    return [data[at] for at in range(0, len(data), 32 * 16 * 3)]


def test_the_chosen_frames(ffmpeg_program: Path, raw: Path, tmp_path: Path) -> None:
    video = encoded(ffmpeg_program, raw, tmp_path / "a.mp4", 2, 7)
    assert ffmpeg.count(ffmpeg_program, video) == 5
    for found, wanted in zip(colours(ffmpeg_program, video), range(40, 140, 20), strict=True):
        assert abs(found - wanted) <= 4
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


def packets(video: Path) -> list[tuple[int, int, int]]:
    """Presentation time, decoding time and duration of every packet of the picture, in ticks."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "packet=pts,dts,duration"]
    data = subprocess.run([*command, "-of", "json", str(video)], capture_output=True, check=True).stdout
    return [(each["pts"], each["dts"], each["duration"]) for each in json.loads(data)["packets"]]


@pytest.mark.parametrize("frames", [4, 9, 81])
def test_joining_keeps_every_frame_and_its_time(ffmpeg_program: Path, raw: Path, tmp_path: Path, frames: int) -> None:
    """Parts of 9 or 81 frames do not last whole thousandths of a second, in which a file says how long it is."""
    raw.write_bytes(b"".join(bytes([10 * (n % 25), 255 - 10 * (n % 25), 128]) * (32 * 16) for n in range(frames + 5)))
    parts = [(encoded(ffmpeg_program, raw, tmp_path / f"it's part {n}.mp4", n, n + frames), frames) for n in range(5)]
    film = tmp_path / "fïlm 动画.mp4"
    chapters = ((0, frames, "a = b; # \\ c\nd"), (frames, 5 * frames, "動画" * 200))
    ffmpeg.join(ffmpeg_program, parts, film, ffmpeg.Notes("a film", chapters))
    assert ffmpeg.count(ffmpeg_program, film) == 5 * frames
    whole = [colour for part, _ in parts for colour in colours(ffmpeg_program, part)]
    assert colours(ffmpeg_program, film) == whole
    assert packets(film) == [(1024 * number, 1024 * number, 1024) for number in range(5 * frames)]
    assert b"elst" not in film.read_bytes()
    command = ["ffprobe", "-v", "error", "-show_chapters", "-of", "json", str(film)]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["chapters"]
    assert [each["tags"]["title"] for each in told] == ["a = b; # \\ c d", ("動画" * 200).encode()[:198].decode()]
    assert [round(float(each["end_time"]) * 16) for each in told] == [frames, 5 * frames]


def test_frames_from_memory(ffmpeg_program: Path, tmp_path: Path) -> None:
    ffmpeg.encode_frames(ffmpeg_program, [bytes(32 * 16 * 3)] * 3, (32, 16), tmp_path / "a.mp4")
    assert ffmpeg.count(ffmpeg_program, tmp_path / "a.mp4") == 3


def test_a_failure_leaves_the_old_file(ffmpeg_program: Path, raw: Path, tmp_path: Path) -> None:
    video = encoded(ffmpeg_program, raw, tmp_path / "a.mp4")
    before = video.read_bytes()
    with pytest.raises(SviError, match="could not make"):
        ffmpeg.join(ffmpeg_program, [(tmp_path / "missing.mp4", 4)], video)
    with pytest.raises(SviError):
        ffmpeg.encode(ffmpeg_program, ffmpeg.Raw(raw, 0, 0, 0, 1), video)
    assert video.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "frames.rgb"]


def test_a_film_that_another_program_holds(ffmpeg_program: Path, raw: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    target.mkdir()
    with pytest.raises(SviError, match="cannot be written") as caught:
        encoded(ffmpeg_program, raw, target)
    assert caught.value.code == "file-in-use"
    assert not list(tmp_path.glob("*.part.mp4"))


def test_no_video(ffmpeg_program: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(SviError):
        ffmpeg.count(ffmpeg_program, tmp_path / "a.mp4")


@posix
def test_an_ffmpeg_that_counts_nothing_that_it_copies(ffmpeg_program: Path, raw: Path, tmp_path: Path) -> None:
    """As 7.0 does, which imageio-ffmpeg has brought to many computers."""
    video = encoded(ffmpeg_program, raw, tmp_path / "a.mp4")
    silent = tmp_path / "ffmpeg"
    silent.write_text(f'#!/bin/bash\nset -o pipefail\n"{ffmpeg_program}" "$@" | grep -v "^frame="\n')
    silent.chmod(0o755)
    assert ffmpeg.count(silent, video) == 12
    video.write_bytes(b"no video")
    with pytest.raises(SviError):
        ffmpeg.count(silent, video)


def test_where_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho /opt/bundled/ffmpeg\n")
    python.chmod(0o755)
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: None)
    assert ffmpeg.find(tmp_path, python) == Path("/opt/bundled/ffmpeg")
    python.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(SviError) as caught:
        ffmpeg.find(tmp_path, python)
    assert caught.value.code == "no-ffmpeg"
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: "/usr/bin/ffmpeg")
    assert ffmpeg.find(tmp_path, python) == Path("/usr/bin/ffmpeg")
    (tmp_path / "ffmpeg_bins").mkdir()
    (tmp_path / "ffmpeg_bins/ffmpeg.exe").write_bytes(b"")
    assert ffmpeg.find(tmp_path, python) == tmp_path / "ffmpeg_bins/ffmpeg.exe"
