"""Takes of a clip by the command line, with a stand-in for WanGP: made before going on, picked, kept."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from svi_install.cli import main
from svi_install.runtime import png

from . import standin

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in's Python as POSIX has it")
Render = Callable[..., tuple[int, dict[str, Any]]]
STORY = """
image: start.png
defaults:
  variant: shot
  resolution: 64x32
  steps: 1
  clip_frames: 9
  settings: {activated_loras: [], loras_multipliers: ""}
shots:
- one
- two
- three
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ffmpeg_program: Path) -> Path:
    folder = tmp_path / "meine Filme ü"
    folder.mkdir()
    monkeypatch.chdir(folder)
    png.write(folder / "start.png", png.Picture(64, 32, bytes(range(256)) * 24))
    (folder / "story.yaml").write_text(STORY)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return standin.make(tmp_path / "WanGP")


@pytest.fixture
def render(root: Path, capsys: pytest.CaptureFixture[str]) -> Render:
    def run(*words: object) -> tuple[int, dict[str, Any]]:
        code = main.main(["render", "story.yaml", *map(str, words), "--wangp", str(root), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def film(result: tuple[int, dict[str, Any]]) -> dict[str, Any]:
    assert result[0] == 0, result[1].get("error")
    facts: dict[str, Any] = result[1]["film"]
    return facts


def prompts(root: Path) -> list[object]:
    return [task["prompt"] for task in standin.asked(root)]


def test_takes_are_made_before_going_on(home: Path, root: Path, render: Render) -> None:
    facts = film(render("--takes", 3))
    assert facts["made"] == [1, 2, 3]
    assert prompts(root) == ["one"] * 3 + ["two"] * 3 + ["three"] * 3
    assert [[take["finished"] for take in each["takes"]] for each in facts["segments"]] == [[True] * 3] * 3
    assert len({take["seed"] for each in facts["segments"] for take in each["takes"]}) == 9
    assert [each["take"] for each in facts["segments"]] == [1, 1, 1]
    first = (home / "story-film.mp4").read_bytes()

    picked = film(render("--pick", "2:3"))
    assert picked["made"] == [3]
    assert [(each["take"], each["finished"]) for each in picked["segments"]] == [(1, True), (3, True), (1, True)]
    assert picked["segments"][1]["seed"] == facts["segments"][1]["takes"][2]["seed"]
    assert (home / "story-film.mp4").read_bytes() != first
    back = film(render("--pick", "2:1"))
    assert back["made"] == []
    assert (home / "story-film.mp4").read_bytes() == first
    for each in facts["segments"]:
        assert all(Path(take["path"]).is_file() for take in each["takes"])


def test_a_key_in_the_story_chooses(home: Path, root: Path, render: Render) -> None:
    film(render())
    (home / "story.yaml").write_text(STORY.replace("- two", "- {prompt: two, take: 2, takes: 2}"))
    facts = film(render())
    assert facts["made"] == [2, 3]
    assert [(each["take"], len(each["takes"])) for each in facts["segments"]] == [(1, 1), (2, 2), (1, 1)]
    for words in (("--pick", "2:1"), ("--redo", 2)):
        code, result = render(*words)
        assert (code, result["error"]["code"]) == (2, "story")
        assert "story itself chooses take 2 of segment 2 (take: in shot 2)" in result["error"]["message"]
    (home / "story.yaml").write_text(STORY)
    facts = film(render())
    assert (facts["made"], len(facts["segments"][1]["takes"])) == ([], 2)


def test_a_take_that_is_not_there(home: Path, root: Path, render: Render) -> None:
    before = film(render())
    code, result = render("--pick", "1:1", "--pick", "2:2")
    assert (code, result["error"]["code"]) == (2, "story")
    assert "Segment 2 has 1 take, so take 2 is not there. Nothing was started." in result["error"]["message"]
    assert result["error"]["hint"] == "--takes 2 makes more"
    code, result = render("--pick", "9:1")
    assert "no segment 9" in result["error"]["message"]
    assert film(render("--lint"))["segments"] == before["segments"]
    assert not list(home.glob("story-film.svi/takes/*"))
    assert main.main(["render", "story.yaml", "--pick", "4", "--wangp", str(root)]) == 2


def test_a_new_take_stays_with_its_clip(home: Path, root: Path, render: Render) -> None:
    """Not with the number of a segment: after an edit that is another prompt."""
    film(render())
    redone = film(render("--redo", 2))
    assert redone["made"] == [2, 3]
    cut = "- one\n- {prompt: two, new_shot: true}"
    (home / "story.yaml").write_text(STORY.replace("- one\n- two", cut))
    assert film(render())["made"] == [2, 3]
    assert film(render("--redo", 2))["made"] == [2, 3]
    (home / "story.yaml").write_text(STORY.replace("- one\n- two", cut.replace("- one", "- one\n- zero")))
    facts = film(render())
    assert facts["made"] == [2]
    assert [(each["prompt"], each["take"]) for each in facts["segments"]] == [
        ("one", 1), ("zero", 1), ("two", 2), ("three", 1)]  # fmt: skip


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": 1}', '{"picked": 7}', "[" * 100_000])
def test_a_damaged_record_of_takes(home: Path, root: Path, render: Render, text: str) -> None:
    film(render("--redo", 2))
    film(render("--redo", 2))
    for path in home.glob("story-film.svi/takes/*"):
        path.write_text(text)
    facts = film(render())
    assert [each["take"] for each in facts["segments"]] == [1, 1, 1]


def test_style_and_tags(home: Path, root: Path, render: Render) -> None:
    tagged = STORY.replace("- two", '- "[/duration=1s, /new_shot] two"').replace(
        "steps: 1", "steps: 1\n  style: 35mm film"
    )
    (home / "story.yaml").write_text(tagged.replace("- three", '- {prompt: three, style: ""}'))
    facts = film(render())
    assert [(each["prompt"], each["scene"]) for each in facts["segments"]] == [
        ("35mm film, one", 1), ("35mm film, two", 2), ("35mm film, two", 2), ("three", 2)]  # fmt: skip
    assert prompts(root)[0] == "35mm film, one"
    (home / "story.yaml").write_text(STORY.replace("- three", '- "three [/overlap=9]"'))
    code, result = render("--lint")
    assert (code, result["error"]["code"]) == (2, "story")
    assert result["error"]["message"].startswith("story.yaml, line 12, shot 3, prompt: The tag [/overlap=9]")
