"""A film that goes on from a person's video: which ones, from which frames, and that no packet of it is changed.

Some kinds of video by default, all of them with SVI_CLIPS=all in the environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from svi_install.checkout import mp4_boxes
from svi_install.cli import main
from svi_install.errors import SviError
from svi_install.runtime import png
from svi_install.storyboard.archive.store import Store
from svi_install.storyboard.finish import continuation
from svi_install.storyboard.media import clip_video, ffmpeg
from svi_install.storyboard.script.story import Shot, Story
from svi_install.storyboard.script.variants import variant_of

from . import standin

Clips = Callable[..., Path]
ALL = os.environ.get("SVI_CLIPS") == "all"
NO_LORAS = ("--set", "activated_loras=[]", "--set", "loras_multipliers=")


@pytest.fixture
def clips(ffmpeg_program: Path, tmp_path: Path) -> Clips:
    """Makes a video as a person may have it; further words are for ffmpeg."""

    def make(name: str, *words: str, rate: str = "30", seconds: float = 1, size: str = "96x64") -> Path:
        path = tmp_path / name
        source = ("-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds}")
        subprocess.run([ffmpeg_program, "-v", "error", "-y", *source, *words, path], check=True)
        return path

    return make


H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
# As cameras, phones and programs write them: words for ffmpeg, and what is found out.
GOOD: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "b frames.mp4": (H264, {"rate": 30, "profile": "high", "steady": True}),
    "sound and ümlaut's.mp4": (("-f", "lavfi", "-i", "sine=d=1", *H264, "-c:a", "aac"), {"sound": True}),
    "wangp.mp4": ((*H264, "-bf", "0", "-r", "16"), {"rate": 16}),
    "ntsc.mov": ((*H264, "-profile:v", "main", "-r", "30000/1001"), {"rate": Fraction(30000, 1001), "profile": "main"}),
    "full range.mp4": (("-c:v", "libx264", "-pix_fmt", "yuvj420p", "-r", "24"), {"full": True, "rate": 24}),
    "uneven.mp4": (("-vf", "select='mod(n,5)-2'", "-vsync", "vfr", *H264), {"steady": False, "rate": 30}),
    "slow.mkv": ((*H264, "-profile:v", "baseline", "-r", "10"), {"rate": 10, "profile": "baseline", "ticks": 1000}),
    "colours.m4v": (
        (*H264, "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
        {"matrix": "bt709"},
    ),
}


def pixels(program: Path, video: Path, *words: str) -> list[bytes]:
    """The frames as a player shows them, 24x16 pixels each, in the order of time."""
    form = ("-vf", "setpts=N/25/TB,scale=24:16:flags=area", "-r", "25", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    command = [program, "-v", "error", *words, "-i", video, "-map", "0:v:0", *form]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stderr == b""
    return [done.stdout[at : at + 24 * 16 * 3] for at in range(0, len(done.stdout), 24 * 16 * 3)]


def far(one: bytes, other: bytes) -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)


def beginning(program: Path, path: Path, folder: Path, variant: str = "2.0") -> continuation.Beginning:
    story = Story(path, (Shot("one"),), variant, video=path)
    return continuation.begin(program, story, variant_of(variant), folder / "film.mp4", Store(folder / "film.svi"))


def joined(program: Path, path: Path, folder: Path) -> tuple[Path, continuation.Joined]:
    """A film of the video and eight new frames: its last one, and then its negative."""
    found = beginning(program, path, folder)
    last = png.read(found.first.with_name("tail-001.png")).pixels
    made, target = folder / "made.mp4", folder / "film.svi/whole.mp4"
    ffmpeg.encode_frames(program, [last, *[bytes(255 - level for level in last)] * 7], found.size, made)
    return target, continuation.join(program, None, found, continuation.Part(made, 8), target)


@pytest.mark.parametrize("name", GOOD if ALL else ("sound and ümlaut's.mp4", "uneven.mp4", "wangp.mp4"))
def test_every_packet_stays(ffmpeg_program: Path, clips: Clips, tmp_path: Path, name: str) -> None:
    words, wanted = GOOD[name]
    path = clips(name, *words)
    video = clip_video.look(ffmpeg_program, path)
    assert {key: getattr(video, key) for key in wanted} == wanted
    target, made = joined(ffmpeg_program, path, tmp_path)
    hashes = clip_video.packets(ffmpeg_program, target)
    assert hashes[: len(video.hashes)] == clip_video.packets(ffmpeg_program, path)
    rate = round(video.rate)
    assert len(hashes) - len(video.hashes) == made.added == (2 * 9 * rate + 16) // 32 - 1 if rate != 16 else 8
    before, after = pixels(ffmpeg_program, path), pixels(ffmpeg_program, target)
    assert after[: len(before)] == before
    assert far(after[-1], bytes(255 - level for level in before[-1])) < 12
    # At ten a second the first new moment lies behind the first new frame.
    assert rate < 16 or far(after[len(before)], before[-1]) < 60
    # A player that jumps to and fro finds both parts decodable from their own beginnings.
    start = float(video.seconds) + 0.001
    assert far(pixels(ffmpeg_program, target, "-ss", f"{start:.3f}")[-1], after[-1]) == 0
    if video.sound:
        assert clip_video.packets(ffmpeg_program, target, "a:0") == clip_video.packets(ffmpeg_program, path, "a:0")
    ask = [
        "ffprobe",
        "-v",
        "error",
        "-select_streams",
        "v:0",
        "-show_entries",
        "packet=pts_time,dts_time",
        "-of",
        "json",
    ]
    found = json.loads(subprocess.run([*ask, target], capture_output=True, check=True).stdout)["packets"]
    decoding = [float(each["dts_time"]) for each in found]
    assert all(one < two for one, two in pairwise(decoding))
    shown = sorted(float(each["pts_time"]) for each in found)[len(before) - 1 :]
    steps = [two - one for one, two in pairwise(shown)]
    assert max(abs(step - float(1 / video.rate)) for step in steps) <= 1.01 / min(video.ticks, 1000)


@pytest.mark.parametrize("degrees", [90, 180, 270] if ALL else [90])
def test_a_video_that_a_phone_has_turned(ffmpeg_program: Path, clips: Clips, tmp_path: Path, degrees: int) -> None:
    """The new part is turned as the person's is, so that a player shows both upright."""
    plain = clips("plain.mp4", *H264, "-r", "16")
    turned = tmp_path / "turned.mp4"
    turn = ["-metadata:s:v", f"rotate={degrees}", turned]
    subprocess.run([ffmpeg_program, "-v", "error", "-i", plain, "-c", "copy", *turn], check=True)
    video = clip_video.look(ffmpeg_program, turned)
    assert video.turned in {degrees, 360 - degrees}
    assert (video.width, video.height) == ((96, 64) if degrees == 180 else (64, 96))
    target, _ = joined(ffmpeg_program, turned, tmp_path)
    after = pixels(ffmpeg_program, target)
    first = len(video.times)
    assert far(after[first], after[first - 1]) < 12
    assert far(after[first + 1], bytes(255 - level for level in after[first - 1])) < 12


REFUSED = {
    "hevc.mp4": ("-c:v", "libx265", "-pix_fmt", "yuv420p", "-x265-params", "log-level=error"),
    "vp9.mp4": ("-c:v", "libvpx-vp9", "-cpu-used", "8"),
    "pro res.mov": ("-c:v", "prores_ks"),
    "444.mp4": ("-c:v", "libx264", "-pix_fmt", "yuv444p"),
    "ten.mp4": ("-c:v", "libx264", "-pix_fmt", "yuv420p10le"),
    "interlaced.mp4": (*H264, "-flags", "+ilme+ildct"),
    "old.avi": ("-c:v", "mpeg4"),
}


@pytest.mark.parametrize("name", REFUSED if ALL else ("hevc.mp4", "interlaced.mp4"))
def test_a_video_that_cannot_be_continued(ffmpeg_program: Path, clips: Clips, tmp_path: Path, name: str) -> None:
    """It is said why, and the command that is proposed makes one that can be."""
    path = clips(name, *REFUSED[name], seconds=0.4)
    with pytest.raises(SviError, match="Nothing was started") as caught:
        beginning(ffmpeg_program, path, tmp_path)
    command = caught.value.hint.partition(": ")[2]
    subprocess.run(f"{command} -v error", shell=True, cwd=tmp_path, check=True, stdin=subprocess.DEVNULL)
    copy = next(tmp_path.glob("*-h264.mp4"))
    assert len(clip_video.look(ffmpeg_program, copy).times) == len(pixels(ffmpeg_program, path))


def test_what_is_no_video(ffmpeg_program: Path, clips: Clips, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "folder.mp4").mkdir()
    subprocess.run([ffmpeg_program, "-v", "error", "-f", "lavfi", "-i", "sine=d=1", tmp_path / "sound.mp4"], check=True)
    for name in ("text.mp4", "folder.mp4", "none.mp4", "sound.mp4"):
        with pytest.raises(SviError, match=f"cannot go on from .*{name}"):
            beginning(ffmpeg_program, tmp_path / name, tmp_path)
    good = clips("good.mp4", *H264)
    with pytest.raises(SviError, match="hands on more than frames"):
        beginning(ffmpeg_program, good, tmp_path, "pro")
    story = Story(good, (Shot("one"),), "2.0", video=good)
    store = Store(tmp_path / "film.svi")
    with pytest.raises(SviError, match="cannot be the film, too"):
        continuation.begin(ffmpeg_program, story, variant_of("2.0"), good, store)
    with pytest.raises(SviError, match="too short to go on"):
        continuation.begin(ffmpeg_program, replace(story, clip_frames=9), variant_of("2.0"), tmp_path / "f.mp4", store)


def test_motion_frames_are_a_sixteenth_of_a_second_apart(ffmpeg_program: Path, clips: Clips, tmp_path: Path) -> None:
    video = clip_video.look(ffmpeg_program, clips("a.mp4", *H264, rate="48"))
    assert continuation.motion(video, 5) == [35, 38, 41, 44, 47]
    assert continuation.motion(replace(video, times=video.times[:2]), 5) == [0, 0, 0, 0, 1]
    found = beginning(ffmpeg_program, video.path, tmp_path)
    shown = clip_video.frames(ffmpeg_program, video, found.size, range(48))
    for back, number in zip(range(5, 0, -1), (35, 38, 41, 44, 47), strict=True):
        assert png.read(found.first.with_name(f"tail-{back:03d}.png")).pixels == shown[number]
    assert png.read(found.first).pixels == shown[0]
    found.first.write_bytes(b"")
    assert png.read(beginning(ffmpeg_program, video.path, tmp_path).first).pixels == shown[0]


def test_sound_that_begins_first_and_a_beginning_that_is_hidden(
    ffmpeg_program: Path, clips: Clips, tmp_path: Path
) -> None:
    """The frames are the right ones wherever the picture begins; what players leave out is not gone on from."""
    plain = clips("plain.mp4", "-f", "lavfi", "-i", "sine=d=1", *H264, "-c:a", "aac")
    late, cut = tmp_path / "late.mp4", tmp_path / "cut.mp4"
    shift = ["-i", plain, "-itsoffset", "0.4", "-i", plain, "-map", "0:a", "-map", "1:v", "-c", "copy", late]
    for words in (shift, ["-ss", "0.37", "-i", plain, "-c", "copy", cut]):
        subprocess.run([ffmpeg_program, "-v", "error", *words], check=True)
    there, later = (clip_video.look(ffmpeg_program, path) for path in (plain, late))
    assert later.times[0] - there.times[0] == 0.4 * later.ticks
    for numbers in ([0], [20, 25, 29]):
        shown = clip_video.frames(ffmpeg_program, there, (96, 64), numbers)
        assert clip_video.frames(ffmpeg_program, later, (96, 64), numbers) == shown
        assert len(set(shown)) == len(numbers)
    target, _ = joined(ffmpeg_program, late, tmp_path)
    made = clip_video.look(ffmpeg_program, target)
    assert (made.begins, Fraction(made.times[0], made.ticks)) == (0, Fraction(4, 10))
    with pytest.raises(SviError, match="its first frames are hidden"):
        clip_video.look(ffmpeg_program, cut)


def test_sizes_and_rates() -> None:
    def video(width: int, height: int, sar: Fraction = Fraction(1), turned: int = 0) -> clip_video.Video:
        return clip_video.Video(
            *(Path("a.mp4"), width, height, turned, "high", False, "bt709", (), sar, Fraction(30), True, 30, (0, 1)),
            *((), False),
        )

    assert continuation.size_of(video(832, 480), "832x480") == (832, 480)
    assert continuation.size_of(video(1920, 1080), "832x480") == (848, 480)
    assert continuation.size_of(video(1080, 1920), "832x480") == (480, 848)
    assert continuation.size_of(video(320, 180), "832x480") == (320, 176)
    assert continuation.size_of(video(720, 576, Fraction(64, 45)), "1280x720") == (1024, 576)
    steady = [round(number * 600 / 29.97) for number in range(100)]
    assert clip_video.rate_of(steady, 600) == (Fraction(30000, 1001), True)
    assert clip_video.rate_of([0], 600) == (Fraction(16), True)
    assert clip_video.rate_of([0, 0, 0], 600)[0] == 16
    assert clip_video.rate_of([0, 33, 67, 100, 300, 333, 367], 1000) == (Fraction(30), False)


def test_two_descriptions_in_one() -> None:
    def record(sps: bytes, pps: bytes, level: int = 30) -> bytes:
        head = bytes([1, 100, 0, level, 0xFF, 0xE1]) + len(sps).to_bytes(2, "big") + sps
        return head + b"\x01" + len(pps).to_bytes(2, "big") + pps + b"\xfd\xf8\xf8\x00"

    first, second = record(b"\x67\x64\0\x1e\x80", b"\x68\x80"), record(b"\x67\x64\0\x28\x04\x00", b"\x68\x04\x00", 40)
    both = mp4_boxes.both(first, second)
    assert mp4_boxes.parameter_sets(both) == (
        [b"\x67\x64\0\x1e\x80", b"\x67\x64\0\x28\x04\x00"],
        [b"\x68\x80", b"\x68\x04\x00"],
    )
    assert (both[3], both[-4:]) == (40, b"\xfd\xf8\xf8\x00")
    with pytest.raises(ValueError, match="same number"):
        mp4_boxes.both(first, first)
    for at in range(len(first) - 4):
        with pytest.raises(ValueError, match=r"parameter set|number|range"):
            mp4_boxes.both(first[:at] or b"\x01", second)


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any]]:
    code = main.main(["render", *map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_command(
    capsys: pytest.CaptureFixture[str],
    clips: Clips,
    ffmpeg_program: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From a person's folder, by relative names; the second run makes nothing and gives the same bytes."""
    root = standin.make(tmp_path / "WanGP")
    clip = clips("mein clip ä.mp4", "-f", "lavfi", "-i", "sine=d=1", *H264, "-c:a", "aac")
    monkeypatch.chdir(tmp_path)
    small = ("--steps", "2", "--clip-frames", "17", "--wangp", root, *NO_LORAS)
    words = (clip.name, "one | two", "--variant", "2.0", *small)
    code, result = run(capsys, *words, "--lint")
    assert code == 0, result
    assert any("goes on from mein clip ä.mp4: 30 frames, 30 a second, 96x64" in note for note in result["notes"])
    code, result = run(capsys, *words)
    assert code == 0, result
    film, target = result["film"], tmp_path / "mein clip ä-film.mp4"
    # 12 and 12 frames at 16 a second.
    assert (film["made"], film["frames"], film["video"]["frames"], film["video"]["added"]) == ([1, 2], 24, 30, 46)
    first, second = standin.asked(root)
    before = Path(str(first["svi_segment_before"]))
    assert sorted(path.name for path in before.glob("tail-*.png")) == [f"tail-00{number}.png" for number in range(1, 6)]
    assert Path(str(second["svi_segment_before"])) == Path(str(first["svi_segment_out"]))
    assert first["resolution"] == "96x64"
    assert Path(first["image_start"][0]).read_bytes() == (before / "first.png").read_bytes()  # type: ignore[index]
    data = target.read_bytes()
    stamp = target.stat().st_mtime_ns
    code, again = run(capsys, *words)
    assert (code, again["film"]["made"], again["film"]["video"]) == (0, [], film["video"])
    assert target.stat().st_mtime_ns == stamp
    target.unlink()
    code, again = run(capsys, *words)
    assert (code, again["film"]["made"], target.read_bytes() == data) == (0, [], True)
    code, published = run(capsys, *words, "--fps", 24, "--scale", "2x")
    assert (code, published["film"]["made"]) == (0, [])
    ask = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_type,avg_frame_rate,nb_frames,duration,width"]
    path = published["film"]["published"]["path"]
    video, sound = json.loads(subprocess.run([*ask, "-of", "json", path], capture_output=True, check=True).stdout)[
        "streams"
    ][:2]
    assert (video["avg_frame_rate"], video["width"], int(video["nb_frames"])) == ("24/1", 192, 61)
    assert (sound["codec_type"], sound["duration"]) == ("audio", video["duration"])
    assert b"elst" not in Path(path).read_bytes()
    code, story = run(capsys, target.name, "-o", "again.mp4", "--wangp", root)
    assert code == 0, story
    assert (tmp_path / "again.mp4").read_bytes() == data
    assert sys.platform == "win32" or not list(tmp_path.rglob("*.part*"))


def test_a_story_file_with_a_video(
    capsys: pytest.CaptureFixture[str],
    clips: Clips,
    ffmpeg_program: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its image is the anchor; and what a video is not for."""
    root, clip = standin.make(tmp_path / "WanGP"), clips("mein clip ä.mp4", *H264, rate="16", seconds=0.5)
    monkeypatch.chdir(tmp_path)
    small = ("--steps", "2", "--clip-frames", "17", "--wangp", root, *NO_LORAS)
    words = (clip.name, "one | two", "--variant", "2.0", *small)
    other = tmp_path / "story.yaml"
    other.write_text("video: mein clip ä.mp4\nimage: anchor.png\ndefaults: {variant: '2.0'}\nshots: [one]\n")
    png.write(tmp_path / "anchor.png", png.Picture(64, 32, bytes(64 * 32 * 3)))
    code, result = run(capsys, "story.yaml", *small)
    assert code == 0, result
    assert Path(standin.asked(root)[-1]["image_start"][0]).read_bytes() == (tmp_path / "anchor.png").read_bytes()  # type: ignore[index]
    code, result = run(capsys, clip.name, "one", "-o", clip.name, "--wangp", root)
    assert (code, result["error"]["code"]) == (2, "story")
    code, result = run(capsys, *words, "--dry-run")
    assert "--dry-run writes" in result["error"]["message"]
    code, result = run(capsys, clip.name, "--wangp", root)
    assert "There is no story in" in result["error"]["message"]
