"""Films in the tab SVI on the oldest WanGP that has plugins of models, on those between, and on the flavours.

The journey on 12.60 is in test_plugin_journeys.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from .conftest import NEWEST, OTHER_FLAVOURS, Tree
from .lab import browser, installer, media, ui
from .lab.generate import decoded
from .svi_tab import SHOWN, loras_in_place, open_tab, small_clips, small_profiles, until_said, write

pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Seen:
    """What a film of two clips came to, and the same film once more."""

    frames: int
    prompts: list[str]
    segments: int
    again: str


@pytest.fixture
def film(fresh_tree: Tree, environment: Path, tmp_path: Path) -> Callable[[str], Seen]:
    programs = browser.programs()
    if programs is None:
        pytest.skip("the page needs chromium and chromedriver (Debian: chromium, chromium-driver)")

    def make(version: str) -> Seen:
        tree, work = fresh_tree(version), tmp_path / "work"
        installer.put_plugin(tree)
        small_profiles(tree, tmp_path)
        loras_in_place(tree, tmp_path)
        work.mkdir()
        with ui.form(tree, environment, programs, work) as page:
            try:
                open_tab(page, "SVI")
                page.upload("Start image", media.write_picture(tmp_path / "start.png"))
                write(page, "svi_text", "a boat\na bridge")
                small_clips(page)
                page.press("Make film")
                until_said(page, "The film is done")
                page.settled()
                prompts = [each["input_prompt"] for each in page.events if each["event"] == "window"]
                segments = page.browser.script(SHOWN, "svi_segments")
                page.press("Continue")
                page.settled()
                again = until_said(page, "The film is done")
            finally:
                page.browser.screenshot(work / "last.png")
        return Seen(decoded(work / "outputs/start-film.mp4")[0], prompts, segments, again)

    return make


@pytest.mark.parametrize("version", ["12.22", "12.34", "12.45", *OTHER_FLAVOURS, NEWEST])
def test_a_film(film: Callable[[str], Seen], version: str) -> None:
    seen = film(version)
    # Five frames are shared.
    assert (seen.frames, seen.prompts, seen.segments) == (17 + 12, ["a boat", "a bridge"], 2)
    # Gradio puts how long it has taken before it.
    assert seen.again.splitlines()[-1].startswith("The film is done")
