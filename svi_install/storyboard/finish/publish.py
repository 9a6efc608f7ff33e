"""The file to publish: a film at another rate and size and with music, made from the finished film."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import SviError
from ..archive.store import digest, read_json, regular, write_json
from ..film.film import Film, notes_of
from ..headless.wangp import WanGP
from ..media import between, clip_video, ffmpeg, sound
from ..media.between import Frames, Rife
from ..script.sizes import scaled
from ..script.story import FPS, Story
from . import continuation, delivery
from .delivery import Target

RECORD = "published.json"
_RESOLUTION = re.compile(r"(\d{2,5})x(\d{2,5})")
MADE, SOUND = "published.mp4", "published.aac"


@dataclass(frozen=True)
class Wish:
    """What a film is to become; None leaves it as it is.

    Args:
        fps: frames a second.
        audio: music.
        scale: as a person writes it.
    """

    fps: int | None = None
    audio: Path | None = None
    scale: str | None = None

    def __bool__(self) -> bool:
        return self != Wish()


@dataclass(frozen=True)
class Made:
    """A published file.

    Args:
        path: where it is.
        frames: how many it has.
        rate: frames a second.
        size: width and height.
        by: what made the frames between those of the film, empty where there are none.
        why: why that is not WanGP's RIFE, empty where it is or nothing was to be made.
        anew: whether it was made now, not before.
    """

    path: Path
    frames: int
    rate: int
    size: tuple[int, int]
    by: str = ""
    why: str = ""
    anew: bool = True

    def sentences(self, wish: Wish) -> tuple[str, ...]:
        """Say what it is, and why ffmpeg made frames of it."""
        by = f" by {self.by}" if self.by else ""
        music = f", with {wish.audio.name}" if wish.audio else ""
        said = (
            f"To publish: {self.path}: {self.frames} frames, {self.rate} a second{by}, {self.size[0]}x{self.size[1]}"
            f"{music}{'' if self.anew else '; it was there already'}."
        )
        return (said, *((f"{self.why}; that is why ffmpeg made the frames in between.",) if self.why else ()))

    def facts(self, wish: Wish) -> dict[str, object]:
        """Return the same for programs."""
        return {
            "path": str(self.path),
            "frames": self.frames,
            "fps": self.rate,
            "size": list(self.size),
            "audio": None if wish.audio is None else str(wish.audio),
            "between": self.by or None,
            "made": self.anew,
        }


Report = Callable[[int, int], None]


def wish_of(story: Story) -> Wish:
    """Return what a story is to become.

    Raises:
        SviError: its size means nothing, or its music cannot be read.
    """
    wish = Wish(story.fps, story.audio, story.scale)
    if wish.audio is not None:
        sound.check(wish.audio)
    if wish.scale is not None:
        scaled(wish.scale, (832, 480))
    return wish


def name_of(film: Path, wish: Wish) -> Path:
    """Return the published file beside a film: ``film-24fps-1080p-music.mp4``."""
    words = [
        *([f"{wish.fps}fps"] if wish.fps else []),
        *([wish.scale.strip().lower()] if wish.scale else []),
        *(["music"] if wish.audio else []),
    ]
    return film.with_stem("-".join([film.stem, *words]))


def look(film: Film, wish: Wish, size: tuple[int, int] | None = None) -> Target:
    """Look at the name that a published file is to get, before anything is made.

    Args:
        size: of the film, None for that of its clips.

    Raises:
        SviError: no file can be written there, or it would be too small or too large.
    """
    if size is None and (found := _RESOLUTION.fullmatch(str(film.tasks[1].get("resolution", "")))):
        size = (int(found[1]), int(found[2]))
    if wish.scale is not None and size is not None:
        scaled(wish.scale, size)
    return delivery.look(name_of(film.target, wish), film.store, RECORD)


def bring(
    film: Film,
    wish: Wish,
    target: Target,
    program: Path,
    wangp: WanGP,
    *,
    report: Report = lambda done, total: None,
) -> Made:
    """Make the file to publish from a finished film, unless it is there already.

    Args:
        target: its name as it was before anything was made.
        report: is told how many frames of how many are done.

    Raises:
        SviError: it could not be made, or its name was taken meanwhile; the film stays.
    """
    there = _known(film, wish, target)
    if there is not None:
        return there
    made = _make(film, wish, program, wangp, report)
    _remember(film, wish, made, target)
    delivery.put(made.path, target, film.store)
    return replace(made, path=target.path)


def _make(film: Film, wish: Wish, program: Path, wangp: WanGP, report: Report) -> Made:
    source = _source(film, program)
    given = source.frames
    rate = wish.fps or given.rate
    count = between.frames_at(given.count, given.rate, rate)
    size = scaled(wish.scale, (given.width, given.height)) if wish.scale else (given.width, given.height)
    target, music = film.store.root / MADE, film.store.root / SOUND
    heard = None
    if wish.audio is not None:
        heard = sound.make(program, wish.audio, count, rate, music)
    elif source.sound:
        heard = sound.make(program, film.target, count, rate, music, own=True)
    rife = between.rife_of(wangp) if rate != given.rate else None
    made = Made(target, count, rate, size, _maker(rife, rate != given.rate), _why(wangp, rife, rate != given.rate))

    def write(rife: Rife | None) -> None:
        read: tuple[str, ...] = ("-i", str(film.target))
        options: tuple[str, ...] = ("-c:v", "copy")
        content: Iterable[bytes] = ()
        if source.person or (rate, *size) != (given.rate, given.width, given.height):
            read, options = _raw(given, rate), _encoded(size, rate)
            again = given.rate if source.person else 0
            frames = ffmpeg.decoded(program, film.target, given.size, colours=source.colours, rate=again)
            if rate != given.rate and rife is not None:
                frames = between.by_rife(wangp, rife, frames, given, rate)
            elif rate != given.rate:
                frames = between.by_ffmpeg(program, frames, given, rate)
            content = _counted(frames, count, report)
        maps: tuple[str, ...] = ("0:v:0",)
        if heard is not None:
            read, options, maps = (*read, "-i", str(heard.path)), (*options, *heard.options()), ("0:v:0", "1:a:0")
        options = (*options, "-video_track_timescale", str(rate * 1024), *ffmpeg.PLAYABLE)
        with contextlib.closing(content) if isinstance(content, Generator) else contextlib.nullcontext():
            ffmpeg.write(program, read, options, target, maps=maps, content=content, notes=source.notes)

    try:
        try:
            write(rife)
        except SviError as error:
            if rife is None or error.code != "between":
                raise
            made = Made(target, count, rate, size, _maker(None, True), f"{rife.name} failed: {error.message}")
            write(None)
        found = ffmpeg.count(program, target)
        if found != count:
            target.unlink()
            raise SviError(
                "wrong-length",
                f"The file to publish came out {found} frames long instead of {count}, so it got no name. The "
                f"film itself is not touched: {film.target}.",
                "Run the same command again.",
            )
    finally:
        with contextlib.suppress(OSError):
            music.unlink(missing_ok=True)
    return made


@dataclass(frozen=True)
class _Source:
    """The film that a file is made from."""

    frames: Frames
    notes: ffmpeg.Notes
    person: bool = False
    colours: str = "in_color_matrix=bt709:in_range=tv"
    sound: bool = False


def _source(film: Film, program: Path) -> _Source:
    notes = notes_of(film, published=True)
    cuts, at = [], 0
    for segment in film.segments:
        if segment.begins and at:
            cuts.append(at)
        at += segment.frames - (0 if segment.begins else film.variant.overlap)
    if film.story is None or film.story.video is None:
        facts = film.store.facts(film.keys[1])
        return _Source(Frames(facts["width"], facts["height"], FPS, at, tuple(cuts)), notes)
    video = clip_video.look(program, film.target)
    rate = max(1, round(video.rate))
    # A person's frames need not last as long as each other, those of the file do.
    count = ffmpeg.count(program, film.target, rate)
    first = count - between.frames_at(at, FPS, rate)
    later = tuple(first + between.frames_at(cut, FPS, rate) for cut in cuts)
    colours = f"in_color_matrix={video.matrix}:in_range={'pc' if video.full else 'tv'}"
    frames = Frames(video.width, video.height, rate, count, later)
    return _Source(
        frames, continuation.behind(first * FPS // rate, film.story.video, notes), True, colours, video.sound
    )


def _known(film: Film, wish: Wish, target: Target) -> Made | None:
    """The published file that is there already, made from this film by these wishes."""
    entry = _entries(film).get(target.path.name, {})
    try:
        if regular(target.path) != entry["size"] or entry["of"] != _address(wish, film.target):
            return None
        if digest(target.path) != entry["sha256"]:
            return None
        facts = entry["facts"]
        return Made(target.path, facts["frames"], facts["rate"], tuple(facts["size"]), facts["by"], facts["why"], False)
    except (OSError, KeyError, TypeError):
        return None


def _remember(film: Film, wish: Wish, made: Made, target: Target) -> None:
    """Keep what a published file was made from, before it gets its name."""
    facts = {name: value for name, value in asdict(made).items() if name not in {"path", "anew"}}
    entry = {
        "of": _address(wish, film.target),
        "size": made.path.stat().st_size,
        "sha256": digest(made.path),
        "facts": facts,
    }
    path = film.store.root / RECORD
    write_json(path, {**(read_json(path) or {}), "made": {**_entries(film), target.path.name: entry}})


def _entries(film: Film) -> Mapping[str, Any]:
    found = (read_json(film.store.root / RECORD) or {}).get("made")
    return found if isinstance(found, dict) else {}


def _address(wish: Wish, film: Path) -> str:
    """What a published file follows from."""
    music = digest(wish.audio) if wish.audio else None
    text = json.dumps([wish.fps, wish.scale, music, digest(film)])
    return hashlib.sha256(text.encode()).hexdigest()


def _counted(frames: Iterator[bytes], count: int, report: Report) -> Iterator[bytes]:
    for number, frame in enumerate(frames, 1):
        report(number, count)
        yield frame


def _raw(given: Frames, rate: int) -> tuple[str, ...]:
    size = f"{given.width}x{given.height}"
    return ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(rate), "-i", "-")


def _encoded(size: tuple[int, int], rate: int) -> tuple[str, ...]:
    """As platforms want it: H.264, 4:2:0, no B-frames (they need an edit list), a whole picture every two seconds."""
    return (
        *("-c:v", "libx264", "-preset", "medium", "-crf", "15", "-bf", "0", "-g", str(2 * rate), "-keyint_min", "1"),
        *("-vf", f"scale={size[0]}:{size[1]}:flags=lanczos+accurate_rnd+full_chroma_int:{ffmpeg.INTO_BT709}"),
        *ffmpeg.BT709,
    )


def _maker(rife: Rife | None, needed: bool) -> str:
    return "" if not needed else between.FFMPEG if rife is None else rife.name


def _why(wangp: WanGP, rife: Rife | None, needed: bool) -> str:
    if not needed or rife is not None:
        return ""
    return f"WanGP's RIFE or its weights (rife4.26.pkl or flownet.pkl) are not in {wangp.root}"
