"""The only module that calls ffmpeg: compresses frames once, joins parts without touching them, counts frames."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ...errors import SviError
from ..script.story import FPS

CHUNK = 1 << 22
# Without B-frames each part begins and ends on its own, so that parts join by copying.
INTO_BT709 = "out_color_matrix=bt709:out_range=tv,format=yuv420p"
BT709 = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv")
# How many threads x264 has decides the bits that it writes: the same number on every computer.
ENCODE = (
    *("-threads", "4"),
    *("-c:v", "libx264", "-preset", "medium", "-crf", "14", "-bf", "0", "-video_track_timescale", "16384"),
    *("-vf", f"scale={INTO_BT709}"),
    *BT709,
)
# The index first, for a browser that has only the beginning; and no edit list, which some platforms refuse: without
# B-frames and with times from 0 on there is nothing for it to say.
PLAYABLE = ("-movflags", "+faststart", "-use_editlist", "0")
_FRAMES = re.compile(rb"^frame=\s*(\d+)", re.MULTILINE)
_ASK = "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())"


@dataclass(frozen=True)
class Notes:
    """What a video says about itself.

    Args:
        comment: where WanGP keeps the settings of a video.
        chapters: first frame, one behind the last frame and title of each, in frames of a film.
    """

    comment: str = ""
    chapters: tuple[tuple[int, int, str], ...] = ()


NOTHING = Notes()


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
    frames = _slice(raw.path, raw.first * size, raw.end * size)
    write(program, source, ENCODE, target, content=frames, notes=Notes(comment))


def encode_frames(
    program: Path, frames: Iterable[bytes], size: tuple[int, int], target: Path, comment: str = ""
) -> None:
    """Compress frames as they come; see `encode`."""
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", str(FPS), "-i", "-")
    write(program, source, ENCODE, target, content=frames, notes=Notes(comment))


def join(
    program: Path, parts: Sequence[tuple[Path, int]], target: Path, notes: Notes = NOTHING, *, cut: bool = False
) -> None:
    """Put videos of `encode` one behind the other, without compressing them again; every frame lasts 1/16 s.

    Args:
        parts: the videos in their order, each with the number of its frames.
        cut: the last one has more frames, which are left out.
        target: the film; replaced when it exists.

    Raises:
        SviError: ffmpeg failed.
    """
    copy = ("-video_track_timescale", "16384", *PLAYABLE)
    # Between two frames, so that rounding decides nothing.
    until = (parts[-1][1] - 0.5) / FPS if cut else None
    _concatenate(program, [(part, frames / FPS) for part, frames in parts], target, copy, notes, until=until)


def concatenate(program: Path, parts: Sequence[tuple[Path, Fraction]], target: Path, ticks: int) -> None:
    """Put videos one behind the other, every packet as it is; the index comes last.

    Args:
        parts: the videos in their order, each with how long it is in seconds.
        ticks: parts of a second in which times count.

    Raises:
        SviError: ffmpeg failed.
    """
    exact = [(part, float(seconds)) for part, seconds in parts]
    _concatenate(program, exact, target, ("-video_track_timescale", str(ticks)), before=("-auto_convert", "0"))


def _concatenate(
    program: Path,
    parts: Sequence[tuple[Path, float]],
    target: Path,
    options: Sequence[str],
    notes: Notes = NOTHING,
    *,
    before: Sequence[str] = (),
    until: float | None = None,
) -> None:
    listing = target.with_name(f"{target.name}.parts.txt")
    # Names below the list's own folder need no quotes, and a line break above it does no harm. The file says how long
    # it is in thousandths of a second; without the exact time the frame before a seam would last a little longer.
    lines = [
        f"file '{_below(part.absolute(), target.absolute().parent)}'\nduration {seconds:.6f}\n"
        for part, seconds in parts
    ]
    if until is not None:
        lines.append(f"outpoint {until:.6f}\n")
    try:
        listing.write_text("".join(lines), "utf-8")
        source = ("-f", "concat", "-safe", "0", *before, "-i", str(listing))
        write(program, source, ("-c:v", "copy", *options), target, notes=notes)
    except OSError as error:
        raise _refused(error, target) from error
    finally:
        with contextlib.suppress(OSError):
            listing.unlink(missing_ok=True)


def fragmented(program: Path, video: Path, scratch: Path) -> bytes:
    """Return a video of `encode` as a fragmented MP4 file; nothing is compressed again.

    Args:
        scratch: a file that may be written meanwhile.

    Raises:
        SviError: ffmpeg failed.
    """
    flags = ("-c", "copy", "-movflags", "frag_keyframe+empty_moov+default_base_moof", "-f", "mp4")
    try:
        write(program, ("-i", str(video)), flags, scratch)
        return scratch.read_bytes()
    except OSError as error:
        raise _refused(error, scratch) from error
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)


def stills(
    program: Path, video: Path, numbers: Sequence[int], size: tuple[int, int], small: tuple[Path, tuple[int, int]]
) -> bytes:
    """Take frames out of a video, and make a small one of it.

    Args:
        numbers: of the frames, growing.
        size: of the stills.
        small: file and size of the small video; the stills lie beside it as ``NAME.1.jpg`` and so on.

    Returns:
        The stills as RGB bytes, one behind the other.

    Raises:
        SviError: ffmpeg failed.
    """
    target, (width, height) = small
    chosen = "+".join(f"eq(n\\,{number})" for number in numbers)
    graph = (
        f"[0:v]split=2[a][b];[a]scale={width}:{height},format=yuv420p[clip];"
        f"[b]select={chosen},setpts=N/{FPS}/TB,scale={size[0]}:{size[1]},split=2[c][d];"
        f"[c]format=yuvj420p[jpeg];[d]format=rgb24[raw]"
    )
    # The number in the name is for ffmpeg to fill in; the rest of it means nothing but itself.
    names = str(target.with_suffix("")).replace("%", "%%") + ".%d.jpg"
    command = [str(program), "-v", "error", "-y", "-i", str(video), "-filter_complex", graph]
    command += ["-map", "[clip]", "-c:v", "libx264", "-preset", "veryfast", "-crf", "27", "-movflags", "+faststart"]
    command += [str(target), "-map", "[jpeg]", "-q:v", "5", names]
    done = subprocess.run(
        [*command, "-map", "[raw]", "-f", "rawvideo", "-"], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode:
        raise _failed(done.stderr, target)
    return done.stdout


def decoded(
    program: Path, video: Path, size: int, *, colours: str = "in_color_matrix=bt709:in_range=tv", rate: int = 0
) -> Iterator[bytes]:
    """Read the frames of a film.

    Args:
        size: bytes of a frame.
        colours: how they are coded, as ffmpeg's scale filter has it.
        rate: frames a second where they do not all last as long; 0 takes each as it is.

    Yields:
        Each frame, RGB, 8 bits.

    Raises:
        SviError: ffmpeg failed.
    """
    steps = f"{f'fps={rate},' if rate else ''}scale={colours}:flags=accurate_rnd+full_chroma_int"
    form = ("-vf", steps, *(("-r", str(rate)) if rate else ()), "-pix_fmt", "rgb24")
    command = [str(program), "-v", "error", "-i", str(video), "-map", "0:v:0", *form, "-f", "rawvideo", "-"]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
        assert process.stdout is not None
        try:
            while len(frame := process.stdout.read(size)) == size:
                yield frame
            code = process.wait()
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        errors.seek(0)
        if code or frame:
            raise _failed(errors.read(), video)


def count(program: Path, video: Path, rate: int = 0) -> int:
    """Return the number of frames in a video, by reading all of it without decoding.

    Args:
        rate: counts the frames that it has at this rate; 0 for those that it has.

    Raises:
        SviError: ffmpeg cannot read it.
    """
    command = [str(program), "-v", "error", "-i", str(video), "-map", "0:v:0"]
    command += ["-vf", f"fps={rate}", "-r", str(rate)] if rate else ["-c", "copy"]
    done = subprocess.run([*command, "-progress", "-", "-f", "null", "-"], capture_output=True, check=False)
    if found := _FRAMES.findall(done.stdout):
        frames = int(found[-1])
    else:
        # ffmpeg 7.0, which imageio-ffmpeg brings, counts no frames that it copies; here each of them is a line.
        done = subprocess.run([*command, "-f", "framecrc", "-"], capture_output=True, check=False)
        frames = len(re.findall(rb"(?m)^[^#\s]", done.stdout))
    if done.returncode or not frames:
        raise _failed(done.stderr, video)
    return frames


def write(
    program: Path,
    source: Sequence[str],
    options: Sequence[str],
    target: Path,
    *,
    maps: Sequence[str] = ("0:v:0",),
    content: Iterable[bytes] = (),
    notes: Notes = NOTHING,
) -> None:
    """Let ffmpeg write a file beside the target, and give it the target's name when all of it is on the disk.

    Args:
        source: options for what is read; ``-i -`` reads the content.
        options: for what is written.
        maps: the streams that are taken.

    Raises:
        SviError: ffmpeg failed; a target that was there before is still there.
    """
    partial = target.with_name(f"{target.stem}.part{target.suffix}")
    described = target.with_name(f"{target.name}.notes.txt")
    inputs = str(source.count("-i"))
    said = ("-i", str(described), "-map_metadata", inputs, "-map_chapters", inputs) if notes != NOTHING else ()
    chosen = [word for stream in maps for word in ("-map", stream)]
    command = [str(program), "-v", "error", "-y", *source, *said, *chosen, *options, str(partial)]
    try:
        if said:
            # A command line has too little room for the seeds of a long film.
            described.write_bytes(_metadata(notes))
        _pipe(command, target, content)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as error:
        raise _refused(error, target) from error
    finally:
        for path in (partial, described):
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


def _metadata(notes: Notes) -> bytes:
    """The comment and the chapters in ffmpeg's own form, in which some signs are escaped."""
    lines = [";FFMETADATA1", f"comment={_escaped(notes.comment)}"]
    for start, end, title in notes.chapters:
        lines += ["[CHAPTER]", f"TIMEBASE=1/{FPS}", f"START={start}", f"END={end}", f"title={_escaped(_short(title))}"]
    return "\n".join([*lines, ""]).encode("utf-8", "replace")


def _escaped(text: str) -> str:
    return re.sub(r"([=;#\\\n])", r"\\\1", text)


def _short(title: str) -> str:
    """A title that fits where a player reads at most 255 bytes."""
    text = " ".join(title.split()).encode("utf-8", "replace")
    return text[:200].decode("utf-8", "ignore")


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
