"""``render`` with several stories, with a stand-in for WanGP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from svi_install.cli import main
from tests.storyboard import standin
from tests.storyboard.conftest import ffmpeg_program, image
from tests.trees import posix

__all__ = ["ffmpeg_program", "image"]

HEAD = (
    "image: start.png\ndefaults: {resolution: 64x32, clip_frames: 9, steps: 2, variant: shot, "
    "settings: {activated_loras: [], loras_multipliers: ''}}\nshots:\n"
)


@pytest.fixture
def root(tmp_path: Path, image: Path, ffmpeg_program: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in, and stories beside it: one that fails at its second clip, two that do not."""
    monkeypatch.chdir(tmp_path)
    for name, prompts in (("först.yaml", "ab"), ("bad.yaml", ("one", "fail_here", "never")), ("long.yaml", "xyz")):
        shots = "".join(f"- {{prompt: {each}, new_shot: {str(not at).lower()}}}\n" for at, each in enumerate(prompts))
        Path(name).write_text(HEAD + shots)
    return standin.make(tmp_path / "WanGP")


STORIES = ("först.yaml", "bad.yaml", "long.yaml")


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any]]:
    code = main.main(["render", *map(str, words), "--wangp", "WanGP", "--json"])
    return code, json.loads(capsys.readouterr().out)


def starts(film: str) -> int:
    return Path(f"{film}.svi/wangp/wangp.log").read_text().count("WanGP starts with")


def test_films_one_after_the_other_with_one_wangp(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    code, result = run(capsys, STORIES[0], STORIES[2])
    assert (code, "film" in result) == (0, False)
    assert [(each["source"], each["made"], each["error"]) for each in result["films"]] == [
        ("först.yaml", [1, 2], None),
        ("long.yaml", [1, 2, 3], None),
    ]
    assert (starts("först-film"), starts("long-film")) == (1, 0), "the second film found it loaded"
    # What WanGP says of a film is in that film's folder all the same.
    assert "x..." in Path("long-film.svi/wangp/wangp.log").read_text()
    assert "x..." not in Path("först-film.svi/wangp/wangp.log").read_text()
    together = Path("long-film.mp4").read_bytes()
    assert run(capsys, STORIES[2], "-o", "alone.mp4")[0] == 0
    assert Path("alone.mp4").read_bytes() == together


@pytest.mark.parametrize("cards", [(), pytest.param(("--cards", "0,1"), marks=posix)])
def test_a_story_that_fails_costs_the_others_nothing(
    capsys: pytest.CaptureFixture[str], root: Path, cards: tuple[str, ...]
) -> None:
    code, result = run(capsys, *STORIES, "-o", "films", *cards)
    assert code == 1
    first, bad, last = result["films"]
    assert (first["made"], last["made"]) == ([1, 2], [1, 2, 3])
    assert "fail here" in bad["error"]["message"]
    names = ["bad-film.svi", "först-film.mp4", "först-film.svi", "long-film.mp4", "long-film.svi"]
    assert sorted(path.name for path in Path("films").iterdir()) == names
    assert len(list(Path("films/bad-film.svi").glob("segments/*/done.json"))) == 1, "its first clip is kept"
    made = len(standin.asked(root))
    code, again = run(capsys, *STORIES, "-o", "films")
    assert [each.get("made") for each in again["films"]] == [[], None, []]
    assert len(standin.asked(root)) == made + 1, "only what failed is tried again"


def test_looking_at_several(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    Path("none.yaml").write_text("image: start.png\nshots: []\n")
    code = main.main(["render", STORIES[0], "none.yaml", "--lint", "--wangp", "WanGP"])
    shown = capsys.readouterr().out
    assert code == 1
    assert shown.startswith("1 of 2 stories can be rendered, 1 not.")
    assert "failed  none.yaml: " in shown
    assert standin.asked(root) == []


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("först.yaml", "long.yaml", "-o", "film.mp4"), "film.mp4 is no folder"),
        (("först.yaml", "long.yaml", "-o", "bad.yaml"), "bad.yaml is no folder"),
        (("först.yaml", "först.yaml"), "would both become"),
        (("först.yaml", "long.yaml", "--redo", "1"), "render that story alone"),
        (("först.yaml", "none.yaml"), "none.yaml does not exist"),
        (("först.yaml", "long.yaml", "start.png"), "is no story file"),
        (("start.png", "one", "two"), "between one pair of quotes"),
    ],
)
def test_what_is_refused(
    capsys: pytest.CaptureFixture[str], root: Path, image: Path, words: tuple[str, ...], why: str
) -> None:
    code, result = run(capsys, *words)
    assert code == 2
    assert why in result["error"]["message"]
    assert standin.asked(root) == []
