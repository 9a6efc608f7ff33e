"""The only module that calls ffmpeg: compresses frames once, joins parts without touching them, counts frames."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import SviError
from .story import FPS

CHUNK = 1 << 22
# Without B-frames each part begins and ends on its own, so that parts join by copying.
ENCODE = (
    *("-c:v", "libx264", "-preset", "medium", "-crf", "14", "-bf", "0", "-video_track_timescale", "16384"),
    *("-vf", "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"),
    *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"),
)
_FRAMES = re.compile(rb"^frame=\s*(\d+)", re.MULTILINE)
_ASK = "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())"


@dataclass(frozen=True)
class Raw:
    """Uncompressed RGB frames in a file.

    Args:
        path: the file.
        width: of a frame.
        height: of a frame.
        first: first frame to take.
        end: one behind the last frame to take.
    """

    path: Path
    width: int
    height: int
    first: int
    end: int


def find(root: Path, python: Path) -> Path:
    """Find an ffmpeg.

    Args:
        root: WanGP's folder; on Windows WanGP downloads one into it.
        python: WanGP's Python, whose packages may bring one.

    Returns:
        The program.

    Raises:
        SviError: there is none.
    """
    bundled = [root / "ffmpeg_bins" / name for name in ("ffmpeg.exe", "ffmpeg")]
    found = next((path for path in bundled if path.is_file()), None) or shutil.which("ffmpeg")
    if found is None:
        asked = subprocess.run([str(python), "-c", _ASK], capture_output=True, text=True, check=False)
        found = asked.stdout.strip() if asked.returncode == 0 else None
    if not found:
        raise SviError(
            "no-ffmpeg",
            "ffmpeg was not found: neither on the PATH nor in WanGP's folder or Python. Nothing was started.",
            "Start WanGP once (it downloads ffmpeg on Windows) or install ffmpeg, then run this command again.",
        )
    return Path(found)


def encode(program: Path, raw: Raw, target: Path, comment: str = "") -> None:
    """Compress frames to a video file that plays by itself and joins with others of its kind.

    Args:
        program: ffmpeg.
        raw: the frames.
        target: the video; replaced when it exists.
        comment: metadata for it.

    Raises:
        SviError: ffmpeg failed.
    """
    size = raw.width * raw.height * 3
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{raw.width}x{raw.height}", "-r", str(FPS), "-i", "-")
    _write(program, (*source, *ENCODE, *_comment(comment)), target, _slice(raw.path, raw.first * size, raw.end * size))


def encode_frames(program: Path, frames: Sequence[bytes], size: tuple[int, int], target: Path) -> None:
    """Compress frames that are in memory; see `encode`."""
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", str(FPS), "-i", "-")
    _write(program, (*source, *ENCODE), target, frames)


def join(program: Path, parts: Sequence[Path], target: Path, comment: str = "") -> None:
    """Put videos of `encode` one behind the other, without compressing them again.

    Args:
        program: ffmpeg.
        parts: the videos.
        target: the film; replaced when it exists.
        comment: metadata for it.

    Raises:
        SviError: ffmpeg failed.
    """
    listing = target.with_name(f"{target.name}.parts.txt")
    lines = ["file '" + part.absolute().as_posix().replace("'", "'\\''") + "'\n" for part in parts]
    listing.write_text("".join(lines), "utf-8")
    try:
        source = ("-f", "concat", "-safe", "0", "-i", str(listing))
        copy = ("-map", "0:v:0", "-c", "copy", "-video_track_timescale", "16384", "-movflags", "+faststart")
        _write(program, (*source, *copy, *_comment(comment)), target, ())
    finally:
        listing.unlink(missing_ok=True)


def count(program: Path, video: Path) -> int:
    """Return the number of frames in a video, by reading all of it without decoding.

    Raises:
        SviError: ffmpeg cannot read it.
    """
    command = [str(program), "-v", "error", "-i", str(video), "-map", "0:v:0", "-c", "copy"]
    done = subprocess.run([*command, "-progress", "-", "-f", "null", "-"], capture_output=True, check=False)
    found = _FRAMES.findall(done.stdout)
    if done.returncode or not found:
        raise _failed(done.stderr, video)
    return int(found[-1])


def _write(program: Path, arguments: Sequence[str], target: Path, content: Iterable[bytes]) -> None:
    partial = target.with_name(f"{target.stem}.part{target.suffix}")
    command = [str(program), "-v", "error", "-y", *arguments, str(partial)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            for piece in content:
                process.stdin.write(piece)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it says why on its error output
        errors = process.stderr.read()
    if process.returncode:
        partial.unlink(missing_ok=True)
        raise _failed(errors, target)
    try:
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise SviError(
            "file-in-use",
            f"{target} cannot be replaced: {error.strerror}. Finished segments stay.",
            "Close the program that plays it, then run the same command again.",
        ) from error


def _slice(path: Path, start: int, end: int) -> Iterable[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        left = end - start
        while left > 0 and (piece := file.read(min(CHUNK, left))):
            left -= len(piece)
            yield piece


def _comment(text: str) -> tuple[str, ...]:
    return ("-metadata", f"comment={text}") if text else ()


def _failed(errors: bytes, target: Path) -> SviError:
    said = errors.decode("utf-8", "replace").strip().splitlines()
    return SviError(
        "ffmpeg",
        f"ffmpeg could not make {target}: {said[-1] if said else 'it gave no reason'}. Finished segments stay.",
        "Look whether the disk is full, then run the same command again.",
    )
