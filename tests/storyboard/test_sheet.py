"""The contact sheet: what it shows, that nothing in a story can do anything to it, and that it stops no work."""

from __future__ import annotations

import html.parser
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from svi_install.cli import main
from svi_install.runtime import png
from svi_install.storyboard.sheet import poster, sheet, stills
from svi_install.storyboard.sheet.poster import Band, Poster

from . import standin

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in's Python as POSIX has it")
HOSTILE = "</bdi><script>alert(1)</script><img src=x onerror=alert(2)> \"' & \u202e grüße 动画 --> {{x}}"
STORY = f"""
image: start.png
defaults: {{resolution: 64x32, steps: 1, clip_frames: 9, settings: {{activated_loras: [], loras_multipliers: ""}}}}
shots:
- one
- prompt: >-
    {HOSTILE}
  takes: 2
- {{prompt: three, new_shot: true}}
"""


class Page(html.parser.HTMLParser):
    """What a browser would make of the page: elements, what is loaded, the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.loaded: list[str] = []
        self.handlers: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "poster"):
                self.loaded.append(value or "")
            if name.startswith("on") or name == "style":
                self.handlers.append(name)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ffmpeg_program: Path) -> Path:
    folder = tmp_path / "50% ü's"
    folder.mkdir()
    monkeypatch.chdir(folder)
    png.write(folder / "start.png", png.Picture(64, 32, bytes(range(256)) * 24))
    (folder / "story.yaml").write_text(STORY, "utf-8")
    standin.make(folder / "WanGP")
    return folder


@pytest.fixture
def render(home: Path) -> Callable[..., int]:
    return lambda *words: main.main(["render", "story.yaml", "-o", "my film 1.mp4", "--wangp", "WanGP", "-q", *words])


def decoded(path: Path) -> tuple[int, int, bytes]:
    """Width, height and RGB pixels as another program reads them."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    width, height = struct.unpack(">II", path.read_bytes()[16:24])
    assert len(done.stdout) == width * height * 3
    return width, height, done.stdout


def test_the_page(home: Path, render: Callable[..., int]) -> None:
    assert render() == 0
    store = home / "my film 1.svi"
    text = (store / sheet.PAGE).read_text("utf-8")
    page = Page(text)
    assert set(page.elements) <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "bdi", "p", "a", "code", "section", "div"),
        *("span", "figure", "video", "img", "figcaption", "br", "b"),
    }
    assert page.handlers == []
    assert " ".join(HOSTILE.split()) in page.text
    assert page.elements.count("b") == 3
    assert all(word in page.text for word in ("seed 7", "seed 49", "seed 1000052", "--pick 2:2", "3 of 3 segments"))
    assert page.elements.count("video") == 4
    for name in page.loaded:
        if not name.startswith("data:image/jpeg;base64,"):
            assert (store / re.sub("%(..)", lambda match: chr(int(match[1], 16)), name)).is_file(), name
    assert not list(store.rglob("*.part")) + list(store.rglob("*.jpg")) + list(store.rglob("*.rows"))


def test_the_picture(home: Path, render: Callable[..., int]) -> None:
    assert render() == 0
    width, height, pixels = decoded(home / "my film 1.svi" / sheet.PICTURE)
    assert (width > 400, height > 400) == (True, True)
    assert {pixels[at : at + 3] for at in range(0, len(pixels), 3)} >= {bytes(poster.PICKED), bytes(poster.QUIET)}


def test_it_is_written_after_each_segment(
    home: Path, render: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    write = sheet.Sheet.write

    def watched(self: sheet.Sheet) -> None:
        write(self)
        store = self._film.store.root
        seen.append(((store / sheet.PAGE).read_text("utf-8").count("<video"), decoded(store / sheet.PICTURE)[1]))

    monkeypatch.setattr(sheet.Sheet, "write", watched)
    assert render() == 0
    heights = [height for _, height in seen]
    assert [count for count, _ in seen] == [1, 2, 3, 4, 4]
    assert [height // heights[0] for height in heights] == [1, 2, 3, 4, 4]


def test_clips_of_a_version_without_sheets_are_shown(home: Path, render: Callable[..., int]) -> None:
    assert render() == 0
    store = home / "my film 1.svi"
    before = Page((store / sheet.PAGE).read_text("utf-8"))
    shutil.rmtree(store / stills.FOLDER)
    for name in (sheet.PAGE, sheet.PICTURE):
        (store / name).unlink()
    assert render() == 0
    assert Page((store / sheet.PAGE).read_text("utf-8")).text == before.text


@pytest.mark.parametrize("spoil", ["page", "picture", "folder", "record", "ffmpeg", "pipes"])
def test_it_stops_no_work(home: Path, render: Callable[..., int], spoil: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert render() == 0
    store, film = home / "my film 1.svi", home / "my film 1.mp4"
    before = film.read_bytes()
    if spoil == "folder":
        shutil.rmtree(store / stills.FOLDER)
        (store / stills.FOLDER).write_text("x")
    elif spoil == "record":
        for path in (store / stills.FOLDER).iterdir():
            path.write_bytes(b'{"first": "<b>", "usual": "x"')
    elif spoil == "pipes":
        for path in [*(store / stills.FOLDER).iterdir(), *(store / name for name in (sheet.PAGE, sheet.PICTURE))]:
            path.unlink()
            os.mkfifo(path)
        os.mkfifo(store / f"{sheet.PAGE}.part")
        os.mkfifo(store / f"{sheet.PICTURE}.part")
    elif spoil == "ffmpeg":
        monkeypatch.setattr(stills.ffmpeg, "stills", lambda *arguments: b"")
    else:
        path = store / (sheet.PAGE if spoil == "page" else sheet.PICTURE)
        path.unlink()
        path.mkdir()
    shutil.rmtree(store / "segments")
    assert render() == 0
    assert film.read_bytes() == before


def bands(folder: Path, count: int) -> list[Band]:
    strip = folder / "strip.png"
    png.write(strip, png.Picture(30, 12, bytes(range(180)) * 6))
    return [Band(f"{number} SEED {number}", f"prompt {number} é", strip, number % 2 > 0) for number in range(count)]


def test_a_picture_that_grows_is_the_picture_made_at_once(tmp_path: Path) -> None:
    listed = bands(tmp_path, 4)
    grown, whole = Poster(tmp_path / "grown.png"), Poster(tmp_path / "whole.png")
    for count in (1, 2, 4):
        grown.write(listed[:count])
        assert png_rows(tmp_path / "grown.png") == count * png_rows(tmp_path / "grown.png") // count
    whole.write(listed)
    assert decoded(tmp_path / "grown.png") == decoded(tmp_path / "whole.png")
    grown.write([listed[0], listed[3]])
    grown.close()
    assert decoded(tmp_path / "grown.png")[1] == decoded(tmp_path / "whole.png")[1] // 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["grown.png", "strip.png", "whole.png", "whole.png.rows"]
    Poster(tmp_path / "none.png").write([])
    assert not (tmp_path / "none.png").exists()


def png_rows(path: Path) -> int:
    """The rows that are really in a PNG file, as zlib unpacks them."""
    data, content, at = path.read_bytes(), b"", 8
    width, height = struct.unpack(">II", data[16:24])
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        content += data[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    rows = zlib.decompress(content)
    assert len(rows) == height * (width * 3 + 1)
    return height


def test_signs_of_the_picture() -> None:
    assert len(poster.GLYPHS) == len(poster._SIGNS)
    assert all(re.fullmatch("[0-9a-v]{7}", glyph) for glyph in poster.GLYPHS.values())
    assert poster._wrapped("Grüße aus Łódź, " + "x" * 80)[0] == "GRUSSE AUS ŁODZ,"
    lines: list[Any] = poster._wrapped("word " * 200)
    assert (len(lines), lines[-1][-3:]) == (poster.LINES, "...")
    assert max(map(len, lines)) <= poster.SIGNS


@pytest.mark.parametrize(
    ("size", "box", "fits"),
    [((832, 480), (192, 144), (192, 110)), ((480, 832), (192, 144), (82, 144)), ((8, 8), (192, 144), (8, 8))],
)
def test_sizes(size: tuple[int, int], box: tuple[int, int], fits: tuple[int, int]) -> None:
    assert stills.fitting(size, box) == fits
