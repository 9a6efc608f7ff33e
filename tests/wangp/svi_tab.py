"""Works the tab SVI in the real page, as a person does."""

from __future__ import annotations

import json
from pathlib import Path

from svi_install.checkout.plugin import NAME

from .lab import media, ui
from .lab.generate import place_loras

TAB = """return [...document.querySelectorAll('button[role=tab]')]
  .find(e => e.offsetParent && e.innerText.trim() === arguments[0]) || null"""
WORDS = "const e = document.getElementById(arguments[0]); return e ? e.innerText : ''"
BOX = "return document.querySelector(`#${arguments[0]} textarea, #${arguments[0]} input`)"
SHUT = "return [...document.querySelectorAll('button.label-wrap')].find(e => e.innerText.startsWith(arguments[0]))"
SHOWN = "return document.querySelectorAll(`#${arguments[0]} button.thumbnail-item`).length"
PLAYS = "const v = document.querySelector(`#${arguments[0]} video`); return !!v && !v.error"
# What the two profiles that a person need not choose are called, and the LoRAs that they name.
CHOSEN = {
    "SVI-Shot Infinite - 50 Steps": "svi-shot.safetensors",
    "SVI-2.0 Unified - 50 Steps": "SVI_Wan2.1-I2V-14B_lora_v2.0.safetensors",
}
ENTER = "\ue007"


def open_tab(page: ui.Page, name: str) -> None:
    page.browser.click(page.browser.until(lambda: page.browser.script(TAB, name), 30, f"the tab {name}"))
    page.settled()


def loras_in_place(tree: Path, folder: Path) -> None:
    place_loras(tree, [folder / lora for lora in CHOSEN.values()])


def words(page: ui.Page, name: str) -> str:
    return page.browser.script(WORDS, name)


def small_profiles(tree: Path, folder: Path) -> None:
    """Makes what the plugin chooses of the size of a test, and writes its LoRAs into a folder."""
    for seed, (name, lora) in enumerate(CHOSEN.items()):
        path = tree / "plugins" / NAME / f"profiles/wan_i2v/{name}.json"
        path.write_text(
            json.dumps({**json.loads(path.read_text("utf-8")), "resolution": "64x64", "num_inference_steps": 2}),
            "utf-8",
        )
        media.write_lora(folder / lora, "pipe.dit", seed=seed)


def queue_of_two(tree: Path) -> None:
    """Has the plugin put two clips into WanGP's queue at a time, and wait little for a page that is closed."""
    path = tree / "plugins" / NAME / "svi_install/plugin/wangp_queue.py"
    text = path.read_text("utf-8")
    for usual, small in (("LEAST, MOST = 8, 128", "LEAST, MOST = 1, 2"), ("PATIENCE = 30.0", "PATIENCE = 2.0")):
        assert usual in text
        text = text.replace(usual, small)
    path.write_text(text, "utf-8")


def write(page: ui.Page, name: str, text: str) -> None:
    box = page.browser.script(BOX, name)
    page.browser.clear(box)
    page.browser.write(box, text)


def until_said(page: ui.Page, part: str, timeout: float = 900) -> str:
    """Waits for a sentence of the storyboard."""

    def said() -> str:
        found = words(page, "svi_film_said")
        return found if part in found else ""

    return str(page.browser.until(said, timeout, f"{part!r} in the tab"))


def small_clips(page: ui.Page) -> None:
    page.browser.click(page.browser.script(SHUT, "Length, seed, size"))
    page.settled()
    write(page, "svi_frames", "17")


def name_film(page: ui.Page, name: str) -> None:
    write(page, "svi_name", name)
    page.browser.press(ENTER)


def until_held(page: ui.Page, times: int) -> None:
    """Waits until a clip is held, for the first time or a further one, and what is finished is shown."""

    def held() -> bool:
        return sum(each["event"] == "held" for each in page.events) >= times

    page.browser.until(held, 900, "a clip that is held")
    page.settled()


def load_anew(page: ui.Page) -> None:
    """Loads the page anew: for WanGP the old one is closed."""
    page.browser.script("window.old = true; location.reload()")
    page.browser.until(lambda: page.browser.script("return !window.old"), 60, "the page")
    page.browser.until(page.menus, 60, "the form")
    page.settled()
