from __future__ import annotations

from pathlib import Path

import pytest

from svi_install.errors import SviError
from svi_install.storyboard.script.story import Lora, Shot
from svi_install.storyboard.script.yamlfile import parse, read

FULL = """
image: pictures/start.png
defaults:
  variant: "2.0"
  seed: 3
  steps: 8
  resolution: 832x480
  clip_frames: 49
  negative_prompt: blurry
  seconds: 4
  loras: [style.safetensors, {"glow.safetensors": 0.5}]
  settings: {guidance_scale: 4}
shots:
  - walking
  - prompt: "running
      fast"
    frames: 100
    seed: 12
    steps: 4
    loras: [{speed.safetensors: "1;0"}]
    settings: {flow_shift: 3}
  - {prompt: a cut, new_shot: true, end_image: end.png}
  - {prompt: another place, image: other.png}
"""


def test_everything_a_file_can_say(tmp_path: Path) -> None:
    path = tmp_path / "story.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + FULL.encode())
    story = read(path)
    assert story.image == tmp_path / "pictures/start.png"
    assert (story.variant, story.seed, story.steps, story.resolution) == ("2.0", 3, 8, "832x480")
    assert (story.clip_frames, story.negative_prompt) == (49, "blurry")
    assert story.loras == (Lora("style.safetensors"), Lora("glow.safetensors", "0.5"))
    assert story.settings == {"guidance_scale": 4}
    assert story.shots == (
        Shot("walking", frames=64),
        Shot(
            "running fast",
            frames=100,
            seed=12,
            steps=4,
            loras=(Lora("speed.safetensors", "1;0"),),
            settings={"flow_shift": 3},
        ),
        Shot("a cut", frames=64, new_shot=True, end_image=tmp_path / "end.png"),
        Shot("another place", frames=64, image=tmp_path / "other.png", new_shot=True),
    )


def test_how_a_film_ends(tmp_path: Path) -> None:
    story = parse({"image": "a.png", "end_image": "sub/b.png", "shots": ["a"]}, tmp_path)
    assert (story.end_image, story.loop) == (tmp_path / "sub/b.png", False)
    shots = [{"prompt": "a", "end_image": "b.png"}, "b"]
    assert parse({"image": "a.png", "loop": True, "shots": shots}, tmp_path).loop


def test_shots_as_text(tmp_path: Path) -> None:
    story = parse({"image": "a.png", "shots": "[0s: a] [2s: b]", "defaults": {"frames": 20}}, tmp_path)
    assert [(shot.prompt, shot.frames) for shot in story.shots] == [("a", 32), ("b", 20)]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"shots": ["a"]}, "there is no image"),
        ({"image": "a.png"}, "there are no shots"),
        ({"image": "a.png", "shots": []}, "there are no shots"),
        ([], "expected"),
        ({"image": "a.png", "shots": ["a"], "title": "x"}, "title: this is not known here"),
        ({"image": "a.png", "shots": [{"prompt": "a", "lenght": 3}]}, "shot 1, lenght: this is not known here"),
        ({"image": "a.png", "shots": ["a", {"prompt": " "}]}, "shot 2: it has no prompt"),
        ({"image": "a.png", "shots": [{"prompt": "a", "frames": 0}]}, "a whole number, 1 to"),
        ({"image": "a.png", "shots": [{"prompt": "a", "frames": 5, "seconds": 2}]}, "one of them"),
        ({"image": "a.png", "shots": [{"prompt": "a", "seconds": "3"}]}, "number above 0"),
        ({"image": "a.png", "shots": [{"prompt": "a", "seconds": -3}]}, "number above 0"),
        ({"image": "a.png", "shots": [{"prompt": "a", "steps": True}]}, "whole number"),
        ({"image": "a.png", "shots": [{"prompt": "a", "new_shot": "yes"}]}, "true or false"),
        ({"image": "a.png", "shots": [{"prompt": "a", "end_image": 3}]}, "file name"),
        ({"image": "a.png", "shots": ["a"], "loop": "yes"}, "loop: it is 'yes', but it must be true or false"),
        (
            {"image": "a.png", "shots": ["a"], "loop": True, "end_image": "b.png"},
            "loop: the film also has an end image",
        ),
        ({"image": "a.png", "shots": [{"prompt": "a", "loras": "x"}]}, "a list"),
        ({"image": "a.png", "shots": [{"prompt": "a", "loras": [3]}]}, "not 3"),
        ({"image": "a.png", "shots": ["a"], "defaults": {"resolution": 480}}, "must be text"),
        ({"image": "a.png", "shots": ["a"], "defaults": {"settings": [1]}}, "expected"),
    ],
)
def test_nonsense_is_named(data: object, why: str, tmp_path: Path) -> None:
    with pytest.raises(SviError, match=why) as caught:
        parse(data, tmp_path)
    assert caught.value.exit_code == 2


def test_no_yaml(tmp_path: Path) -> None:
    path = tmp_path / "story.yaml"
    path.write_text("shots: [a", "utf-8")
    with pytest.raises(SviError, match=r"story\.yaml, line 2, shot 2: this is not valid YAML"):
        read(path)
    with pytest.raises(SviError, match="cannot be read"):
        read(tmp_path / "missing.yaml")
