"""The file to publish: rate, size, music, and what happens to it when something goes wrong."""

from __future__ import annotations

import json
import signal
import struct
import subprocess
import sys
import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from svi_install.errors import SviError
from svi_install.storyboard.finish import publish
from svi_install.storyboard.headless.wangp import WanGP
from svi_install.storyboard.media import between, ffmpeg, rife, sound
from svi_install.storyboard.media.between import Frames
from svi_install.storyboard.script.sizes import scaled

from . import standin
from .test_ffmpeg import packets

SIZE = (64, 32)


@pytest.mark.parametrize(
    ("scale", "size", "wanted"),
    [
        ("2x", (832, 480), (1664, 960)),
        ("1.5X", (832, 480), (1248, 720)),
        ("1080p", (832, 480), (1872, 1080)),
        ("1080p", (480, 832), (1080, 1872)),
        ("1280x720", (832, 480), (1248, 720)),
        ("720x1280", (832, 480), (720, 416)),
        ("0.5x", (832, 480), (416, 240)),
        ("3x", (34, 18), (102, 54)),
    ],
)
def test_sizes(scale: str, size: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert scaled(scale, size) == wanted


@pytest.mark.parametrize(
    "scale", ["", "x", "2", "0x", "99x", "5p", "10x10", "2x; rm", "99999x99999", "１２x", "-2x", "nanx"]
)
def test_sizes_that_mean_nothing(scale: str) -> None:
    with pytest.raises(SviError, match="Nothing was started"):
        scaled(scale, (832, 480))


def frame(value: int) -> bytes:
    """A frame of one grey with a bar that moves."""
    width, height = SIZE
    row = bytes(value if (at - 3 * value) % 32 else 255 for at in range(width) for _ in range(3))
    return row * height


@pytest.mark.parametrize("wanted", [24, 60])
@pytest.mark.parametrize(("count", "cuts"), [(13, ()), (13, (5, 6, 12)), (2, (1,)), (1, ())])
def test_frames_in_between(ffmpeg_program: Path, wanted: int, count: int, cuts: tuple[int, ...]) -> None:
    """As many as the time asks for; where a frame of the film has its moment, that one; nothing leads to a cut."""
    frames = [frame(6 * number + 90 * (sum(cut <= number for cut in cuts) % 2)) for number in range(count)]
    given = Frames(*SIZE, 16, count, cuts)
    made = list(between.by_ffmpeg(ffmpeg_program, iter(frames), given, wanted))
    assert len(made) == between.frames_at(count, 16, wanted)
    assert abs(Fraction(len(made), wanted) - Fraction(count, 16)) <= Fraction(1, 2 * wanted)
    plan = rife.times(16, wanted, len(made), count, frozenset(cuts))
    for found, (at, part, whole) in zip(made, plan, strict=True):
        assert at + 1 not in cuts or part == 0
        near = frames[at : at + 2] if part else frames[at : at + 1]
        distance = [sum(abs(a - b) for a, b in zip(found, each, strict=True)) / len(found) for each in near]
        # ffmpeg works in YUV; across a cut a frame would be 45 from both.
        assert min(distance) < (3 if part == 0 else 25), (at, part, whole, distance)


def test_the_way_of_every_frame() -> None:
    assert rife.times(16, 24, 6, 4, frozenset()) == [
        (0, 0, 24),
        (0, 16, 24),
        (1, 8, 24),
        (2, 0, 24),
        (2, 16, 24),
        (3, 0, 24),
    ]
    assert rife.times(16, 24, 3, 2, frozenset({1})) == [(0, 0, 24), (0, 0, 24), (1, 0, 24)]


def test_a_program_that_fails(tmp_path: Path) -> None:
    for text, why in (
        ("import sys; sys.exit('no memory')", "no memory"),
        ("import sys; sys.stdout.write('abc')", "no reason"),
    ):
        with pytest.raises(SviError, match=why) as caught:
            list(between.through([sys.executable, "-c", text], [b"x" * 100_000] * 50, 10))
        assert caught.value.code == "between"

    def broken() -> Any:
        yield b"x"
        raise ValueError("the film cannot be read")

    with pytest.raises(ValueError, match="cannot be read"):
        list(between.through([sys.executable, "-c", "import sys; sys.stdin.buffer.read()"], broken(), 10))


def test_which_rife(tmp_path: Path) -> None:
    root = standin.make(tmp_path / "WanGP")
    wangp = WanGP(root, "12.60", Path(sys.executable), "api", (1, 2, 3, 3.5, 4, 5), gguf=True)
    assert between.rife_of(wangp) is None
    (root / "postprocessing/rife").mkdir(parents=True)
    (root / "postprocessing/rife/RIFE_HDv3.py").write_text("")
    assert between.rife_of(wangp) is None
    (root / "flownet.pkl").write_bytes(b"x")
    assert (found := between.rife_of(wangp)) is not None
    assert (found.version, found.weights) == ("v3", root / "flownet.pkl")
    (root / "postprocessing/rife/RIFE_V4.py").write_text("")
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "rife4.26.pkl").write_bytes(b"x")
    for config in ('{"checkpoints_paths": "x"}', "no", json.dumps({"checkpoints_paths": [str(other), 3]})):
        (root / "wgp_config.json").write_text(config)
    assert (found := between.rife_of(wangp)) is not None
    assert (found.version, found.weights) == ("v4", other / "rife4.26.pkl")


def samples(program: Path, video: Path) -> tuple[int, ...]:
    command = [str(program), "-v", "error", "-i", str(video), "-map", "0:a:0", "-f", "s16le", "-ac", "1", "-"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    return struct.unpack(f"<{len(data) // 2}h", data)


@pytest.fixture
def clicks(tmp_path: Path) -> Path:
    """Two seconds at 44.1 kHz with a click at 0.5 s and at 1.5 s."""
    path = tmp_path / "müsik & clicks.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44100)
        values = [20000 if at % 44100 in range(22050, 22150) and at % 8 < 4 else 0 for at in range(2 * 44100)]
        file.writeframes(struct.pack(f"<{len(values)}h", *values))
    return path


@pytest.mark.parametrize("frames", [24, 73, 145])
def test_music_lasts_as_long_as_the_film(ffmpeg_program: Path, clicks: Path, tmp_path: Path, frames: int) -> None:
    """Cut or repeated; a click is where it was to a thousandth of a second, without an edit list that says so."""
    heard = sound.make(ffmpeg_program, clicks, frames, 24, tmp_path / "a.aac")
    assert heard.samples == frames * 2000
    target, film = tmp_path / "a.mp4", tmp_path / "film.mp4"
    ffmpeg.encode_frames(ffmpeg_program, [frame(3)] * frames, SIZE, film)
    options = ("-c:v", "copy", *heard.options(), *ffmpeg.PLAYABLE)
    source = ("-i", str(film), "-i", str(heard.path))
    ffmpeg.write(ffmpeg_program, source, options, target, maps=("0:v:0", "1:a:0"))
    ask = [
        "ffprobe",
        "-v",
        "error",
        "-select_streams",
        "a",
        "-show_entries",
        "stream=duration_ts,start_pts,sample_rate",
    ]
    told = json.loads(subprocess.run([*ask, "-of", "json", target], capture_output=True, check=True).stdout)["streams"][
        0
    ]
    assert (told["sample_rate"], told["start_pts"], told["duration_ts"]) == ("48000", 0, heard.samples)
    assert b"elst" not in target.read_bytes()
    values = samples(ffmpeg_program, target)
    for second in range(frames // 24):
        at = second * 48000 + 24000
        loud = [index for index in range(at - 4000, min(at + 4000, len(values))) if abs(values[index]) > 2500]
        # The fade makes the last one softer than the limit in a film of one second.
        assert (not loud and frames == 24) or abs(loud[0] - at) < 48, second
    assert max(map(abs, values[-200:])) < 200


def test_music_that_cannot_be_used(ffmpeg_program: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"no music")
    with pytest.raises(SviError, match=r"The music .*a\.mp3 cannot be used") as caught:
        sound.make(ffmpeg_program, tmp_path / "a.mp3", 24, 24, tmp_path / "a.aac")
    assert caught.value.code == "no-sound"
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp3"]
    for wrong in (tmp_path, tmp_path / "none.mp3"):
        with pytest.raises(SviError, match="Nothing was started"):
            sound.check(wrong)


def test_names() -> None:
    wish = publish.Wish(24, Path("x.mp3"), "1080P")
    assert publish.name_of(Path("/a/film.one.mp4"), wish) == Path("/a/film.one-24fps-1080p-music.mp4")
    assert not publish.Wish()
    assert publish.name_of(Path("film.mp4"), publish.Wish(audio=Path("x.mp3"))) == Path("film-music.mp4")


OPTIONS = ("--steps", "2", "--resolution", "64x32", "--clip-frames", "9", "--set", "activated_loras=[]")


def command(root: Path, image: Path, *further: object) -> list[str]:
    words = ("render", image, "one | two | three", "-o", image.with_name("film.mp4"), "--wangp", root, *OPTIONS)
    return [sys.executable, "-m", "svi_install", *map(str, (*words, "--set", "loras_multipliers=", *further))]


def run(root: Path, image: Path, *further: object) -> dict[str, Any]:
    done = subprocess.run([*command(root, image, *further), "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout)["film"])


@pytest.mark.skipif(sys.platform == "win32", reason="kills with a signal")
def test_killed_while_publishing(ffmpeg_program: Path, image: Path, clicks: Path, tmp_path: Path) -> None:
    """The film is there, nothing half done has a name, and the next run comes to the same bytes."""
    root = standin.make(tmp_path / "WanGP")
    wishes = ("--fps", "60", "--scale", "2x", "--audio", clicks)
    whole = tmp_path / "whole"
    whole.mkdir()
    image_there = whole / image.name
    image_there.write_bytes(image.read_bytes())
    reference = run(root, image_there, *wishes)["published"]
    target = image.with_name("film-60fps-2x-music.mp4")
    for lines in (1, 6):
        running = subprocess.Popen(
            command(root, image, *wishes), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        assert running.stderr is not None
        seen = 0
        for line in running.stderr:
            seen += line.startswith("writing the video")
            if seen == lines:
                break
        running.send_signal(signal.SIGKILL)
        running.wait()
        running.stderr.close()
        assert not target.exists()
        assert image.with_name("film.mp4").exists()
    again = run(root, image, *wishes)
    assert (again["made"], again["published"]["made"]) == ([], True)
    assert target.read_bytes() == Path(reference["path"]).read_bytes()
    assert image.with_name("film.mp4").read_bytes() == (whole / "film.mp4").read_bytes()
    left = {path.name for path in image.with_name("film.svi").iterdir()}
    assert not {name for name in left if "published" in name} - {"published.json"}
    assert packets(target) == [(1024 * at, 1024 * at, 1024) for at in range(reference["frames"])]
