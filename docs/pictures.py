"""Makes the pictures of films in docs/pictures from real runs: ``python docs/pictures.py``.

svi-install renders, measures and lays out. The film itself is a boat that `tests/storyboard/boat.py` draws, because
there are no weights where this runs. What WanGP's own page shows, `tests/wangp/pictures.py` makes.
Needs chromium and chromedriver, tmux, ffmpeg and the environment of the tests.
"""

from __future__ import annotations

import base64
import contextlib
import io
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path

import av
from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.storyboard import sailing  # noqa: E402
from tests.wangp.lab import browser  # noqa: E402

FOLDER = Path(__file__).with_name("pictures")
STORY = "a boat leaves the harbour | it sails out | sunset | the moon rises"
DAY = "a boat sails by | further | and further | and on | and away"
COLUMNS, ROWS = 100, 12
# How long each part of the moving picture stays, and its last one, in ms.
STAY, LAST = 500, 4000
# Each so many frames of the film are played, for so many ms.
PLAYED, FRAME = 8, 250
MOVING = (900, 620)
SHOWS = """<!doctype html><meta charset="utf-8"><style>body {{ margin: 0; background: #fafaf8 }}
pre {{ margin: 0; padding: 12px 16px; height: 222px; box-sizing: border-box; background: #1c1c1e; color: #ececee;
font: 14.3px/16.5px "DejaVu Sans Mono", monospace }}
img {{ display: block; margin: 0 auto; max-width: 880px; max-height: 398px }}</style>
<pre>{terminal}</pre>{sheet}"""
LOADED = "return [...document.querySelectorAll('video')].every(v => v.readyState > 2)"
Shot = Callable[[Path, int, int], Image.Image]


@contextlib.contextmanager
def pages(folder: Path) -> Iterator[Shot]:
    """Give what returns a page as a picture of a width and a height."""
    found = browser.programs()
    if found is None:
        raise SystemExit("chromium and chromedriver are needed")
    port = browser.free_port()
    address, log = f"http://127.0.0.1:{port}", folder / "driver.log"
    with browser.process([found[1], f"--port={port}"], log) as driver:
        browser.wait_for(f"{address}/status", driver, log, 30)
        page = browser.Browser(address, found[0], folder / "browser")

        def chrome(command: str, **parameters: object) -> dict[str, str]:
            return dict(page.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters}) or {})

        def shot(path: Path, width: int, height: int) -> Image.Image:
            chrome("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
            page.open(path.as_uri())
            # Until its small videos are loaded a page shows that they load.
            page.script("document.querySelectorAll('video').forEach(v => { v.preload = 'auto' })")
            page.until(lambda: page.script(LOADED), 30, "its videos")
            time.sleep(0.5)
            data = base64.b64decode(chrome("Page.captureScreenshot", format="png")["data"])
            return Image.open(io.BytesIO(data)).convert("RGB")

        chrome("Emulation.setScrollbarsHidden", hidden=True)
        try:
            yield shot
        finally:
            page.close()


def terminal(folder: Path, command: str, look: Callable[[str], None]) -> None:
    """Run a command in a terminal of its own and look at it until it is over."""
    socket = folder / "tmux"
    tmux = ("tmux", "-S", str(socket), "-f", "/dev/null")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    # What the person typed stands above what came of it.
    script = (
        f"printf '$ %s\\n' {shlex.quote(command)} | fold -sw {COLUMNS - 2}; {command}; tmux wait-for -S over; sleep 9"
    )
    size = ("-x", str(COLUMNS), "-y", str(ROWS))
    start = (*tmux, "new-session", "-d", *size, "-c", str(folder), "env", f"PATH={path}", "sh", "-c", script)
    subprocess.run(start, check=True)
    over = subprocess.Popen([*tmux, "wait-for", "over"])

    def seen() -> str:
        asked = [*tmux, "capture-pane", "-p"]
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout

    try:
        while over.poll() is None:
            look(seen())
            time.sleep(0.25)
        look(seen())
    finally:
        over.kill()
        subprocess.run([*tmux, "kill-server"], check=False)


def moving(films: Path, shot: Shot) -> None:
    """Write what the terminal says while a film is made, its contact sheet, then the film, as one moving picture."""
    store = films / "film.svi"
    parts: dict[str, str] = {}

    def look(text: str) -> None:
        # One part for each step that the terminal shows, and each state of the sheet.
        sheet, copy = store / "film.png", store / f"sheet {len(parts)}.png"
        if sheet.exists():
            shutil.copy(sheet, copy)
        if text.strip():
            parts.setdefault(text, f'<img src="{copy.name}">' if sheet.exists() else "")

    terminal(films, f'svi-install render harbour.png "{STORY}" --variant fast -o film.mp4', look)
    frames = []
    for text, sheet in parts.items():
        page = store / "shown.html"
        page.write_text(
            SHOWS.format(terminal=escape(text.replace(str(films.parent), "/home/me")), sheet=sheet), "utf-8"
        )
        frames.append(shot(page, *MOVING))
    stays = [STAY] * (len(frames) - 1) + [LAST]
    with av.open(str(films / "film.mp4")) as file:
        for number, frame in enumerate(file.decode(video=0)):
            if number % PLAYED == 0:
                frames.append(ImageOps.pad(frame.to_image(), MOVING, color=(28, 28, 30)))
                stays.append(FRAME)
    options = {"quality": 55, "method": 6, "minimize_size": True, "loop": 0}
    frames[0].save(FOLDER / "render.webp", save_all=True, append_images=frames[1:], duration=stays, **options)


def run(folder: Path, *words: str) -> None:
    """Run svi-install."""
    subprocess.run([sys.executable, "-m", "svi_install", *words], cwd=folder, check=True, env=outside())


def outside() -> dict[str, str]:
    """Return what a command needs to be this checkout's in any folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def still(image: Image.Image, name: str) -> None:
    """Write a picture."""
    image.save(FOLDER / f"{name}.webp", quality=80, method=6)


def main() -> int:
    """Render two films with the stand-in and write the pictures."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        # The stand-in is found as a person's WanGP is: beside the films.
        home = Path(name).resolve()
        films = home / "films"
        films.mkdir()
        os.environ["WANGP_HOME"] = str(sailing.studio(home / "WanGP", films / "harbour.png", pace=0.6))
        with pages(home) as shot:
            moving(films, shot)
            run(films, "render", "harbour.png", STORY, "--variant", "fast", "-o", "film.mp4", "--takes", "2")
            still(shot(films / "film.svi" / "film.html", 1100, 900), "sheet")
            (home / "WanGP" / "strength.txt").write_text("0.04")
            run(films, "render", "harbour.png", DAY, "--variant", "fast", "-o", "drifting.mp4")
            run(films, "drift", "drifting.mp4", "--html", "drift.html")
            still(shot(films / "drift.html", 1000, 900), "drift")
    for path in sorted(FOLDER.glob("*.webp")):
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
