from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from svi_install.errors import SviError
from svi_install.storyboard.film.request import Request, settings_of, story_of, target_of
from svi_install.storyboard.script.story import Lora


def test_an_image_and_prompts() -> None:
    story = story_of(Request(Path("a.png"), "one | two"))
    assert (story.image, [shot.prompt for shot in story.shots]) == (Path("a.png").absolute(), ["one", "two"])
    assert (story.variant, story.seed, story.clip_frames) == ("2.0", 7, 81)


def test_prompts_from_a_text_file(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes("\ufeff# film\r\nwälking\r\nrunning\r\n".encode())
    assert [shot.prompt for shot in story_of(Request(Path("a.png"), str(path))).shots] == ["wälking", "running"]
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SviError, match="cannot be read as text"):
        story_of(Request(Path("a.png"), str(path)))


def test_the_command_line_wins_over_the_story_file(tmp_path: Path) -> None:
    path = tmp_path / "story.yaml"
    path.write_text(
        "image: a.png\n"
        "defaults: {seed: 1, steps: 9, loras: [x], settings: {a: 1, b: 1}}\n"
        "shots: [one, {prompt: two, seconds: 9}]\n"
    )
    story = story_of(
        Request(path, variant="2.0", seed=2, seconds=3, resolution="64x64", loras=("y:0.5",), settings=("b=2",))
    )
    assert (story.variant, story.seed, story.steps, story.resolution) == ("2.0", 2, 9, "64x64")
    assert [shot.frames for shot in story.shots] == [48, 144]
    assert story.loras == (Lora("x"), Lora("y", "0.5"))
    assert story.settings == {"a": 1, "b": 2}


def test_missing_or_superfluous_prompts(tmp_path: Path) -> None:
    with pytest.raises(SviError, match="There are no prompts"):
        story_of(Request(Path("a.png")))
    with pytest.raises(SviError, match="has its own prompts"):
        story_of(Request(tmp_path / "story.yml", "one"))


def test_settings() -> None:
    words = ("a=1", "b=text", 'c=["x"]', "d=", "e=1;0 0;1")
    assert settings_of(words) == {"a": 1, "b": "text", "c": ["x"], "d": "", "e": "1;0 0;1"}
    with pytest.raises(SviError, match="is not a setting"):
        settings_of(("steps",))


@pytest.mark.parametrize(
    ("word", "lora"),
    [
        ("x.safetensors", Lora("x.safetensors")),
        ("x.safetensors:0.5", Lora("x.safetensors", "0.5")),
        ("x.safetensors:1;0", Lora("x.safetensors", "1;0")),
        ("https://host/x.safetensors", Lora("https://host/x.safetensors")),
        ("https://host/x.safetensors:0.7", Lora("https://host/x.safetensors", "0.7")),
    ],
)
def test_loras(word: str, lora: Lora) -> None:
    assert story_of(Request(Path("a.png"), "one", loras=(word,))).loras == (lora,)


def test_where_the_film_goes(tmp_path: Path) -> None:
    assert target_of(Request(tmp_path / "cat.png")) == tmp_path / "cat-film.mp4"
    assert target_of(Request(Path("cat.png"), target=tmp_path / "x.MP4")) == tmp_path / "x.MP4"
    with pytest.raises(SviError, match="does not end in"):
        target_of(Request(Path("cat.png"), target=tmp_path / "x.avi"))


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"seconds": 1e300}, "--seconds is 1e"),
        ({"seconds": float("nan")}, "--seconds is nan"),
        ({"seconds": float("inf")}, "--seconds is inf"),
        ({"steps": 10**9}, "--steps is 1000000000"),
        ({"clip_frames": 10**6}, "--clip-frames is 1000000"),
        ({"settings": ("x=" + "[" * 100_000,)}, "nested too deep"),
        ({"settings": ("activated_loras=x",)}, "must be a list of names"),
        ({"settings": ("activated_loras=[1]",)}, "must be a list of names"),
        ({"prompts": "x" * 20_000}, "Prompt 1 is too long"),
        ({"prompts": "one | \udcff"}, "Prompt 2 .* not text"),
        ({"prompts": "[0s: a] [" + "9" * 400 + "s: b] [1s: c]"}, "do not grow|lasts more"),
        ({"prompts": "[0s: a] [" + "9" * 400 + "s: b]"}, "lasts more than"),
        ({"prompts": "missing.txt"}, "missing.txt cannot be read"),
    ],
)
def test_what_nobody_means(values: dict[str, Any], why: str) -> None:
    with pytest.raises(SviError, match=why) as caught:
        story_of(Request(Path("a.png"), **{"prompts": "one", **values}))
    assert caught.value.exit_code == 2
    assert len(caught.value.message) < 1000


def test_no_number_is_text() -> None:
    assert settings_of(("x=NaN", "y=-Infinity", "z=1")) == {"x": "NaN", "y": "-Infinity", "z": 1}


def test_files_in_settings_count_from_the_persons_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """WanGP runs in another folder."""
    monkeypatch.chdir(tmp_path)
    given = ("video_guide=walk.mp4", 'image_refs=["a.png", "/b.png"]', "prompt_enhancer=x")
    story = story_of(Request(Path("a.png"), "one", settings=given))
    guide, refs = str(tmp_path / "walk.mp4"), [str(tmp_path / "a.png"), "/b.png"]
    assert story.settings == {"video_guide": guide, "image_refs": refs, "prompt_enhancer": "x"}
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/story.yaml").write_text(
        "image: a.png\ndefaults: {settings: {video_guide: w.mp4}}\nshots: [{prompt: x, image: b.png, end_image: c.png}]"
    )
    story = story_of(Request(Path("sub/story.yaml")))
    shot = story.shots[0]
    assert [story.image, shot.image, shot.end_image] == [tmp_path / f"sub/{name}.png" for name in "abc"]
    assert story.settings == {"video_guide": str(tmp_path / "sub/w.mp4")}


def test_how_a_film_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line wins; its file counts from the person's folder, those of a story from the story's."""
    monkeypatch.chdir(tmp_path)
    story = tmp_path / "sub/story.yaml"
    story.parent.mkdir()
    story.write_text("image: a.png\nloop: true\nshots: [x]\n")
    asked = story_of(Request(story))
    assert (asked.end_image, asked.loop) == (None, True)
    asked = story_of(Request(story, end=Path("end.png")))
    assert (asked.end_image, asked.loop) == (tmp_path / "end.png", False)
    story.write_text("image: a.png\nend_image: b.png\nshots: [{prompt: x, end_image: c.png}]\n")
    assert story_of(Request(story)).end_image == tmp_path / "sub/b.png"
    asked = story_of(Request(story, loop=True))
    assert (asked.end_image, asked.loop, asked.shots[-1].end_image) == (None, True, None)
    asked = story_of(Request(story, end=Path("end.png"), seconds=9))
    assert [(shot.end_image, shot.frames) for shot in asked.shots] == [(None, 144)]
    with pytest.raises(SviError, match="can end on an image or loop, not both"):
        story_of(Request(story, end=Path("end.png"), loop=True))
