"""Makes the pictures of WanGP's own page in docs/pictures: ``python tests/wangp/pictures.py``.

The real form of 12.60 with SVI as a plugin, in the laboratory (README.md beside this). The film in the tab SVI was made
before by svi-install with the boat of `tests/storyboard/boat.py`: what the tiny model makes is noise.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402

from svi_install.plugin import shelf  # noqa: E402
from tests.storyboard import sailing  # noqa: E402
from tests.wangp.lab import browser, checkout, installer, media, tools, trees, ui  # noqa: E402
from tests.wangp.lab.generate import place_loras  # noqa: E402
from tests.wangp.test_plugin_journeys import BOX, open_tab  # noqa: E402

FOLDER = ROOT / "docs/pictures"
STORY = "a boat leaves the harbour\nit sails out\nsunset\nthe moon rises"
PROFILE = "SVI-Shot LightX2V - 4 Steps"
# Of a segment, so that drawing takes seconds.
FRAMES = 17
TEXT = "return [...document.querySelectorAll('textarea')].find(e => e.offsetParent) || null"
TO_TOP = "window.scrollTo(0, 0)"


def film(home: Path, image: Path) -> None:
    """Make the film that the tab is going to show, as the tab would have."""
    outputs = home / "outputs"
    outputs.mkdir()
    wangp = sailing.studio(home / "stand-in", image)
    asked = shelf.Asked(str(image), STORY, "fast", clip_frames=FRAMES)
    prompts = " | ".join(STORY.splitlines())
    words = ("render", image, prompts, "--variant", "fast", "--clip-frames", FRAMES, "--wangp", wangp)
    command = [sys.executable, "-m", "svi_install", *map(str, words), "-o", str(outputs / "boat.mp4"), "--takes", "2"]
    subprocess.run(command, cwd=home, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    shelf.keep(outputs / "boat.mp4", asked, {})


def shot(page: ui.Page, name: str, box: tuple[int, int, int, int]) -> None:
    """Write what the page shows within a box."""
    page.close_messages()
    page.browser.script("document.activeElement && document.activeElement.blur()")
    page.browser.script(TO_TOP)
    whole = page.log.with_name(f"{name}.png")
    page.browser.screenshot(whole)
    picture = FOLDER / f"{name}.webp"
    Image.open(whole).convert("RGB").crop(box).save(picture, quality=80, method=6)
    print(f"{picture.name}: {picture.stat().st_size / 1000:.0f} kB")


def main() -> int:
    """Visit the form and the tab."""
    git_dir, programs, environment = checkout.git_directory(), browser.programs(), tools.default_environment()
    if git_dir is None or programs is None:
        sys.exit("WanGP's history, chromium and chromedriver are needed; see README.md")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name).resolve()
        image = home / "harbour.png"
        film(home, image)
        tree = trees.make("12.60", git_dir, environment, home / "Wan2GP")
        tools.prepare(tree, environment)
        tools.configure(tree, save_path=str(home / "outputs"))
        installer.put_plugin(tree)
        # What the profile names must be there, or WanGP would fetch it.
        names = json.loads((ROOT / "profiles/loras/wan_i2v" / f"{PROFILE}.json").read_text("utf-8"))["activated_loras"]
        for number, lora in enumerate(names):
            file = home / lora.rpartition("/")[2]
            media.write_lora(file, "pipe.dit", seed=number)
            place_loras(tree, [file])
        with ui.form(tree, environment, programs, home) as page:
            page.model("Wan2.1", "Image2video 14B", "480p")
            page.apply(PROFILE)
            page.close_messages()
            page.upload("Images as starting points", image)
            box = page.browser.until(lambda: page.browser.script(TEXT), 20, "the prompt")
            page.browser.clear(box)
            page.browser.write(box, STORY)
            page.settled()
            shot(page, "form", (0, 0, 1580, 1165))
            open_tab(page, "SVI")
            page.choose_in(page.browser.script(BOX, "svi_name"), "boat")
            page.settled()
            shot(page, "storyboard", (0, 0, 1600, 1040))
    return 0


if __name__ == "__main__":
    sys.exit(main())
