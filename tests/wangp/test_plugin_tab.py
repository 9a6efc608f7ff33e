"""The tab SVI in one visit: a LoRA that is missing; a film that is stopped, gone on with, and whose page is closed.

The longer visits are in test_plugin_journeys.py and test_plugin_films.py.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from svi_install.checkout.plugin import NAME
from svi_install.loras.catalogue import load

from ..loras.hub import Fault, Hub
from .conftest import Tree
from .lab import browser, installer, media, ui
from .lab.generate import place_loras
from .svi_tab import (
    BOX,
    CHOSEN,
    PLAYS,
    SHOWN,
    load_anew,
    name_film,
    open_tab,
    small_clips,
    small_profiles,
    until_held,
    until_said,
    words,
    write,
)

# Its film waits for WanGP to hold a clip, which a busy machine reaches too late.
pytestmark = pytest.mark.long

HEARTBEAT = 20
STORY = "a boat\na bridge\na bird"
TYPED = "return document.querySelector('#svi_text textarea').value"
# As in shim/tiny_loras.py, which changes svi-install's own list.
TENSORS = 2 * len(media.LAYERS) * media.BLOCKS
LAYOUT = {"tensors": TENSORS, "rank": media.RANK, "blocks": media.BLOCKS, "width": media.WIDTH, "inner": media.WIDTH}
UNKNOWN = {"size": None, "sha256": "", "tensor_bytes": None, "dtype": ""}
SHOT, TOM = (next(lora for lora in load().loras if lora.name == name) for name in ("svi-shot", "svi-tom"))


@dataclass
class Visit:
    """What was seen and what was on the disk, step by step."""

    tree: Path
    work: Path
    words: dict[str, str] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    partly: int = 0
    asked: list[str] = field(default_factory=list)
    arrived: str = ""
    windows: dict[str, list[str]] = field(default_factory=dict)
    segments: dict[str, int] = field(default_factory=dict)
    plays: bool = False
    said: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    server = Hub()
    yield server
    server.close()


def small_catalogue(tree: Path) -> None:
    """Makes the plugin's list of LoRAs one for the tiny model."""
    path = tree / "plugins" / NAME / "svi_install/loras/catalogue.json"
    data = json.loads(path.read_text("utf-8"))
    loras = [{**lora, "files": [{**file, **UNKNOWN} for file in lora["files"]]} for lora in data["loras"]]
    path.write_text(json.dumps({**data, "layouts": dict.fromkeys(data["layouts"], LAYOUT), "loras": loras}), "utf-8")


def downloads(page: ui.Page, seen: Visit, hub: Hub) -> None:
    """One that is stopped and gone on with, then one whose bytes are wrong."""
    folder = seen.tree / "loras/wan_i2v"
    shot, tom = (lora.files[0] for lora in (SHOT, TOM))
    for file in (shot, tom):
        hub.add(
            file.place.repository, file.place.path, (seen.work / CHOSEN["SVI-Shot Infinite - 50 Steps"]).read_bytes()
        )
    size = (seen.work / shot.filename).stat().st_size

    def choose(title: str) -> None:
        page.choose_in(page.browser.script(BOX, "svi_lora"), title)

    open_tab(page, "SVI")
    open_tab(page, "State")
    choose(SHOT.title)
    # Slow enough to be stopped on a busy machine, too.
    hub.always = Fault(rate=size / 200)
    page.press("Download")
    page.browser.until(lambda: "%" in words(page, "svi_progress"), 300, "how far it is")
    page.browser.screenshot(seen.work / "1 it arrives.png")
    page.press("Stop")
    page.browser.until(lambda: "Stopped." in words(page, "svi_progress"), 300, "that it was stopped")
    page.browser.until((folder / f"{shot.filename}.part").exists, 300, "what has arrived")
    asked = len(hub.seen)
    page.browser.until(lambda: _still(folder / f"{shot.filename}.part"), 300, "the end of the transfer")
    seen.partly = (folder / f"{shot.filename}.part").stat().st_size
    hub.always = Fault()
    page.press("Download")
    page.browser.until(lambda: "published" in words(page, "svi_progress"), 300, "that it is proven")
    page.settled()
    seen.asked = [each.headers.get("range", "") for each in hub.seen[asked:] if each.server == "store"]
    seen.arrived = hashlib.sha256((folder / shot.filename).read_bytes()).hexdigest()
    seen.words["there"] = words(page, "svi_state")
    page.browser.screenshot(seen.work / "2 it is there.png")
    hub.always = Fault(flip=size - 9)
    choose(TOM.title)
    page.press("Download")
    page.browser.until(lambda: "That failed" in words(page, "svi_progress"), 300, "that it failed")
    page.settled()
    seen.words["wrong"] = words(page, "svi_progress")
    page.browser.screenshot(seen.work / "3 wrong bytes.png")
    seen.kept = sorted(path.name for path in folder.iterdir() if path.name.startswith(tom.filename))


def _still(path: Path) -> bool:
    """Nothing is written any more."""
    size = path.stat().st_size
    time.sleep(1)
    return size == path.stat().st_size


def film(page: ui.Page, seen: Visit, hold: Path) -> None:
    """Stopped from a page that was opened meanwhile; then gone on with, and finished while its page was loaded anew."""
    counted = 0

    def note(name: str) -> None:
        nonlocal counted
        page.settled()
        seen.windows[name] = [each["input_prompt"] for each in page.events[counted:] if each["event"] == "window"]
        seen.segments[name] = page.browser.script(SHOWN, "svi_segments")
        seen.words[name] = words(page, "svi_film_said")
        counted = len(page.events)

    open_tab(page, "Storyboard")
    page.upload("Start image", media.write_picture(seen.work / "start.png"))
    write(page, "svi_text", STORY)
    name_film(page, "story")
    small_clips(page)
    hold.write_text("a bridge", "utf-8")
    page.press("Make film")
    until_held(page, 1)
    load_anew(page)
    open_tab(page, "SVI")
    page.browser.until(lambda: page.browser.script(SHOWN, "svi_segments") == 1, 300, "the first segment")
    page.browser.until(lambda: page.browser.script(TYPED) == STORY, 300, "what the film was asked for")
    seen.words["opened"] = words(page, "svi_film_said")
    page.browser.screenshot(seen.work / "4 opened meanwhile.png")
    page.press("Stop")
    page.says("WanGP API dispatched abort")
    hold.unlink()
    until_said(page, "Stopped.")
    note("stopped")
    page.browser.screenshot(seen.work / "5 stopped.png")
    hold.write_text("a bird", "utf-8")
    page.press("Continue")
    until_held(page, 2)
    load_anew(page)
    # Gradio looks every 15 seconds who is still there.
    time.sleep(HEARTBEAT)
    hold.unlink()
    open_tab(page, "SVI")
    until_said(page, "The film is done")
    note("done")
    seen.plays = page.browser.script(PLAYS, "svi_film")
    page.browser.screenshot(seen.work / "6 done.png")


@pytest.fixture(scope="module")
def visit(fresh_tree: Tree, environment: Path, tmp_path_factory: pytest.TempPathFactory, hub: Hub) -> Visit:
    programs = browser.programs()
    if programs is None:
        pytest.skip("the page needs chromium and chromedriver (Debian: chromium, chromium-driver)")
    tree, work = fresh_tree("12.60"), tmp_path_factory.mktemp("tab")
    installer.put_plugin(tree)
    small_profiles(tree, work)
    small_catalogue(tree)
    place_loras(tree, [work / CHOSEN["SVI-2.0 Unified - 50 Steps"]])
    seen = Visit(tree, work)
    there = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HOME": str(work), "XDG_STATE_HOME": str(work)}
    with ui.form(tree, environment, programs, work, LAB_HOLD=str(work / "hold"), **there) as page:
        try:
            downloads(page, seen, hub)
            film(page, seen, work / "hold")
        finally:
            page.browser.screenshot(work / "last.png")
        seen.said = [line for line in page.console if "[SVI Mode]" in line]
    return seen


def test_one_button_fetches_a_lora_that_is_missing(visit: Visit, hub: Hub) -> None:
    """What had arrived when it was stopped is not asked for again."""
    assert visit.partly > 0
    assert f"bytes={visit.partly}-" in visit.asked
    assert visit.arrived == hub.sha256(f"{SHOT.files[0].place.repository}/{SHOT.files[0].place.path}")
    assert SHOT.files[0].filename in visit.words["there"]


def test_wrong_bytes_are_said_and_not_kept(visit: Visit) -> None:
    assert visit.words["wrong"].startswith("That failed: ")
    assert visit.kept == []


def test_a_page_opened_meanwhile_shows_the_film_and_stops_it(visit: Visit) -> None:
    assert visit.words["opened"].startswith(("Segment ", "The film story is being made"))
    assert visit.words["stopped"].startswith("Stopped. 1 of 3 segments are finished and kept.")
    assert visit.segments["stopped"] == 1


def test_it_goes_on_while_its_page_is_closed(visit: Visit) -> None:
    # WanGP may hear of a stop before the first step and make the clip all the same; that is not made once more.
    made = [*visit.windows["stopped"], *visit.windows["done"]]
    assert made in (["a boat", "a bridge", "a bird"], ["a boat", "a bridge", "a bridge", "a bird"])
    assert visit.words["done"].startswith("The film is done")
    assert visit.segments["done"] == 3
    assert visit.plays
    (said,) = visit.said[:1]
    assert "ready: the plugin" in said
