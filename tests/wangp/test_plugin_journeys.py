"""SVI without a terminal, in the real page: paste an address, restart, make films, look at the tab, take it out again.

WanGP takes addresses of GitHub alone; git itself is told to find that one in a repository on this computer. Screenshots
stay in the folder of the visit. test_plugin_tab.py has what is run each time.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from svi_install.checkout.plugin import NAME
from svi_install.plugin.wangp_queue import CLOSED

from .conftest import Tree
from .lab import browser, installer, media, tools, ui
from .lab.generate import decoded, place_loras
from .svi_tab import (
    BOX,
    CHOSEN,
    PLAYS,
    SHOWN,
    load_anew,
    loras_in_place,
    name_film,
    open_tab,
    queue_of_two,
    small_clips,
    small_profiles,
    until_held,
    until_said,
    words,
    write,
)
from .test_plugin import as_clone, git
from .test_profiles_ui import SHIPPED, SMALL, prepare

pytestmark = pytest.mark.long
ADDRESS = f"https://github.com/somebody/{NAME}"
STORY = "a boat\na bridge\na bird"
ITEM = """const item = document.querySelector(`.plugin-item[data-plugin-id="${arguments[0]}"]`);
return item ? [...item.querySelectorAll('button')].find(e => e.innerText.trim() === arguments[1]) || null : null"""


@dataclass
class Visit:
    """What was seen and what was on the disk, step by step."""

    tree: Path
    work: Path
    said: dict[str, list[str]] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    mends_while_on: bool = True
    clips: int = 0
    clicks: int = 0
    films: dict[str, bytes] = field(default_factory=dict)
    windows: dict[str, list[str]] = field(default_factory=dict)
    segments: dict[str, int] = field(default_factory=dict)
    plays: dict[str, bool] = field(default_factory=dict)
    profiles: list[str] = field(default_factory=list)


def published(folder: Path) -> Path:
    """The plugin as its release job publishes it."""
    home = folder / NAME
    installer.svi_install("plugin", home, "--url", ADDRESS)
    git(home, "init", "-q", "-b", "main")
    git(home, "add", "-A")
    git(home, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "0.1.0")
    return home


def films(page: ui.Page, seen: Visit, start: Path) -> None:  # noqa: PLR0915 (step by step)
    """The first film with as few clicks as there are; one that is stopped and gone on with; another take, and back."""
    outputs, hold = page.log.parent / "outputs", page.log.parent / "hold"

    def note(name: str, film: str) -> None:
        page.settled()
        seen.films[name] = (outputs / f"{film}.mp4").read_bytes() if (outputs / f"{film}.mp4").exists() else b""
        seen.windows[name] = [each["input_prompt"] for each in page.events[counted[0] :] if each["event"] == "window"]
        seen.segments[name] = page.browser.script(SHOWN, "svi_segments")
        seen.words[name] = words(page, "svi_film_said")
        seen.plays[name] = page.browser.script(PLAYS, "svi_film")
        counted[0] = len(page.events)

    counted = [len(page.events)]
    before = page.browser.clicks
    open_tab(page, "SVI")
    page.upload("Start image", start)
    write(page, "svi_text", "a boat")
    page.press("Make film")
    until_said(page, "The film is done")
    # The image and the prompt take a click each to get to.
    seen.clicks = page.browser.clicks - before + 2
    note("first", "start-film")
    page.browser.screenshot(seen.work / "4 first film.png")
    write(page, "svi_text", STORY)
    name_film(page, "story")
    small_clips(page)
    hold.write_text("a bridge", "utf-8")
    page.press("Make film")
    until_held(page, 1)
    page.browser.screenshot(seen.work / "5 it grows.png")
    page.press("Stop")
    page.says("WanGP API dispatched abort")
    hold.unlink()
    until_said(page, "Stopped.")
    note("stopped", "story")
    page.browser.screenshot(seen.work / "6 stopped.png")
    page.press("Continue")
    until_said(page, "The film is done")
    note("continued", "story")
    page.browser.screenshot(seen.work / "7 continued.png")
    page.press("Redo with another seed")
    # What is said while it is made may be gone before anybody looks.
    page.browser.until(lambda: (outputs / "story.mp4").read_bytes() != seen.films["continued"], 240, "the film")
    until_said(page, "The film is done")
    note("redone", "story")
    page.browser.screenshot(seen.work / "8 another take.png")
    page.choose_in(page.browser.script(BOX, "svi_take"), "take 1")
    page.press("Put this take into the film")
    page.browser.until(lambda: (outputs / "story.mp4").read_bytes() != seen.films["redone"], 120, "the film")
    until_said(page, "The film is done")
    note("back", "story")
    name_film(page, "closed")
    hold.write_text("a boat", "utf-8")
    page.press("Make film")
    # The queue has taken two of the three.
    until_held(page, 2)
    load_anew(page)
    hold.unlink()
    open_tab(page, "SVI")
    until_said(page, "The page was closed")
    note("closed", "closed")
    page.browser.screenshot(seen.work / "9 its page was closed.png")
    page.press("Continue")
    until_said(page, "The film is done")
    note("opened", "closed")


@pytest.fixture(scope="module")
def visit(  # noqa: PLR0915 (one visit, step by step)
    fresh_tree: Tree, environment: Path, tmp_path_factory: pytest.TempPathFactory
) -> Visit:
    programs = browser.programs()
    if programs is None:
        pytest.skip("the page needs chromium and chromedriver (Debian: chromium, chromium-driver)")
    tree, work = fresh_tree("12.60"), tmp_path_factory.mktemp("visit")
    prepare(tree, work)
    as_clone(tree)
    seen = Visit(tree, work)
    elsewhere = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{published(work)}.insteadOf",
        "GIT_CONFIG_VALUE_0": ADDRESS,
    }

    def started(name: str, **variables: str):
        folder = work / name
        folder.mkdir()
        return ui.form(tree, environment, programs, folder, **{**elsewhere, **variables})

    def note(name: str, page: ui.Page) -> None:
        seen.said[name] = [line for line in page.console if "[SVI Mode]" in line]
        seen.status[name] = git(tree, "status", "--porcelain")

    with started("install") as page:
        open_tab(page, "Plugins")
        address = page.browser.until(lambda: page.field("GitHub URL"), 30, "the field for an address")
        page.browser.write(address, ADDRESS)
        page.browser.screenshot(work / "1 address.png")
        page.press("Download and Install from URL")
        page.browser.until((tree / "plugins" / NAME / "handler.py").is_file, 60, "the plugin's folder")
        page.settled()
        page.browser.screenshot(work / "2 installed.png")
        note("install", page)
    small_profiles(tree, work)
    loras_in_place(tree, work)
    queue_of_two(tree)
    with started("first clip", LAB_HOLD=str(work / "first clip/hold")) as page:
        note("first clip", page)
        page.model("Wan2.1", "Image2video 14B", "480p")
        seen.profiles = page.choose(ui.PROFILE)
        page.apply(SHIPPED)
        page.browser.screenshot(work / "3 profile.png")
        page.close_messages()
        # The same, of the size of a test.
        page.choose(ui.PROFILE, SMALL)
        page.press("Apply")
        page.settled()
        page.upload("Images as starting points", media.write_picture(work / "start.png"))
        page.press("Generate")
        page.browser.until(
            lambda: (
                len([each for each in page.events if each["event"] == "window"]) >= 3 and page.has_button("Generate")
            ),
            180,
            "the end of the generation",
        )
        seen.clips = len([each for each in page.events if each["event"] == "window"])
        films(page, seen, work / "start.png")
        open_tab(page, "Drift")
        page.press("Look for videos")
        page.settled()
        page.choose_in(page.browser.script(BOX, "svi_drift_video"), "story.mp4")
        page.press("Measure")
        page.browser.until(lambda: "story.mp4: " in words(page, "svi_drift_said"), 120, "the verdict")
        seen.words["drift"] = words(page, "svi_drift_said")
        page.browser.screenshot(work / "9 drift.png")
        open_tab(page, "State")
        page.browser.screenshot(work / "9 state.png")
        seen.words["on"] = words(page, "svi_state")
        seen.mends_while_on = page.has_button("Mend it")
        note("first clip", page)
    (tree / "plugins" / NAME / "off").touch()
    with started("off") as page:
        open_tab(page, "SVI")
        seen.words["off"] = words(page, "svi_state")
        seen.words["advice"] = words(page, "svi_said")
        page.browser.screenshot(work / "10 off.png")
        page.press("Mend it")
        page.browser.until(lambda: "gone" in words(page, "svi_said"), 30, "what was mended")
        page.browser.screenshot(work / "11 mended.png")
        note("off", page)
    (tree / "startup.lock").touch()
    with started("safe mode") as page:
        note("safe mode", page)
        seen.words["safe tabs"] = page.browser.script("return document.body.innerText")
        page.browser.screenshot(work / "12 safe mode.png")
    with started("uninstall") as page:
        open_tab(page, "Plugins")
        button = page.browser.until(lambda: page.browser.script(ITEM, NAME, "Uninstall"), 30, "Uninstall")
        page.browser.script("window.confirm = () => true")
        page.browser.click(button)
        page.browser.until(lambda: not (tree / "plugins" / NAME).exists(), 60, "the folder to be gone")
        page.settled()
        page.browser.screenshot(work / "13 uninstalled.png")
        note("uninstall", page)
    with started("without") as page:
        note("without", page)
        seen.words["without"] = page.browser.script("return document.body.innerText")
    return seen


def test_an_address_and_a_restart(visit: Visit) -> None:
    assert visit.said["install"] == []
    (said,) = [line for line in visit.said["first clip"] if "ready" in line]
    assert "the plugin" in said


def test_a_profile_an_image_and_generate_make_the_first_film(visit: Visit) -> None:
    assert visit.clips == 3
    assert any("clip 3/3" in line for line in visit.said["first clip"])
    assert SHIPPED in [each.strip() for each in visit.profiles]


def test_the_first_film_takes_four_clicks(visit: Visit) -> None:
    assert visit.clicks <= 4
    assert visit.windows["first"] == ["a boat"]
    assert visit.segments["first"] == 1
    assert visit.plays["first"]
    assert visit.films["first"]


def test_a_film_is_stopped_and_gone_on_with(visit: Visit) -> None:
    assert visit.words["stopped"].startswith("Stopped. 1 of 3 segments are finished and kept.")
    assert visit.films["stopped"] == b""
    # The clip that was stopped, and what was not begun.
    assert visit.windows["stopped"] == ["a boat", "a bridge"]
    assert visit.windows["continued"] == ["a bridge", "a bird"]
    assert visit.segments["continued"] == 3
    assert (visit.plays["stopped"], visit.plays["continued"]) == (False, True)


def test_another_take_and_back(visit: Visit) -> None:
    assert visit.windows["redone"] == ["a bird"]
    assert visit.films["redone"] != visit.films["continued"]
    assert visit.windows["back"] == []
    assert visit.films["back"] == visit.films["continued"]


def test_when_the_page_is_closed_what_the_queue_has_taken_is_made(visit: Visit) -> None:
    assert visit.words["closed"] == CLOSED
    assert visit.windows["closed"] == ["a boat", "a bridge"]
    assert (visit.segments["closed"], visit.films["closed"]) == (2, b"")
    assert visit.windows["opened"] == ["a bird"]
    assert visit.films["opened"] == visit.films["continued"]


def test_it_measures_a_video(visit: Visit) -> None:
    verdict, *_, page = visit.words["drift"].splitlines()
    assert any(word in verdict for word in ("steady", "drifting", "broken"))
    assert "svi-install drift" in page


def test_it_is_the_film_of_the_terminal(
    visit: Visit, fresh_tree: Tree, environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte for byte, though it was stopped and gone on with; and the terminal finds nothing left to make."""
    tree = fresh_tree("12.60")
    installer.put_plugin(tree)
    media.write_lora(tmp_path / CHOSEN["SVI-2.0 Unified - 50 Steps"], "pipe.dit", seed=1)
    place_loras(tree, [tmp_path / CHOSEN["SVI-2.0 Unified - 50 Steps"]])
    for name, value in tools.variables(tree, environment, TINY=1).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WANGP_PYTHON", str(tools.python_of(environment)))
    story = (visit.work / "start.png", STORY.replace("\n", " | "))
    small = ("--wangp", tree, "--resolution", "64x64", "--clip-frames", 17, "--steps", 2)
    made = installer.svi_install("render", *story, "-o", tmp_path / "story.mp4", *small)["film"]
    assert made["made"] == [1, 2, 3]
    assert decoded(tmp_path / "story.mp4") == decoded(write_film(tmp_path / "page.mp4", visit.films["continued"]))


def write_film(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_git_sees_nothing_of_it(visit: Visit) -> None:
    assert set(visit.status.values()) == {""}


def test_the_tab_says_how_things_stand(visit: Visit) -> None:
    assert "in memory; no file of WanGP is changed" in visit.words["on"]
    assert "12.60" in visit.words["on"]
    assert "SVI-Shot" in visit.words["on"]
    assert not visit.mends_while_on


def test_the_tab_mends(visit: Visit) -> None:
    assert "there is a file off in" in visit.words["off"]
    assert "remove the file off" in visit.words["advice"]
    assert any("off: there is a file off" in line for line in visit.said["off"])


def test_safe_mode_goes_without_it(visit: Visit) -> None:
    assert visit.said["safe mode"] == ["[SVI Mode] off: WanGP started in safe mode"]
    assert "\nSVI\n" not in visit.words["safe tabs"]


def test_uninstalled_it_leaves_nothing(visit: Visit) -> None:
    assert visit.said["without"] == []
    assert "SVI endless video" not in visit.words["without"]
    assert not [path for path in visit.tree.rglob("*endless*") if ".git" not in path.parts]
    config = (visit.tree / "wgp_config.json").read_text("utf-8")
    assert (
        subprocess.run(["git", "status", "--porcelain"], cwd=visit.tree, capture_output=True, check=True).stdout == b""
    )
    assert NAME not in config.partition('"enabled_plugins"')[2].partition("]")[0]
