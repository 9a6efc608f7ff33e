"""The contact sheet of a film: one page and one picture of all clips, takes, seams, seeds and prompts, side by side."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from html import escape
from pathlib import Path
from urllib.parse import quote

from ...errors import SviError
from ..archive import images
from ..archive.store import Store, usable
from ..film import anchor, watch
from ..film.film import PART, Clip, Film
from ..script.segments import seconds
from . import stills
from .poster import Band, Poster
from .stills import Stills

PAGE = "film.html"
PICTURE = "film.png"
# A seam that is further apart than so many usual steps between two frames is worth a look.
ROUGH = 3.0


def path_of(store: Store) -> Path:
    """Return the page."""
    return store.root / PAGE


class Sheet:
    """The contact sheet of one run, written again after each clip.

    It is beside the work: what the disk or ffmpeg refuses here stops nothing.

    Args:
        film: the film.
        program: ffmpeg.
    """

    def __init__(self, film: Film, program: Path) -> None:
        self._film, self._program = film, program
        self._poster = Poster(film.store.root / PICTURE)

    def follow(self, film: Film) -> None:
        """Show another plan of the same film from now on: other takes are picked."""
        self._film = film

    def add(self, clip: Clip) -> None:
        """Show a clip that has just been finished."""
        with contextlib.suppress(SviError, OSError, KeyError, TypeError):
            stills.make(self._film, clip, self._program)
        self.write()

    def complete(self) -> None:
        """Show everything, also what was made before there were contact sheets."""
        with contextlib.suppress(SviError, OSError, KeyError, TypeError):
            stills.complete(self._film, self._program)
        self.write()
        self._poster.close()

    def write(self) -> None:
        """Write page and picture."""
        page = path_of(self._film.store)
        with contextlib.suppress(SviError, OSError):
            partial = page.with_name(f"{PAGE}.part")
            usable(partial)
            with partial.open("wb") as file:
                # Piece by piece: a film may have thousands of clips.
                file.writelines(piece.encode("utf-8", "replace") for piece in _page(self._film))
            partial.replace(page)
        with contextlib.suppress(OSError, ValueError):
            self._poster.write(list(_bands(self._film)))


def _page(film: Film) -> Iterator[str]:
    style = Path(__file__).with_name("sheet.css").read_text("utf-8")
    name, done = film.target.name, len(film.segments) - len(film.missing())
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"script-src 'none'; object-src 'none'; base-uri 'none'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)}</title><style>{style}</style></head><body>\n<h1><bdi>{escape(name)}</bdi></h1>"
        f'<p class="quiet">{done} of {len(film.segments)} segments, {film.frames} frames, '
        f"{seconds(film.frames):.1f} s, {escape(film.variant.name)}{_link(film)}.</p>"
        '<p class="quiet">To put another take in the film, add its words to the command that you rendered with, such '
        "as <code>--pick 4:2</code>. Nothing is deleted.</p>\n"
    )
    frames = 0
    for segment in film.segments:
        length = segment.frames - (0 if segment.begins else film.variant.overlap)
        yield from _segment(film, film.clips(segment), film.takes[segment.number].picked, frames)
        frames += length
    yield "</body></html>\n"


def _link(film: Film) -> str:
    if not film.target.is_file():
        return ""
    # Where `drift` proposes to write its page.
    pages = [(film.target, "the film"), (film.target.with_suffix(".drift.html"), "what drifts in it")]
    found = [(path, text) for path, text in pages if path.is_file()]
    return "".join(f', <a href="../{quote(os.fsencode(path.name))}">{text}</a>' for path, text in found)


def _segment(film: Film, clips: tuple[Clip, ...], picked: int, frames: int) -> Iterator[str]:
    segment = clips[0].segment
    cut = segment.begins and segment.number > 1
    begin = seconds(frames)
    yield (
        f'<section{" class=cut" if cut else ""} id="s{segment.number}"><div><h2>{segment.number}'
        f'{" (cut)" if cut else ""} <span class="quiet">shot {segment.shot}, {int(begin) // 60}:{begin % 60:04.1f}, '
        f"{segment.frames} frames</span></h2><p><bdi>{escape(segment.prompt)}</bdi></p>"
    )
    yield from _seam(film, clips[picked - 1])
    yield '</div><div class="takes">'
    for clip in clips:
        yield _take(film, clip, clip.take == picked)
    yield "</div></section>\n"


def _seam(film: Film, clip: Clip) -> Iterator[str]:
    if clip.before is None:
        return
    before, own = stills.read(film.store, clip.before), stills.read(film.store, clip.key)
    if before is None or own is None:
        return
    said, rough = _join(own)
    yield (
        f'<div class="seam">{_image(before.last, "last frame of the clip before")}'
        f'{_image(own.first, "first frame of this clip")}<p class="quiet{" rough" if rough else ""}">{said}</p></div>'
    )


def _join(own: Stills) -> tuple[str, bool]:
    if own.seam is None:
        return "The seam with the clip before.", False
    rough = own.seam > 1 and own.seam > ROUGH * max(own.usual, 0.5)
    compared = f"{own.seam:.1f} of 255 levels from frame to frame; {own.usual:.1f} within the clip"
    return (f"Look at this seam: {compared}." if rough else f"Seam: {compared}."), rough


def _take(film: Film, clip: Clip, picked: bool) -> str:
    number, key = clip.segment.number, clip.key
    finished, own = film.store.finished(key), stills.read(film.store, key)
    folder = film.store.folder(key).relative_to(film.store.root).as_posix()
    whole = f'<a href="{quote(folder)}/{PART}">full size</a>' if finished else "not made yet"
    shown = '<div class="none"></div>'
    if finished and own is not None:
        video = quote(stills.video_of(film.store, key).relative_to(film.store.root).as_posix())
        shown = (
            f'<video src="{video}" poster="data:image/jpeg;base64,{own.middle}" controls loop muted playsinline '
            f'preload="none"></video><div class="stills">{_image(own.first, "first frame")}'
            f"{_image(own.last, 'last frame')}"
        )
        goal = _goal(film, clip)
        left_out = " (the film leaves it out, because it begins with it)" if clip.segment.closes else ""
        shown += f"{goal}</div>"
        if goal:
            shown += f'<p class="quiet">First frame, last frame{left_out}, and the image that it is to end on.</p>'
    for measured in (watch.said(watch.read(film.store, key)), anchor.words(anchor.read(film.store, key))):
        shown += f'<p class="quiet">{escape(measured)}</p>' if measured else ""
    state = "<b>in the film</b>" if picked else f"<code>--pick {number}:{clip.take}</code>"
    return (
        f"<figure{' class=picked' if picked else ''}>{shown}<figcaption>take {clip.take}, seed {clip.segment.seed}, "
        f"{whole}<br>{state}</figcaption></figure>"
    )


def _goal(film: Film, clip: Clip) -> str:
    """The image that a clip is to end on, beside its last frame."""
    known = film.images.get(str(clip.segment.end_image)) if clip.segment.end_image else None
    copy = images.copy_of(film.store, known) if known else None
    if copy is None:
        return ""
    name = quote(copy.relative_to(film.store.root).as_posix())
    return f'<img src="{name}" alt="the image that it is to end on" title="the goal" loading="lazy">'


def _image(data: str, alt: str) -> str:
    return f'<img src="data:image/jpeg;base64,{data}" alt="{alt}" loading="lazy">'


def _bands(film: Film) -> Iterator[Band]:
    for segment in film.segments:
        takes = film.takes[segment.number]
        for clip in film.clips(segment):
            strip = stills.strip_of(film.store, clip.key)
            if strip.is_file() and film.store.finished(clip.key):
                take = f" TAKE {clip.take}/{takes.known}" if takes.known > 1 else ""
                own = stills.read(film.store, clip.key)
                seam = "" if own is None or own.seam is None else f" SEAM {own.seam:.1f}"
                title = f"{segment.number}{take} SEED {clip.segment.seed}{seam}"
                yield Band(title, segment.prompt, strip, clip.take == takes.picked)
