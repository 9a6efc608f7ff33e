"""A film that goes on from a person's video: its beginning, and the join, where the person's packets stay as they are.

The frames that the first clip goes on from lie in the film's folder as if a segment before it had left them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

from ...checkout import mp4_boxes
from ...errors import SviError
from ...runtime import png
from ...runtime.segment import DONE, TAIL_NAME
from ..archive.store import Store, digest, plainly, write_json
from ..headless.wangp import WanGP
from ..media import between, clip_video, ffmpeg
from ..media.between import Frames
from ..media.clip_video import Video
from ..script.segments import clip_frames
from ..script.story import CLIP_FRAMES, FPS, Story, usage
from ..script.variants import Variant

FIRST = "first.png"
FRONT, NEW, RAW, WHOLE = "front.mp4", "new.mp4", "raw.mp4", "whole.mp4"
# The new part has parameter sets of its own; both are in the description of the one stream. Cameras count from 0.
NUMBER = 31
_RESOLUTION = re.compile(r"(\d{2,5})x(\d{2,5})")


@dataclass(frozen=True)
class Beginning:
    """What a film goes on from.

    Args:
        video: the person's.
        size: width and height in which WanGP makes the clips.
        key: address of the frames that are handed on, as of a segment's result.
        first: the video's first frame, an image.
    """

    video: Video
    size: tuple[int, int]
    key: str
    first: Path

    def sentence(self) -> str:
        """Say what the film goes on from."""
        video = self.video
        lasts = "" if video.steady else " (not all of the same length)"
        return (
            f"The film goes on from {video.path.name}: {len(video.times)} frames{lasts}, {float(video.rate):.5g} a "
            f"second, {video.width}x{video.height}; clips are made in {self.size[0]}x{self.size[1]}."
        )

    def told(self, story: Story) -> Story:
        """Return a story that begins here."""
        image = self.first if story.image == story.video else story.image
        return replace(story, image=image, resolution=f"{self.size[0]}x{self.size[1]}", handed=self.key)


@dataclass(frozen=True)
class Part:
    """The new part of a film as it came from WanGP, 16 frames a second.

    Args:
        path: a video.
        frames: of it.
    """

    path: Path
    frames: int


@dataclass(frozen=True)
class Joined:
    """A film that goes on from a video.

    Args:
        video: the person's.
        frames: of the film.
        added: of these, in the new part.
        by: what made the frames in between, empty where nothing had to.
    """

    video: Video
    frames: int
    added: int
    by: str

    def sentence(self) -> str:
        """Say what the film is made of."""
        rate = f"{float(self.video.rate):.5g}"
        by = f"; the frames in between are by {self.by}" if self.by else ""
        uneven = "" if self.video.steady else ", which do not all last as long"
        return (
            f"The first {len(self.video.times)} frames{uneven} are those of {self.video.path.name}, packet for packet; "
            f"{self.added} new ones follow, {rate} a second, {self.video.width}x{self.video.height}{by}."
        )

    def facts(self) -> dict[str, object]:
        """Return the same for programs."""
        return {
            "path": str(self.video.path),
            "frames": len(self.video.times),
            "added": self.added,
            "fps": float(self.video.rate),
            "size": [self.video.width, self.video.height],
            "between": self.by or None,
        }


Report = Callable[[int, int], None]


def size_of(video: Video, resolution: str) -> tuple[int, int]:
    """Return the size in which clips are made: the video's shape, about as many pixels, multiples of 16.

    Args:
        resolution: of the variant or the story; no more pixels than it has are made.
    """
    found = _RESOLUTION.fullmatch(resolution)
    room = int(found[1]) * int(found[2]) if found else 832 * 480
    width, height = float(video.width), float(video.height)
    # Pixels are as wide as they were coded, before a player turns them.
    width, height = (
        (width * float(video.sar), height) if video.turned % 180 == 0 else (width, height * float(video.sar))
    )
    factor = min(1.0, math.sqrt(room / (width * height)))
    sides = [max(16, round(side * factor / 16) * 16) for side in (width, height)]
    return sides[0], sides[1]


def begin(program: Path, story: Story, variant: Variant, target: Path, store: Store) -> Beginning:
    """Take out of a video what a film needs of it; what is there already is not made again.

    Args:
        story: names the video.
        target: the film to be.
        store: of the film; the frames are kept in it.

    Raises:
        SviError: a film cannot go on from this video or with this variant, or the disk refuses.
    """
    path = story.video
    assert path is not None
    if variant.motion_frames == 0:
        raise usage(
            f"{variant.name} hands on more than frames, so it cannot go on from a video. Nothing was started.",
            "Choose another variant: --variant wan22",
        )
    if clip_frames(story, variant) <= 2 * variant.overlap:
        raise usage(
            f"Clips of {story.clip_frames} frames are too short to go on from a video with {variant.overlap} motion "
            "frames. Nothing was started.",
            f"--clip-frames {max(CLIP_FRAMES, 4 * variant.overlap + 1)}",
        )
    if target.exists() and path.exists() and target.samefile(path):
        raise usage(
            f"{path} cannot be the film, too. Nothing was started.", "Choose another name for the film: -o FILE"
        )
    video = clip_video.look(program, path)
    size = size_of(video, story.resolution or str(variant.settings.get("resolution", "")))
    with plainly(path, "read"):
        key = _address(digest(path), size, variant.motion_frames)
    folder = store.folder(key)
    made = {"frames": len(video.times), "width": size[0], "height": size[1], "motion_frames": variant.motion_frames}
    names = [TAIL_NAME.format(back) for back in range(variant.motion_frames, 0, -1)]
    if not store.finished(key) or store.damage(key, [FIRST, DONE, *names]):
        chosen = motion(video, variant.motion_frames)
        pictures = clip_video.frames(program, video, size, chosen)
        with plainly(folder, "write"):
            folder.mkdir(parents=True, exist_ok=True)
            for name, pixels in zip(names, pictures, strict=True):
                png.write(folder / name, png.Picture(*size, pixels))
            png.write(folder / FIRST, png.Picture(*size, clip_video.frames(program, video, size, [0])[0]))
        write_json(folder / DONE, made)
        store.finish(key, {**made, "key": key, "video": path.name}, [FIRST, DONE, *names])
    return Beginning(video, size, key, folder / FIRST)


def motion(video: Video, count: int) -> list[int]:
    """Return the numbers of the last frames as SVI sees them: a sixteenth of a second apart, the last frame last.

    A video with fewer repeats its first one.
    """
    found = []
    for back in range(count - 1, -1, -1):
        at = video.times[-1] - Fraction(video.ticks * back, FPS)
        found.append(min(range(len(video.times)), key=lambda number: abs(video.times[number] - at)))
    return found


def join(
    program: Path,
    wangp: WanGP | None,
    beginning: Beginning,
    part: Part,
    target: Path,
    *,
    notes: ffmpeg.Notes = ffmpeg.NOTHING,
    report: Report = lambda done, total: None,
) -> Joined:
    """Put the new part behind the person's video; of that no packet is changed.

    Args:
        part: the new part as it came from WanGP.
        target: the film, in the film's folder.
        notes: what the new part says about itself.
        report: is told how many frames of the new part are done.

    Returns:
        What came of it.

    Raises:
        SviError: ffmpeg failed, or the film did not come out as it should.
    """
    video, root = beginning.video, target.parent
    said = behind(round(video.seconds * FPS), video.path, notes)
    front, new, raw = (root / name for name in (FRONT, NEW, RAW))
    try:
        options = ("-c:v", "copy", "-video_track_timescale", str(video.ticks), "-map_metadata", "-1")
        ffmpeg.write(program, ("-i", str(video.path)), options, front)
        added, by = _encode_new(program, wangp, beginning, part, new, report=report)
        ffmpeg.concatenate(program, ((front, video.seconds), (new, added / video.rate)), raw, video.ticks)
        records = [mp4_boxes.description(path) for path in (front, new)]
        try:
            mp4_boxes.describe(raw, mp4_boxes.both(*(record or b"" for record in records)))
        except (ValueError, IndexError) as error:
            raise SviError("no-video", f"{video.path} cannot be continued without changing it: {error}.") from error
        sound = ("-c:a", "copy") if video.sound else ()
        maps = ("0:v:0", *(("1:a:0",) if video.sound else ()))
        # The picture may begin later than the sound.
        later = Fraction(video.times[0], video.ticks) - video.begins
        offset = ("-itsoffset", f"{float(later):.6f}") if video.sound and later else ()
        source = (*offset, "-i", str(raw), *(("-i", str(video.path)) if video.sound else ()))
        last = ("-c:v", "copy", *sound, "-video_track_timescale", str(video.ticks), "-movflags", "+faststart")
        ffmpeg.write(program, source, last, target, maps=maps, notes=said)
        found = clip_video.packets(program, target)
        if found[: len(video.hashes)] != video.hashes or len(found) != len(video.hashes) + added:
            target.unlink()
            raise SviError("wrong-length", f"{video.path} did not come through unchanged, so the film got no name.")
    finally:
        for path in (front, new, raw):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
    return Joined(video, len(found), added, by)


def behind(first: int, video: Path, notes: ffmpeg.Notes) -> ffmpeg.Notes:
    """Return what a film says that begins with a person's video.

    Args:
        first: where the new part begins, in sixteenths of a second.
        video: the person's.
        notes: what the new part says.
    """
    later = ((start + first, end + first, title) for start, end, title in notes.chapters)
    return ffmpeg.Notes(notes.comment, ((0, first, video.stem), *later) if notes.chapters else ())


def _encode_new(
    program: Path,
    wangp: WanGP | None,
    beginning: Beginning,
    part: Part,
    target: Path,
    *,
    report: Report,
) -> tuple[int, str]:
    """The new part in the person's size, rate and colours."""
    video, size = beginning.video, beginning.size
    rate = max(1, round(video.rate))
    frames = ffmpeg.decoded(program, part.path, size[0] * size[1] * 3)
    added, by = part.frames, ""
    if rate != FPS:
        # What comes first is the person's last frame, so that the way from there is smooth too.
        given = Frames(*size, FPS, part.frames + 1)
        added = between.frames_at(part.frames + 1, FPS, rate) - 1
        rife = between.rife_of(wangp) if wangp is not None else None
        tail = png.read(beginning.first.with_name(TAIL_NAME.format(1))).pixels
        led = _led(tail, frames)
        if rife is not None and wangp is not None:
            frames, by = between.by_rife(wangp, rife, led, given, rate), rife.name
        else:
            frames, by = between.by_ffmpeg(program, led, given, rate), between.FFMPEG
        frames = islice(frames, 1, None)
    shown = _counted(frames, added, report)
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", str(video.rate), "-i", "-")
    with contextlib.closing(shown):
        ffmpeg.write(program, raw, _coded(video), target, content=shown)
    found = ffmpeg.count(program, target)
    if found != added:
        raise SviError("wrong-length", f"The new part came out {found} frames long instead of {added}.")
    return added, by


def _coded(video: Video) -> tuple[str, ...]:
    """As the person's video is: what a player sets up for it holds for the new part too."""
    turn = {90: "transpose=cclock,", 180: "hflip,vflip,", 270: "transpose=clock,"}.get(video.turned, "")
    levels = "pc" if video.full else "tv"
    pixels = "yuvj420p" if video.full else "yuv420p"
    scale = f"scale={video.width}:{video.height}:flags=lanczos+accurate_rnd+full_chroma_int"
    steps = f"{scale}:out_color_matrix={video.matrix}:out_range={levels},{turn}format={pixels}"
    steps += f",setsar={video.sar.numerator}/{video.sar.denominator}"
    # Of the numbers of the parameter sets only x264 has a say.
    coder = ("-c:v", "libx264", "-preset", "medium", "-crf", "12", "-bf", "0", "-profile:v", video.profile)
    own = ("-x264-params", f"sps-id={NUMBER}", "-video_track_timescale", str(video.ticks), "-color_range", levels)
    return (*coder, *own, "-vf", steps, *video.colours)


def _led(first: bytes, frames: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from frames


def _counted(frames: Iterator[bytes], total: int, report: Report) -> Generator[bytes, None, None]:
    for number, frame in enumerate(frames, 1):
        report(number, total)
        yield frame


def _address(video: str, size: tuple[int, int], motion: int) -> str:
    return hashlib.sha256(json.dumps(["video", video, *size, motion]).encode()).hexdigest()
