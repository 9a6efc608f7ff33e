"""SVI in the real form of WanGP, worked with headless chromium.

One visit per release does what a person does: chooses a profile, generates, chooses another, reads back the settings
of the finished video, changes the model. The tests look at what was seen. 12.60 and newer have fields with choices,
10.83 has fields for text, 9.91 has none.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from . import scenes
from .conftest import NEWEST, Ahead, Tree
from .lab import browser, flavours, installer, media, ui
from .lab.generate import metadata, place_loras, proof

# Minutes for each release; by default, test_form_journeys.py visits the form.
pytestmark = pytest.mark.long
VERSIONS = (NEWEST, "12.60", "10.83", "9.91")
WITH_FIELDS = VERSIONS[:3]
CONTROL, DETAILS = "SVI endless video", "SVI details"
PROFILES = Path(__file__).resolve().parents[2] / "profiles/loras/wan_i2v"
SHIPPED = "SVI-Shot Infinite - 50 Steps"
SMALL, PLAIN = "Small SVI-Shot", "Small without SVI"
# A choice of the person's own (WanGP's resolutions.json): the smallest that WanGP offers takes 25 times as long.
SIZE = "64x64"
SIZES = [[f"{SIZE} (1:1)", SIZE]]


@dataclass(frozen=True)
class Visit:
    """What the form showed and what WanGP made of it."""

    profiles: list[str]
    before: dict[str, Any]
    shipped: dict[str, Any]
    plain: dict[str, Any]
    read_back: dict[str, Any]
    film: dict[str, Any]
    other_model: dict[str, Any]
    videos: list[dict[str, Any]]
    windows: list[list[dict[str, Any]]]
    said: list[list[str]]
    md5: list[str]


Visits = Callable[[str], Visit]


def prepare(tree: Path, work: Path) -> None:
    """Puts a LoRA and two profiles of the size of a test where a person's own would be."""
    (tree / "resolutions.json").write_text(json.dumps(SIZES), "utf-8")
    lora = work / "svi-shot.safetensors"
    media.write_lora(lora, "pipe.dit")
    place_loras(tree, [lora])
    small = {
        **json.loads((PROFILES / f"{SHIPPED}.json").read_text("utf-8")),
        "prompt": "\n".join(scenes.PROMPTS),
        "resolution": SIZE,
        "sliding_window_size": 9,
        "video_length": 23,
        "num_inference_steps": 2,
        "seed": scenes.SEED,
    }
    plain = {name: value for name, value in small.items() if "svi" not in name and name != "custom_settings"} | {
        "activated_loras": [],
        "loras_multipliers": "",
        "video_length": 5,
    }
    for name, settings in ((SMALL, small), (PLAIN, plain)):
        (tree / "loras/wan_i2v" / f"{name}.json").write_text(json.dumps(settings), "utf-8")


def svi_fields(form: dict[str, Any]) -> dict[str, Any]:
    """What the form shows about SVI, by the first words of the label."""
    return {re.split("[:(]", name)[0].strip(): value for name, value in form.items() if "SVI" in name}


@pytest.fixture(scope="session")
def visits(
    ahead: Ahead[Visit],
    fresh_tree: Tree,
    environment: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Visits:
    programs = browser.programs()
    if programs is None:
        pytest.skip("the form needs chromium and chromedriver (Debian: chromium, chromium-driver)")

    def visit(version: str) -> Visit:
        tree, work = fresh_tree(version), tmp_path_factory.mktemp("form")
        installer.install(tree)
        prepare(tree, work)
        with ui.form(tree, environment, programs, work) as page:
            try:
                return look(page, work, tree)
            finally:
                page.browser.screenshot(work / "last.png")

    return ahead(request, "version", visit)


def look(page: ui.Page, work: Path, tree: Path) -> Visit:
    page.model("Wan2.1", "Image2video 14B", "480p")
    before, profiles = page.visible(), page.choose(ui.PROFILE)
    page.apply(SHIPPED)
    shipped = page.visible()
    page.browser.screenshot(work / "shipped.png")
    page.apply(SMALL)
    start = media.write_picture(work / "start.png")
    page.upload("Images as starting points", start)
    first = generate(page, 3)
    page.apply(PLAIN)
    plain = page.visible()
    second = generate(page, 1)
    page.upload("Load Settings From", first.video)
    read_back = page.visible()
    page.browser.screenshot(work / "read back.png")
    another = media.write_picture(work / "another.png", seed=8)
    page.upload("Load Settings From", dry_run(tree, another, work / "film.mp4"))
    film = page.visible()
    page.browser.screenshot(work / "film.png")
    third = generate(page, 2)
    page.model("Wan2.1", "Text2video 14B")
    made = (first, second, third)
    return Visit(
        profiles,
        svi_fields(before),
        svi_fields(shipped),
        svi_fields(plain),
        svi_fields(read_back),
        svi_fields(film),
        svi_fields(page.visible()),
        [metadata(each.video) for each in made],
        [each.windows for each in made],
        [each.said for each in made],
        [each.md5 for each in made],
    )


def dry_run(tree: Path, start: Path, film: Path) -> Path:
    """The settings that `render --dry-run` writes for a film of two clips."""
    size = ("--resolution", SIZE, "--clip-frames", 9, "--steps", 2, "--seed", scenes.SEED + 7, "--variant", "shot")
    where = ("-o", film, "--wangp", tree)
    return Path(
        installer.svi_install("render", start, "first | second", *size, *where, "--dry-run")["film"]["settings"]
    )


@dataclass(frozen=True)
class Made:
    """What one press of Generate led to."""

    video: Path
    windows: list[dict[str, Any]]
    said: list[str]
    md5: str


def generate(page: ui.Page, files: int) -> Made:
    """Presses Generate and waits until that many files are saved."""
    events, lines = len(page.events), len(page.console)
    page.press("Generate")

    def saved() -> list[dict[str, Any]]:
        return [event for event in page.events[events:] if event["event"] == "saved"]

    page.browser.until(lambda: len(saved()) == files, 300, f"{files} saved videos")
    page.browser.until(lambda: page.has_button("Generate"), 60, "the end of the generation")
    page.settled()
    windows = [event for event in page.events[events:] if event["event"] == "window"]
    video = page.log.parent / "outputs" / saved()[-1]["file"]
    copy = page.log.parent / f"video {events}.mp4"
    shutil.copyfile(video, copy)
    said = [line for line in page.console[lines:] if "[SVI Mode]" in line]
    return Made(copy, windows, said, saved()[-1]["md5"])


@pytest.mark.parametrize("version", VERSIONS)
def test_profiles_are_listed(visits: Visits, version: str) -> None:
    names = {path.stem for path in PROFILES.glob("*.json")}
    assert SHIPPED in names
    assert names <= {name.strip() for name in visits(version).profiles}


@pytest.mark.parametrize("version", WITH_FIELDS)
def test_a_profile_fills_the_fields(visits: Visits, version: str) -> None:
    """One control while SVI is off; the line for details shows with it."""
    seen = visits(version)
    assert list(seen.before) == [CONTROL]
    assert is_off(seen.before)
    assert seen.shipped[CONTROL].split(":")[0] in ("SVI-Shot", "shot")
    assert seen.shipped[DETAILS] == "schedule authors"


def is_off(fields: dict[str, Any]) -> bool:
    """A field for text is empty until somebody writes into it."""
    return str(fields[CONTROL]).lower() in ("off", "")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_choice_reaches_the_video_and_its_metadata(visits: Visits, version: str) -> None:
    seen = visits(version)
    assert [window["seed"] for window in seen.windows[0]] == [scenes.SEED, scenes.SEED + 42, scenes.SEED + 84]
    assert [window["input_prompt"] for window in seen.windows[0]] == list(scenes.PROMPTS)
    stored = seen.videos[0]
    assert (stored["seed"], stored["video_length"]) == (scenes.SEED, 25)
    made = proof(stored)
    assert made is not None
    assert (made["variant"], made["loras"]) == ("shot", ["svi-shot.safetensors"])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_profile_without_svi_switches_it_off(visits: Visits, version: str) -> None:
    seen = visits(version)
    assert seen.said[0]
    assert [window["seed"] for window in seen.windows[1]] == [scenes.SEED]
    assert not [line for line in seen.said[1] if "] on" in line]
    assert proof(seen.videos[1]) is None
    if version in WITH_FIELDS:
        assert is_off(seen.plain)


@pytest.mark.parametrize("version", WITH_FIELDS)
def test_the_settings_of_a_video_switch_it_on_again(visits: Visits, version: str) -> None:
    seen = visits(version)
    assert seen.read_back == seen.shipped


@pytest.mark.parametrize("version", VERSIONS)
def test_a_film_opens_in_the_form_and_is_made_in_one_go(visits: Visits, version: str) -> None:
    seen = visits(version)
    made, first, said = seen.windows[2], scenes.SEED + 7, proof(seen.videos[2])
    assert said is not None
    assert [(window["input_prompt"], window["seed"]) for window in made] == [("first", first), ("second", first + 42)]
    assert (said["variant"], seen.videos[2]["video_length"]) == ("shot", 17)
    assert seen.film == seen.shipped
    # It brings its own start image.
    assert abs(made[0]["input_level"] - seen.windows[0][0]["input_level"]) > 1e-3


@pytest.mark.parametrize("version", [NEWEST])
def test_the_form_of_a_newer_release_makes_the_same_videos(visits: Visits, version: str) -> None:
    """With SVI by a profile, without it, and with it by the settings of a film."""
    assert visits(version).md5 == visits(flavours.BASE).md5


@pytest.mark.parametrize("version", VERSIONS)
def test_no_field_for_models_without_svi(visits: Visits, version: str) -> None:
    assert visits(version).other_model == {}
    assert (visits(version).before == {}) == (version not in WITH_FIELDS)
