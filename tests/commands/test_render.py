"""The command `render`, from its options to its result, with a stand-in for WanGP."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from svi_install.cli import main
from svi_install.commands import render
from svi_install.storyboard import hardware
from svi_install.storyboard.hardware import Card
from svi_install.storyboard.model_choice import RenderOptions
from svi_install.storyboard.task import fields_of
from svi_install.storyboard.variants import variant_of
from tests.loras.conftest import reread_environment, svi_file
from tests.storyboard import standin
from tests.storyboard.conftest import ffmpeg_program, image

__all__ = ["ffmpeg_program", "image"]

SMALL = ("--steps", "2", "--resolution", "64x32", "--clip-frames", "9")
NO_LORAS = ("--set", "activated_loras=[]", "--set", "loras_multipliers=")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return standin.make(tmp_path / "WanGP")


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    code = main.main(["render", *map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_film(
    capsys: pytest.CaptureFixture[str], root: Path, image: Path, ffmpeg_program: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.mp4"
    words = (image, "one | two", "-o", target, "--wangp", root, *SMALL, *NO_LORAS)
    code, result = run(capsys, *words)
    assert code == 0, result
    film = result["film"]
    assert (film["path"], film["frames"], film["made"]) == (str(target), 17, [1, 2])
    assert target.is_file()
    assert [segment["finished"] for segment in film["segments"]] == [True, True]
    assert all(Path(segment["path"]).is_file() for segment in film["segments"])
    code, again = run(capsys, *words)
    assert (code, again["film"]["made"]) == (0, [])
    code, redone = run(capsys, *words, "--redo", 2)
    assert (code, redone["film"]["made"]) == (0, [2])
    assert redone["film"]["segments"][1]["seed"] != film["segments"][1]["seed"]
    assert any("earlier takes" in note for note in redone["notes"])
    Path(redone["film"]["segments"][1]["path"]).with_name("done.json").unlink()
    code, resumed = run(capsys, *words, "--redo", 2)
    assert resumed["film"]["segments"] == redone["film"]["segments"]
    code, fresh = run(capsys, *words, "--from", 1)
    assert (code, fresh["film"]["made"]) == (0, [1, 2])
    code, kept = run(capsys, *words, "--preview")
    assert kept["film"]["segments"][1]["seed"] == redone["film"]["segments"][1]["seed"]
    assert not target.with_name("out.preview.mp4").exists()


def test_lint(capsys: pytest.CaptureFixture[str], root: Path, image: Path) -> None:
    code, result = run(capsys, image, "one | /two", "--wangp", root, *SMALL, *NO_LORAS, "--lint")
    assert code == 1
    assert result["film"]["findings"][0]["level"] == "error"
    code, result = run(capsys, image, "one", "--seconds", "1", "--wangp", root, *SMALL, *NO_LORAS, "--lint")
    assert code == 0
    assert [each["level"] for each in result["film"]["findings"]] == ["note"]
    assert not image.with_name("start-film.svi").exists()


def test_lint_in_words(capsys: pytest.CaptureFixture[str], root: Path, image: Path) -> None:
    code = main.main(["render", str(image), "one | two", "--wangp", str(root), *SMALL, *NO_LORAS, "--lint"])
    out = capsys.readouterr().out
    assert code == 0
    assert "2 segments, 17 frames" in out
    assert "1 x 9 = 9 frames, 0.6 s, seed 7  one" in out
    assert "2 segments to make" in out


def test_dry_run(capsys: pytest.CaptureFixture[str], root: Path, image: Path, tmp_path: Path) -> None:
    words = (image, "one | two", "-o", tmp_path / "f.mp4", "--wangp", root, *SMALL, *NO_LORAS, "--dry-run")
    code, result = run(capsys, *words)
    assert code == 0
    settings = json.loads((tmp_path / "f.json").read_text())
    assert result["film"]["settings"] == str(tmp_path / "f.json")
    assert (settings["prompt"], settings["svi_mode"], settings["video_length"]) == ("one\ntwo", True, 17)
    assert [task["prompt"] for task in result["film"]["tasks"]] == ["one", "two"]
    fields = fields_of(variant_of("shot").settings, "i2v")
    assert [each["custom_settings"] for each in (settings, *result["film"]["tasks"])] == [fields] * 3
    assert standin.asked(root) == []
    wgp = root / "wgp.py"
    wgp.write_text(wgp.read_text().replace("def get_model_custom_settings(", "def other("))
    _, older = run(capsys, *words)
    assert all("custom_settings" not in task for task in older["film"]["tasks"])
    assert "custom_settings" not in json.loads((tmp_path / "f.json").read_text())


def test_what_cannot_be_rendered(
    capsys: pytest.CaptureFixture[str], root: Path, image: Path, ffmpeg_program: Path
) -> None:
    code, result = run(capsys, image, "/one", "--wangp", root, *SMALL, *NO_LORAS)
    assert (code, result["error"]["code"]) == (1, "story")
    code, result = run(capsys, image, "one", "--wangp", root, *SMALL, *NO_LORAS, "--redo", 4)
    assert (code, result["error"]["code"]) == (2, "story")
    assert "no segment 4" in result["error"]["message"]
    code, result = run(capsys, image, "one", "--wangp", root, *SMALL, *NO_LORAS, "--from", 0)
    assert "no segment 0" in result["error"]["message"]
    assert standin.asked(root) == []


def test_memory_that_was_too_small(
    capsys: pytest.CaptureFixture[str], root: Path, image: Path, ffmpeg_program: Path
) -> None:
    code, result = run(capsys, image, "one | fail CUDA out of memory", "--wangp", root, *SMALL, *NO_LORAS)
    assert (code, result["error"]["code"]) == (1, "card-full")
    assert "--quality auto" in result["error"]["hint"]


def fill(root: Path, *names: str) -> None:
    for name in names:
        path = root / "ckpts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"GGUF")


def test_a_quality_for_this_card(
    capsys: pytest.CaptureFixture[str], root: Path, image: Path, ffmpeg_program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "find_card", lambda: Card("Tesla T4", 15.0, 7.5))
    monkeypatch.setattr(hardware, "ram", lambda: 12.7)
    fill(root, "wan2.1-i2v-14b-480p-Q4_K_M.gguf", "umt5-xxl/umt5-xxl-encoder-Q5_K_M.gguf")
    words = (image, "one", "--wangp", root, *SMALL, *NO_LORAS, "--quality", "auto")
    code, result = run(capsys, *words)
    assert code == 0, result
    assert standin.asked(root)[0]["model_type"] == "svi_i2v_q4_k_m"
    assert (root / "finetunes/svi_i2v_q4_k_m.json").is_file()
    log = (image.with_name("start-film.svi") / "wangp/wangp.log").read_text()
    assert "--profile 3.5 --attention sdpa --fp16" in log
    assert any("Tesla T4, 13 GB RAM: Q4_K_M" in note for note in result["notes"])
    code, result = run(capsys, *words, "--profile", 5, "--from", 1)
    log = (image.with_name("start-film.svi") / "wangp/wangp.log").read_text()
    assert "--profile 5 --attention" in log


def test_a_quality_without_a_card(
    capsys: pytest.CaptureFixture[str], root: Path, image: Path, ffmpeg_program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "find_card", lambda: None)
    code, result = run(capsys, image, "one", "--wangp", root, *SMALL, *NO_LORAS, "--quality", "auto")
    assert (code, result["error"]["code"]) == (2, "story")
    fill(root, "wan2.1-i2v-14b-480p-Q8_0.gguf", "umt5-xxl/umt5-xxl-encoder-Q8_0.gguf")
    code, result = run(capsys, image, "one", "--wangp", root, *SMALL, *NO_LORAS, "--quality", "Q8_0")
    assert code == 0, result
    assert standin.asked(root)[0]["model_type"] == "svi_i2v_q8_0"


def test_a_story_file(capsys: pytest.CaptureFixture[str], root: Path, image: Path, ffmpeg_program: Path) -> None:
    story = image.with_name("tale.yaml")
    story.write_text(
        "image: start.png\n"
        "defaults:\n  resolution: 64x32\n  steps: 2\n  clip_frames: 9\n"
        "  settings: {activated_loras: [], loras_multipliers: ''}\n"
        "shots:\n- one\n- {prompt: two, frames: 16}\n- {prompt: three, new_shot: true}\n"
    )
    code, result = run(capsys, story, "--wangp", root)
    assert code == 0, result
    assert [each["scene"] for each in result["film"]["segments"]] == [1, 1, 1, 2]
    assert Path(result["film"]["path"]) == image.with_name("tale-film.mp4")
    assert result["film"]["frames"] == 9 + 16 + 9


def test_the_module_prints_nothing_by_itself(
    root: Path, image: Path, ffmpeg_program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from svi_install.storyboard.request import Request

    settings = ("activated_loras=[]", "loras_multipliers=")
    request = Request(image, "one", resolution="64x32", clip_frames=9, steps=1, settings=settings)
    result = render.render(root, request, RenderOptions())
    assert (result.command, result.status) == ("render", "done")
    assert capsys.readouterr().out == ""


def test_loras_come_before_anything_is_rendered(
    capsys: pytest.CaptureFixture[str], root: Path, image: Path, ffmpeg_program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    reread_environment(monkeypatch)
    code, result = run(capsys, image, "one", "--wangp", root, *SMALL)
    assert (code, result["error"]["code"]) == (5, "download-offline")
    assert "svi-shot.safetensors" in result["error"]["message"]
    assert standin.asked(root) == []
    svi_file(root / "loras/wan_i2v/svi-shot.safetensors")
    code, result = run(capsys, image, "one", "--wangp", root, *SMALL)
    assert (code, result["film"]["made"]) == (0, [1])


def test_the_time_is_known_after_the_first_segment(
    capsys: pytest.CaptureFixture[str], root: Path, image: Path, ffmpeg_program: Path
) -> None:
    words = (image, "one | two", "--wangp", root, *SMALL, *NO_LORAS)
    run(capsys, *words)
    _, result = run(capsys, image, "one | two | three", *words[2:], "--lint")
    assert re.match(r"1 segment to make, about \d+ s at \d+ s each", result["notes"][0])
    _, result = run(capsys, *words, "--lint")
    assert "only the joining is left" in result["notes"][0]
    assert [each["finished"] for each in result["film"]["segments"]] == [True, True]


def test_a_dry_run_of_a_cut_says_what_wangp_cannot_do(
    capsys: pytest.CaptureFixture[str], root: Path, image: Path, tmp_path: Path
) -> None:
    story = image.with_name("tale.yaml")
    story.write_text("image: start.png\nshots: [one, {prompt: two, new_shot: true}]\n")
    _, result = run(capsys, story, "--wangp", root, *SMALL, *NO_LORAS, "--dry-run")
    assert any("cannot cut" in note for note in result["notes"])
