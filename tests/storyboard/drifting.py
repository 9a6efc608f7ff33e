"""A stand-in for WanGP whose clips show a place through which something goes, and that drifts on purpose.

What it adds to the picture follows from the seed, and is carried on from clip to clip as a model does that goes on from
what it made. ``strength.txt`` beside its wgp.py says how much; 0 makes clean clips.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from svi_install.cli import main
from svi_install.runtime import png
from svi_install.storyboard.film import film, watch
from svi_install.storyboard.film.request import Request, story_of
from svi_install.storyboard.script.variants import variant_of

from . import standin

# Reads and writes as the other stand-in does.
CLIP = (
    standin.CLIP.partition("def make(")[0]
    + """
import numpy as np

def place(width, height):
    chance = np.random.default_rng(3)
    image = np.full((height, width, 3), 110.0)
    for size in (16, 8, 4, 2, 1):
        rough = chance.normal(size=(height // size + 2, width // size + 2, 3)) * 3 * size ** 0.8
        image += np.kron(rough, np.ones((size, size, 1)))[:height, :width]
    return image.clip(20, 220)

def make(task, step):
    with open("asked.jsonl", "a") as log:
        log.write(json.dumps(task) + "\\n")
    out, before = Path(task["svi_segment_out"]), task.get("svi_segment_before")
    Path(out, "begun").touch()
    step(1, task["num_inference_steps"])
    width, height = map(int, task["resolution"].split("x"))
    was = json.loads(Path(before, "state.json").read_text()) if before else {"gain": [1, 1, 1], "time": 0}
    strength = float(Path("strength.txt").read_text())
    chance = np.random.default_rng(task["seed"])
    gain = np.array(was["gain"]) * (1 + strength * chance.normal(0, 1, 3) + strength / 3 * np.array([1, 0, -1]))
    base, frames = place(width, height), []
    count = task["video_length"]
    for number in range(count):
        much = np.array(was["gain"]) + (gain - was["gain"]) * min(1, number / 8)
        picture = base * much
        x = int((width - 14) * (0.5 + 0.5 * np.sin((was["time"] + number) / 5)))
        picture[height // 2 : height // 2 + 12, x : x + 12] = 200 * much
        frames.append(picture.clip(0, 255).round().astype(np.uint8))
    (out / "frames.rgb").write_bytes(b"".join(frame.tobytes() for frame in frames))
    motion = task.get("svi_num_motion_frames", 0)
    for back in range(motion, 0, -1):
        png(out / f"tail-{back:03d}.png", width, height, frames[-back].tobytes())
    Path(out, "state.json").write_text(json.dumps({"gain": list(gain), "time": was["time"] + count - motion}))
    facts = {"frames": count, "width": width, "height": height, "motion_frames": motion}
    facts["svi"] = {"variant": "shot", "seeds": [task["seed"]]}
    (out / "segment.part").write_text(json.dumps(facts))
    (out / "segment.part").replace(out / "segment.json")
"""
)


def make(root: Path, strength: float, headless: str = "api") -> Path:
    """Write the stand-in and return its folder."""
    standin.make(root, headless)
    (root / "clip.py").write_text(CLIP)
    (root / "strength.txt").write_text(str(strength))
    return root


def distances(story: Path, target: Path) -> list[float]:
    """How far each clip of a film is from its beginning, measured in the same way with and without --watch."""
    told = story_of(Request(source=story))
    planned = film.plan(told, variant_of(told.variant), target)
    clips = [planned.clip(segment, planned.takes[segment.number].picked) for segment in planned.segments]
    return [watch.measure(planned, clip).distance for clip in clips]


Render = Callable[..., dict[str, Any]]


def rendering(most: int) -> Any:
    """Makes the fixture `render`: the command itself, in a person's folder, for a story of so many clips."""

    @pytest.fixture
    def render(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ffmpeg_program: Path
    ) -> Render:
        folder = tmp_path / "meine Filme ü"
        folder.mkdir()
        monkeypatch.chdir(folder)
        png.write(folder / "start.png", png.Picture(96, 64, bytes(range(256)) * 72))

        def run(name: str, root: Path, *words: object, seed: int = 7, clips: int = most) -> dict[str, Any]:
            shots = "".join(f"- clip {number}\n" for number in range(clips))
            settings = "{activated_loras: [], loras_multipliers: ''}"
            Path(f"{name}.yaml").write_text(
                f"image: start.png\ndefaults: {{resolution: 160x96, steps: 1, clip_frames: 25, seed: {seed}, "
                f"settings: {settings}}}\nshots:\n{shots}"
            )
            code = main.main(["render", f"{name}.yaml", *map(str, words), "--wangp", str(root), "--json"])
            data = json.loads(capsys.readouterr().out)
            assert code == 0, data["error"]
            return {**data["film"], "notes": data["notes"]}

        return run

    return render
