"""What a contact sheet shows of a clip: three stills, a small video, and how well it joins the clip before."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import SviError
from ...runtime import png
from ..archive.store import DIGITS, Store, plainly, read_json, regular, usable, write_json
from ..film.film import PART, Clip, Film
from ..media import ffmpeg
from ..script.segments import part_frames

FOLDER = "sheet"
BOX = (192, 144)
# Of the small video, on its longer side.
CLIP = 320


@dataclass(frozen=True)
class Stills:
    """The pictures of one result.

    Args:
        first: first frame of its part of the film, as a JPEG in base64.
        middle: the one in the middle.
        last: the last one.
        usual: how far apart two frames of it in a row are, as the mean difference of 8-bit levels.
        seam: how far its first frame is from the last one of the clip before; None at the beginning of a scene.
    """

    first: str
    middle: str
    last: str
    usual: float
    seam: float | None


def strip_of(store: Store, key: str) -> Path:
    """Return the file with the three stills side by side, as PNG."""
    return store.root / FOLDER / f"{key[:DIGITS]}.png"


def video_of(store: Store, key: str) -> Path:
    """Return the small video of a result."""
    return store.root / FOLDER / f"{key[:DIGITS]}.mp4"


def read(store: Store, key: str) -> Stills | None:
    """Return the pictures of a result, None where they are not made yet."""
    found = read_json(_record(store, key)) or {}
    first, middle, last = (str(found.get(name)) for name in ("first", "middle", "last"))
    if found.get("key") != key or not all(map(_is_base64, (first, middle, last))):
        return None
    return Stills(first, middle, last, _number(found.get("usual")) or 0.0, _number(found.get("seam")))


def make(film: Film, clip: Clip, program: Path) -> None:
    """Make the pictures of a finished clip.

    Raises:
        SviError: ffmpeg failed, or the disk refuses.
    """
    store, key = film.store, clip.key
    facts = store.facts(key)
    first, end = part_frames(clip.segment, facts["frames"], film.variant.overlap, film.variant.seam)
    count = max(1, end - first)
    shown = [0, min(1, count - 1), count // 2, max(0, count - 2), count - 1]
    size = fitting((facts["width"], facts["height"]), BOX)
    target = video_of(store, key)
    small = fitting((facts["width"], facts["height"]), (CLIP, CLIP))
    jpegs = [target.with_suffix(f".{number}.jpg") for number in range(1, len(set(shown)) + 1)]
    with plainly(target, "write"):
        target.parent.mkdir(exist_ok=True)
        for path in (target, strip_of(store, key), *jpegs):
            usable(path)
    pixels = ffmpeg.stills(program, store.folder(key) / PART, sorted(set(shown)), size, (target, small))
    length = size[0] * size[1] * 3
    found = {number: pixels[at * length : (at + 1) * length] for at, number in enumerate(sorted(set(shown)))}
    if any(len(each) != length for each in found.values()):
        raise SviError("ffmpeg", f"ffmpeg could not read all frames of {store.folder(key) / PART}.")
    frames = [found[number] for number in shown]
    with plainly(target, "write"):
        texts = [base64.b64encode(path.read_bytes()).decode("ascii") for path in jpegs]
        for path in jpegs:
            path.unlink()
        texts = [texts[sorted(set(shown)).index(shown[at])] for at in (0, 2, 4)]
        png.write(strip_of(store, key), _strip([frames[at] for at in (0, 2, 4)], size))
    seam = None if clip.before is None else _seam(strip_of(store, clip.before), frames[0], size)
    usual = (difference(frames[0], frames[1]) + difference(frames[3], frames[4])) / 2
    record = {"key": key, **dict(zip(("first", "middle", "last"), texts, strict=True))}
    write_json(_record(store, key), {**record, "usual": round(usual, 2), "seam": seam})


def fitting(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """Return the largest even size of the same shape in a box, never larger than it is."""
    scale = min(1.0, box[0] / size[0], box[1] / size[1])
    return max(2, int(size[0] * scale) // 2 * 2), max(2, int(size[1] * scale) // 2 * 2)


def difference(one: bytes, other: bytes) -> float:
    """Return the mean difference of 8-bit levels between two frames of one size."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / max(1, len(one))


def _seam(strip: Path, first: bytes, size: tuple[int, int]) -> float | None:
    try:
        before = png.read(strip)
    except (OSError, ValueError):
        return None
    if (before.width, before.height) != (3 * size[0], size[1]):
        return None
    row, part = before.width * 3, size[0] * 3
    last = b"".join(before.pixels[at + row - part : at + row] for at in range(0, len(before.pixels), row))
    return round(difference(last, first), 2)


def _strip(frames: list[bytes], size: tuple[int, int]) -> png.Picture:
    row = size[0] * 3
    rows = (frame[at : at + row] for at in range(0, row * size[1], row) for frame in frames)
    return png.Picture(size[0] * len(frames), size[1], b"".join(rows))


def _record(store: Store, key: str) -> Path:
    return store.root / FOLDER / f"{key[:DIGITS]}.json"


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and 0 <= value <= 255 else None


def _is_base64(text: str) -> bool:
    return text.replace("+", "").replace("/", "").rstrip("=").isalnum() and text.isascii()


def complete(film: Film, program: Path) -> None:
    """Make the pictures of all finished clips that have none: a version before made them, or a run was ended.

    Raises:
        SviError: ffmpeg failed, or the disk refuses.
    """
    for segment in film.segments:
        for clip in film.clips(segment):
            whole = read(film.store, clip.key) and regular(video_of(film.store, clip.key))
            if not whole and film.store.finished(clip.key):
                make(film, clip, program)
