"""`render --watch` round the real WanGP with a decoder that drifts on purpose (shim/drifting.py)."""

from __future__ import annotations

import hashlib
import statistics
from pathlib import Path

import numpy as np
import pytest

from svi_install.runtime import png

from ..storyboard.drifting import distances
from .lab import installer
from .test_storyboard import API, Lab, events, lab

__all__ = ["lab"]  # a fixture
pytestmark = pytest.mark.long
WIDTH, HEIGHT, FRAMES, CLIPS = 128, 80, 25, 4


def place() -> png.Picture:
    """A picture to go on from: brightness of all sizes, colour only of coarse ones, as cameras and codecs have it."""
    chance = np.random.default_rng(3)
    image = np.full((HEIGHT, WIDTH, 3), 110.0)
    for size in (16, 8, 4, 2):
        rough = chance.normal(size=(HEIGHT // size + 2, WIDTH // size + 2, 3 if size == 16 else 1)) * 4 * size**0.8
        image += np.kron(rough, np.ones((size, size, 1)))[:HEIGHT, :WIDTH]
    return png.Picture(WIDTH, HEIGHT, image.clip(20, 220).round().astype(np.uint8).tobytes())


class Studio:
    """Films of so many clips, in a folder of their own."""

    def __init__(self, tree: Path, calls: Path, folder: Path) -> None:
        self.tree, self.calls, self.folder = tree, calls, folder
        png.write(folder / "start.png", place())

    def render(self, name: str, seed: int, *words: object) -> None:
        story = self.folder / f"{name}.yaml"
        story.write_text(
            f"image: start.png\ndefaults: {{variant: shot, resolution: {WIDTH}x{HEIGHT}, steps: 1, "
            f"clip_frames: {FRAMES}, seed: {seed}}}\nshots:\n"
            + "".join(f"- clip {number}\n" for number in range(CLIPS)),
            "utf-8",
        )
        installer.svi_install("render", story, "-o", self.folder / f"{name}.mp4", "--wangp", self.tree, *words)

    def drift(self, name: str) -> list[float]:
        return distances(self.folder / f"{name}.yaml", self.folder / f"{name}.mp4")

    def clips(self, name: str) -> set[str]:
        """The sha256 of each clip of a film."""
        files = list((self.folder / f"{name}.svi").glob("segments/*/segment.mp4"))
        assert len(files) == CLIPS
        return {hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    def generated(self) -> int:
        """How many clips WanGP was asked for so far."""
        return len(events(self.calls, "window"))


def test_films_drift_less_when_they_are_watched(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At least 30 percent less, with as many generated clips."""
    studio = Studio(*lab(API), tmp_path)
    monkeypatch.setenv("LAB_DRIFT", "0.02")
    watched, plain = [], []
    for seed in (7, 8):
        studio.render(f"watched{seed}", seed, "--watch", "--takes", 4)
        watched += studio.drift(f"watched{seed}")
    asked, seed = studio.generated(), 7
    while studio.generated() < 2 * asked:
        studio.render(f"plain{seed}", seed)
        plain += studio.drift(f"plain{seed}")
        seed += 1
    less = 1 - statistics.mean(watched) / statistics.mean(plain)
    print(
        f"drift per clip {statistics.mean(plain):.2f} without, {statistics.mean(watched):.2f} watched: {less:.0%} less;"
    )
    print(f"{studio.generated() - asked} and {asked} clips were generated")
    assert asked > 2 * CLIPS
    assert less >= 0.3


def test_a_film_that_keeps_its_colours_is_left_alone(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = Studio(*lab(API), tmp_path)
    monkeypatch.setenv("LAB_DRIFT", "0")
    studio.render("watched", 7, "--watch", "--anchor-colour")
    assert studio.generated() == CLIPS
    studio.render("plain", 7)
    assert studio.clips("watched") == studio.clips("plain")
