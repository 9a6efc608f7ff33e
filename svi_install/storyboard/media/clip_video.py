"""A person's video that a film goes on from: what it is, and its frames."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from ...errors import EXIT_USAGE, SviError, quoted
from ..archive.store import regular
from ..script.story import FPS

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")
# Other containers and what else people call a video; said to be none that can be continued, not taken for a picture.
VIDEOS = (*SUFFIXES, ".webm", ".avi", ".wmv", ".flv", ".mpg", ".mpeg", ".ts", ".m2ts", ".3gp")
PROFILES = {"Constrained Baseline": "baseline", "Baseline": "baseline", "Main": "main", "High": "high"}
WHOLE = tuple(Fraction(rate) for rate in (10, 12, 15, 16, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240))
USUAL = (*WHOLE, *(Fraction(rate, 1001) for rate in (24000, 30000, 60000, 120000)))
MOST_RATE = 240
_VIDEO = re.compile(
    r"^\s*Stream #0:(\d+)\S*: Video: (\w+)(?: \(([^)]*)\))?[^,]*, (\w+)(?:\(([^)]*)\))?, (\d+)x(\d+)", re.M
)
_SAR = re.compile(r"\bSAR (\d+):(\d+)")
_TURNED = re.compile(r"displaymatrix: rotation of (-?[\d.]+) degrees")
_BEGINS = re.compile(r"\bstart: (-?[\d.]+)")
_TIME_BASE = re.compile(r"^#tb 0: (\d+)/(\d+)", re.M)


@dataclass(frozen=True)
class Video:
    """A video that can be continued.

    Args:
        path: where it is.
        width: as it is shown.
        height: as it is shown.
        turned: degrees, clockwise, by which a player turns it: 0, 90, 180 or 270.
        profile: for x264.
        full: whether its levels go from 0 to 255.
        matrix: ffmpeg's name for how its colours are coded.
        colours: ffmpeg's options that say the same of another video.
        sar: width of a pixel for each of its height.
        rate: frames a second.
        steady: whether every frame lasts as long.
        ticks: parts of a second in which its times count.
        times: presentation time of each frame in ticks, in order.
        hashes: of its packets, in order.
        sound: whether there is sound with it.
        begins: seconds at which the file begins, with its picture or its sound.
    """

    path: Path
    width: int
    height: int
    turned: int
    profile: str
    full: bool
    matrix: str
    colours: tuple[str, ...]
    sar: Fraction
    rate: Fraction
    steady: bool
    ticks: int
    times: tuple[int, ...]
    hashes: tuple[str, ...]
    sound: bool
    begins: Fraction = Fraction(0)

    @property
    def seconds(self) -> Fraction:
        """How long it is, its last frame as long as the others."""
        return Fraction(self.times[-1] - self.times[0], self.ticks) + 1 / self.rate


def look(program: Path, path: Path) -> Video:
    """Look at a video.

    Raises:
        SviError: it cannot be read, or a film cannot go on from it; the message says which command makes one of it.
    """
    if not regular(path):
        raise _unusable(path, "it is missing, empty, or no file", hint="")
    if path.suffix.lower() not in SUFFIXES:
        raise _unusable(path, f"{path.suffix or 'a file without an ending'} is not one of {', '.join(SUFFIXES)}")
    said = _asked(program, path)
    found = _VIDEO.search(said)
    if found is None:
        raise _unusable(path, "there is no picture in it that ffmpeg can read", hint="")
    number, codec, profile, pixels, words, width, height = found.groups()
    colour = [word.strip() for word in re.split(r"[,/]", words or "")]
    if codec != "h264":
        raise _unusable(path, f"it is compressed with {codec}")
    if (profile or "") not in PROFILES or pixels not in {"yuv420p", "yuvj420p"}:
        raise _unusable(path, f"its form of H.264 ({profile}, {pixels}) is not one that every player shows")
    if not {"progressive"} & set(colour) and {"top first", "bottom first"} & set(colour):
        raise _unusable(path, "it is interlaced")
    if {"smpte2084", "arib-std-b67", "bt2020nc"} & set(colour):
        raise _unusable(path, "it is HDR")
    line = said[found.start() : said.find("\n", found.end())]
    turned = _turned(said[found.end() :])
    if turned is None:
        raise _unusable(path, "it is turned by an angle that is not a quarter turn")
    sar = _SAR.search(line)
    ticks, times, hashes = _packets(program, path, int(number))
    if not times:
        raise _unusable(path, "there is no frame in it", hint="")
    started = _BEGINS.search(said)
    begins = Fraction(started[1]) if started else Fraction(0)
    if Fraction(times[0], ticks) < begins - Fraction(1, 1000):
        raise _unusable(path, "it was cut without being compressed again, and its first frames are hidden")
    rate, steady = rate_of(times, ticks)
    size = (int(width), int(height))
    return Video(
        path.absolute(),
        *(size if turned % 180 == 0 else size[::-1]),
        turned,
        PROFILES[profile],
        pixels == "yuvj420p" or "pc" in colour,
        _matrix(colour, size[1]),
        _named(colour),
        Fraction(int(sar[1]), int(sar[2])) if sar and int(sar[1]) and int(sar[2]) else Fraction(1),
        rate,
        steady,
        ticks,
        times,
        hashes,
        sound=": Audio: " in said,
        begins=begins,
    )


def rate_of(times: Sequence[int], ticks: int) -> tuple[Fraction, bool]:
    """Return the frames a second of a video, a usual number where it is near one, and whether all last as long."""
    steps = sorted(after - before for before, after in pairwise(times))
    if not steps or steps[-1] <= 0:
        return Fraction(FPS), True
    middle = Fraction(ticks, max(1, steps[len(steps) // 2]))
    whole = Fraction(ticks * len(steps), times[-1] - times[0])
    # In thousandths of a second, as phones count, no two frames last as long.
    steady = steps[-1] - steps[0] <= max(1, ticks // 1000)
    guess = whole if steady else middle
    near = min(USUAL if steady else WHOLE, key=lambda usual: abs(usual / guess - 1))
    if abs(near / guess - 1) < Fraction(1, 500) or not steady:
        guess = near
    return min(guess.limit_denominator(1001), Fraction(MOST_RATE)), steady


def frames(program: Path, video: Video, size: tuple[int, int], indices: Sequence[int]) -> list[bytes]:
    """Return frames of a video in another size.

    Args:
        size: width and height, upright.
        indices: numbers of the frames from 0 on, not falling; all of them near the beginning or near the end.

    Raises:
        SviError: ffmpeg failed, or made another number of frames than there are.
    """
    first = max(0, indices[0] - 2)
    start = Fraction(video.times[first], video.ticks) - video.begins - 1 / (4 * video.rate)
    width, height = size
    scale = f"scale={width}:{height}:flags=lanczos+accurate_rnd+full_chroma_int:in_color_matrix={video.matrix}"
    # One after the other at any rate: none is left out, none comes twice.
    steps = f"setpts=N/25/TB,{scale}:in_range={'pc' if video.full else 'tv'}"
    source = ("-ss", f"{float(start):.6f}", "-i", str(video.path)) if first else ("-i", str(video.path))
    command = [str(program), "-v", "error", *source, "-map", "0:v:0", "-vf", steps, "-r", "25"]
    # To the end: only if as many come as there are, it is known which is which.
    last = ["-frames:v", str(indices[-1] + 1)] if not first else []
    done = subprocess.run(
        [*command, *last, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    length = width * height * 3
    made = [done.stdout[at : at + length] for at in range(0, len(done.stdout), length)]
    wanted = len(video.times) - first if first else indices[-1] + 1
    if done.returncode or len(made) != wanted or len(made[-1]) != length:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = said[-1] if said else f"{len(made)} of {wanted} came"
        raise _unusable(video.path, f"its frames cannot be read ({why})")
    return [made[index - first] for index in indices]


def packets(program: Path, path: Path, stream: str = "v:0") -> tuple[str, ...]:
    """Return the hash of every packet of a stream, in their order in the file.

    Raises:
        SviError: ffmpeg cannot read it.
    """
    return _packets(program, path, stream)[2]


def _packets(program: Path, path: Path, stream: int | str) -> tuple[int, tuple[int, ...], tuple[str, ...]]:
    command = [str(program), "-v", "error", "-i", str(path), "-map", f"0:{stream}", "-c", "copy", "-f", "framemd5", "-"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    base = _TIME_BASE.search(done.stdout)
    if done.returncode or base is None:
        said = done.stderr.strip().splitlines()
        raise _unusable(path, said[-1] if said else "ffmpeg cannot read it", hint="")
    lines = [line.split(",") for line in done.stdout.splitlines() if line and not line.startswith("#")]
    times = tuple(sorted(int(line[2]) for line in lines))
    # Times count in parts of a second.
    unit, ticks = int(base[1]), int(base[2])
    return ticks, tuple(time * unit for time in times), tuple(line[-1].strip() for line in lines)


def _asked(program: Path, path: Path) -> str:
    done = subprocess.run(
        [str(program), "-hide_banner", "-i", str(path)], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return done.stderr.decode("utf-8", "replace")


def _turned(said: str) -> int | None:
    following = said.find("Stream #")
    found = _TURNED.search(said[: following if following >= 0 else None])
    if found is None:
        return 0
    degrees = round(-float(found[1])) % 360
    return degrees if degrees % 90 == 0 else None


def _matrix(colour: Sequence[str], height: int) -> str:
    """Where nothing is said, a large picture is taken for HDTV and a small one for TV, as players do."""
    if "bt709" in colour:
        return "bt709"
    if {"smpte170m", "bt470bg"} & set(colour):
        return "bt601"
    return "bt709" if height >= 720 else "bt601"


def _named(colour: Sequence[str]) -> tuple[str, ...]:
    known = [word for word in colour if word in {"bt709", "smpte170m", "bt470bg", "bt470m"}]
    if not known:
        return ()
    spaces = [*known, *known[-1:] * 3][:3]
    transfer = spaces[2] if spaces[2] in {"bt709", "smpte170m"} else "bt709"
    return ("-colorspace", spaces[0], "-color_primaries", spaces[1], "-color_trc", transfer)


def _unusable(path: Path, why: str, hint: str | None = None) -> SviError:
    copy = path.with_name(f"{path.stem}-h264.mp4").name
    how = f"-c:v libx264 -crf 14 -pix_fmt yuv420p -vf yadif=deint=interlaced -c:a aac {quoted(Path(copy))}"
    return SviError(
        "no-video",
        f"A film cannot go on from {path}: {why}. Nothing was started.",
        f"Make a copy that it can go on from: ffmpeg -i {quoted(path)} {how}" if hint is None else hint,
        EXIT_USAGE,
    )
