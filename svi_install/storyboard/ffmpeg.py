"""The only module that calls ffmpeg: compresses frames once, joins parts without touching them, counts frames."""

from __future__ import annotations

import contextlib
import os
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
        target: the video; replaced when it exists.

    Raises:
        SviError: ffmpeg failed.
    """
    size = raw.width * raw.height * 3
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{raw.width}x{raw.height}", "-r", str(FPS), "-i", "-")
    _write(program, source, ENCODE, target, _slice(raw.path, raw.first * size, raw.end * size), comment=comment)


def encode_frames(program: Path, frames: Sequence[bytes], size: tuple[int, int], target: Path) -> None:
    """Compress frames that are in memory; see `encode`."""
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", str(FPS), "-i", "-")
    _write(program, source, ENCODE, target, frames)


def join(program: Path, parts: Sequence[Path], target: Path, comment: str = "") -> None:
    """Put videos of `encode` one behind the other, without compressing them again.

    Args:
        target: the film; replaced when it exists.

    Raises:
        SviError: ffmpeg failed.
    """
    listing = target.with_name(f"{target.name}.parts.txt")
    # Names below the list's own folder need no quotes, and a line break above it does no harm.
    lines = [f"file '{_below(part.absolute(), target.absolute().parent)}'\n" for part in parts]
    try:
        listing.write_text("".join(lines), "utf-8")
        source = ("-f", "concat", "-safe", "0", "-i", str(listing))
        copy = ("-c", "copy", "-video_track_timescale", "16384", "-movflags", "+faststart")
        _write(program, source, copy, target, (), comment=comment)
    except OSError as error:
        raise _refused(error, target) from error
    finally:
        with contextlib.suppress(OSError):
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


def _write(
    program: Path,
    source: Sequence[str],
    options: Sequence[str],
    target: Path,
    content: Iterable[bytes],
    *,
    comment: str = "",
) -> None:
    """Let ffmpeg write a file beside the target, and give it the target's name when all of it is on the disk."""
    partial, notes = (
        target.with_name(f"{target.stem}.part{target.suffix}"),
        target.with_name(f"{target.name}.notes.txt"),
    )
    described = ("-i", str(notes), "-map_metadata", "1") if comment else ()
    command = [str(program), "-v", "error", "-y", *source, *described, "-map", "0:v:0", *options, str(partial)]
    try:
        if comment:
            # A command line has too little room for the seeds of a long film.
            notes.write_bytes(_metadata(comment))
        _pipe(command, target, content)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as error:
        raise _refused(error, target) from error
    finally:
        for path in (partial, notes):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _pipe(command: Sequence[str], target: Path, content: Iterable[bytes]) -> None:
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
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
        raise _failed(errors, target)


def _metadata(comment: str) -> bytes:
    """The comment in ffmpeg's own form, in which some signs are escaped."""
    escaped = re.sub(r"([=;#\\\n])", r"\\\1", comment)
    return f";FFMETADATA1\ncomment={escaped}\n".encode("utf-8", "replace")


def _below(path: Path, folder: Path) -> str:
    text = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()
    return text.replace("'", "'\\''")


def _refused(error: OSError, target: Path) -> SviError:
    return SviError(
        "file-in-use",
        f"{target} cannot be written: {error.strerror or error}. Finished segments are kept.",
        "Close any program that is playing it and check that the disk has room; then run the same command again.",
    )


def _slice(path: Path, start: int, end: int) -> Iterable[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        left = end - start
        while left > 0 and (piece := file.read(min(CHUNK, left))):
            left -= len(piece)
            yield piece


def _failed(errors: bytes, target: Path) -> SviError:
    said = errors.decode("utf-8", "replace").strip().splitlines()
    return SviError(
        "ffmpeg",
        f"ffmpeg could not make {target}: {said[-1] if said else 'it gave no reason'}. Finished segments are kept.",
        "Check whether the disk is full, then run the same command again.",
    )
