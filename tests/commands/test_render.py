"""The command `render`, from its options to its result, with a stand-in for WanGP."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from svi_install.cli import main
from svi_install.commands import render
from svi_install.storyboard.archive.store import Store
from svi_install.storyboard.film import model_choice
from svi_install.storyboard.film.model_choice import RenderOptions
from svi_install.storyboard.headless import hardware
from svi_install.storyboard.headless.hardware import Card, Choice
from svi_install.storyboard.headless.task import fields_of
from svi_install.storyboard.script.variants import variant_of
from tests.loras.conftest import reread_environment, svi_file
from tests.storyboard import standin
from tests.storyboard.conftest import ffmpeg_program, image

__all__ = ["ffmpeg_program", "image"]

SMALL = ("--steps", "2", "--resolution", "64x32", "--clip-frames", "9", "--variant", "shot")
CHOICE = Choice(5, "sdpa", fp16=True, quality="Q3_K_M", resolution="832x480")
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
    assert any("other and earlier takes" in note for note in redone["notes"])
    Path(redone["film"]["segments"][1]["path"]).with_name("done.json").unlink()
    code, resumed = run(capsys, *words, "--redo", 2)
    assert resumed["film"]["segments"] == redone["film"]["segments"]
    code, fresh = run(capsys, *words, "--from", 1)
    assert (code, fresh["film"]["made"]) == (0, [1, 2])
    code, kept = run(capsys, *words, "--preview")
    assert kept["film"]["segments"][1]["seed"] == redone["film"]["segments"][1]["seed"]
    assert not target.with_name("out.preview.mp4").exists()


def test_a_file_to_publish(
    capsys: pytest.CaptureFixture[str], root: Path, image: Path, ffmpeg_program: Path, tmp_path: Path
) -> None:
    """It lies beside the film, which it does not change; another wish makes no segment again; a film is a story."""
    target = tmp_path / "out.mp4"
    words = (image, "one = a; # | two\\ é", "-o", target, "--wangp", root, *SMALL, *NO_LORAS)
    assert run(capsys, *words)[0] == 0
    plain = target.read_bytes()
    code, result = run(capsys, *words, "--fps", 24)
    film = result["film"]
    assert (code, film["made"], film["published"]["frames"], film["published"]["made"]) == (0, [], 26, True)
    assert film["published"]["between"] == "ffmpeg's motion interpolation"
    assert any("RIFE" in note for note in result["notes"])
    published = Path(film["published"]["path"])
    assert published == tmp_path / "out-24fps.mp4"
    code, result = run(capsys, *words, "--fps", 24)
    assert (code, result["film"]["published"]["made"]) == (0, False)
    first = published.read_bytes()
    published.write_bytes(first[:-1] + b"x")
    code, result = run(capsys, *words, "--fps", 24)
    assert (code, result["error"]["code"]) == (2, "not-ours")
    code, result = run(capsys, *words, "--fps", 24, "--yes")
    assert (code, result["film"]["published"]["made"], published.read_bytes()) == (0, True, first)
    code, result = run(capsys, *words, "--fps", 30, "--scale", "2x")
    assert (code, result["film"]["made"], result["film"]["published"]["size"]) == (0, [], [128, 64])
    assert target.read_bytes() == plain
    assert main.main(["status", str(published), "--json"]) == 0
    story = json.loads(capsys.readouterr().out)["video"]["svi"]["story"]
    assert (story["image"], story["defaults"]["fps"]) == ("start.png", 24)
    assert main.main(["status", str(published)]) == 0
    assert "- prompt: 'one = a; #'" in capsys.readouterr().out
    image.unlink()
    code, result = run(capsys, target, "-o", tmp_path / "again.mp4", "--wangp", root)
    assert (code, result["film"]["made"]) == (0, [1, 2]), result
    assert frames_of(tmp_path / "again.mp4") == frames_of(target)
    code, result = run(capsys, published, "-o", tmp_path / "third.mp4", "--wangp", root)
    assert (code, result["error"]["code"]) == (1, "no-image")


def test_a_film_is_rendered_again_with_what_was_picked(
    capsys: pytest.CaptureFixture[str], root: Path, image: Path, ffmpeg_program: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.mp4"
    words = (image, "one | two", "-o", target, "--wangp", root, *SMALL, *NO_LORAS)
    first = run(capsys, *words, "--redo", 1)[1]["film"]
    redone = run(capsys, *words, "--redo", 2)[1]["film"]
    assert redone["segments"][1]["seed"] != first["segments"][1]["seed"]
    _, again = run(capsys, target, "-o", tmp_path / "again.mp4", "--wangp", root)
    assert [each["seed"] for each in again["film"]["segments"]] == [each["seed"] for each in redone["segments"]]
    assert frames_of(tmp_path / "again.mp4") == frames_of(target)


def test_what_cannot_be_published(
    capsys: pytest.CaptureFixture[str], root: Path, image: Path, ffmpeg_program: Path, tmp_path: Path
) -> None:
    """Everything is refused before the first clip."""
    for words, why in (
        (("--scale", "huge"), "means nothing"),
        (("--scale", "90x"), "--scale"),
        (("--scale", "16x16"), "a side has 16"),
        (("--audio", tmp_path / "none.mp3"), "cannot be read"),
    ):
        code, result = run(capsys, image, "one", "--wangp", root, *SMALL, *NO_LORAS, *words)
        assert code == 2, result
        assert why in result["error"]["message"] + result["error"]["hint"]
    assert standin.asked(root) == []
    story = tmp_path / "story.yaml"
    for line, why in (("fps: 25", "fps"), ("fps: true", "fps"), ("scale: 7", "scale"), ("scale: big", "scale")):
        story.write_text(f"image: start.png\ndefaults:\n  {line}\nshots: [one]\n")
        code, result = run(capsys, story, "--wangp", root)
        assert f"story.yaml, line 3, defaults, {why}:" in result["error"]["message"]


def frames_of(video: Path) -> bytes:
    command = ["ffmpeg", "-v", "error", "-i", str(video), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout


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
    assert "1 clip of 9 frames, 9 in the film, 0.6 s, seed 7  one" in out
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
    assert [event["profile"] for event in smaller_steps(image)] == [4.5, 5]


def smaller_steps(image: Path) -> list[dict[str, Any]]:
    return [each for each in Store(image.with_name("start-film.svi")).journal() if each["event"] == "smaller"]


def test_a_memory_that_is_too_small_is_given_less(
    capsys: pytest.CaptureFixture[str], root: Path, image: Path, ffmpeg_program: Path
) -> None:
    """By itself, said, written down, and not tried again by the next run; finished segments stay."""
    words = (image, "one | tight | three", "--wangp", root, *SMALL, *NO_LORAS)
    assert main.main(["render", *map(str, words)]) == 0
    said = capsys.readouterr()
    assert "going on with WanGP's memory profile 4.5" in said.out + said.err
    assert [(each["profile"], each["segment"], each["why"]) for each in smaller_steps(image)] == [
        (4.5, 2, "card-full"),
        (5, 2, "card-full"),
    ]
    assert [task["prompt"] for task in standin.asked(root)] == ["one", "tight", "tight", "tight", "three"]
    (root / "options").unlink()
    code, result = run(capsys, *words, "--from", 3)
    assert (code, result["film"]["made"]) == (0, [3])
    assert (root / "options").read_text().split() == ["--profile", "5"]
    assert any("did not fit the last time" in note for note in result["notes"])
    code, result = run(capsys, *words, "--from", 3, "--profile", 2)
    assert (root / "options").read_text().split() == ["--profile", "2"]


def test_a_film_goes_on_on_another_card(
    capsys: pytest.CaptureFixture[str], root: Path, image: Path, ffmpeg_program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a T4 to an L4 and to a person's own model; a quality that is named makes another film."""
    fill(root, *(f"wan2.1-i2v-14b-480p-{each}.gguf" for each in hardware.QUALITIES))
    fill(root, *(f"umt5-xxl/umt5-xxl-encoder-{each}.gguf" for each in ("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0")))
    monkeypatch.setattr(hardware, "find_card", lambda: Card("GTX 1070", 7.9, 6.1))
    monkeypatch.setattr(hardware, "ram", lambda: 12.7)
    words = ("--wangp", root, "--steps", "1", "--clip-frames", "9", *NO_LORAS)
    auto = ("--quality", "auto")
    # Real sizes take long here: what fits a small card is 64x32 for this test.
    monkeypatch.setattr(model_choice, "fitting", lambda how, two_experts: replace(CHOICE, resolution="64x32"))
    code, result = run(capsys, image, "one | two", *words, *auto)
    assert (code, result["film"]["made"]) == (0, [1, 2]), result
    assert any("64x32, because it fits this card" in note for note in result["notes"])
    monkeypatch.setattr(model_choice, "fitting", lambda how, two_experts: CHOICE)
    monkeypatch.setattr(hardware, "find_card", lambda: Card("NVIDIA L4", 22.5, 8.9))
    monkeypatch.setattr(hardware, "ram", lambda: 53.0)
    code, result = run(capsys, image, "one | two | three", *words, *auto)
    assert (code, result["film"]["made"]) == (0, [3]), result
    code, result = run(capsys, image, "one | two | three | four", *words)
    assert (code, result["film"]["made"]) == (0, [4]), result
    models = [task["model_type"] for task in standin.asked(root)]
    assert models == ["svi_i2v_q3_k_m", "svi_i2v_q3_k_m", "svi_i2v_q6_k", "i2v"]
    assert {str(task["resolution"]) for task in standin.asked(root)} == {"64x32"}
    code, result = run(capsys, image, "one | two", *words, "--quality", "Q8_0")
    assert (code, result["film"]["made"]) == (0, [1, 2])


def test_several_prompts_are_svi_20(
    capsys: pytest.CaptureFixture[str], root: Path, image: Path, ffmpeg_program: Path
) -> None:
    small = ("--wangp", root, "--steps", "1", "--resolution", "64x32", "--clip-frames", "9", *NO_LORAS)
    _, result = run(capsys, image, "one | two", *small, "--lint")
    assert any("Several prompts: SVI-2.0." in each["text"] for each in result["film"]["findings"])
    assert result["film"]["frames"] == 13
    code, result = run(capsys, image, "one", *small)
    assert (code, result["film"]["frames"]) == (0, 9)
    # A film that has been begun goes on, also when a prompt is added to it.
    code, result = run(capsys, image, "one | two", *small)
    assert (code, result["film"]["made"], result["film"]["frames"]) == (0, [2], 17)
    assert any("begun with shot" in note for note in result["notes"])
    code, result = run(capsys, image, "one | two", *small, "--variant", "2.0")
    assert (code, result["film"]["made"], result["film"]["frames"]) == (0, [1, 2], 13)
    code, result = run(capsys, image, "one | two", *small, "--variant", "fast", "--lint")
    assert any("shot-fast" in each["text"] for each in result["film"]["findings"])


def test_the_time_before_the_first_segment(
    capsys: pytest.CaptureFixture[str], root: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (image, "one | two", "--wangp", root, *NO_LORAS, "--lint", "--variant", "fast")
    monkeypatch.setattr(hardware, "find_card", lambda: Card("NVIDIA GeForce RTX 3090", 24.0, 8.6))
    _, result = run(capsys, *words)
    assert "2 segments to make" in result["notes"][0]
    assert "computed, not measured, for a card of the class RTX 3090" in result["notes"][0]
    assert re.match(r"On the disk that is about \d", result["notes"][1])
    monkeypatch.setattr(hardware, "find_card", lambda: Card("A card of next year", 96.0, 12.0))
    _, result = run(capsys, *words)
    assert "known after the first" in result["notes"][0]


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
    fill(root, "wan2.1-i2v-14b-480p-Q3_K_M.gguf", "umt5-xxl/umt5-xxl-encoder-Q4_K_M.gguf")
    words = (image, "one", "--wangp", root, *SMALL, *NO_LORAS, "--quality", "auto")
    code, result = run(capsys, *words)
    assert code == 0, result
    assert standin.asked(root)[0]["model_type"] == "svi_i2v_q3_k_m"
    assert (root / "finetunes/svi_i2v_q3_k_m.json").is_file()
    log = (image.with_name("start-film.svi") / "wangp/wangp.log").read_text()
    assert "--profile 5 --attention sdpa --fp16" in log
    assert any("Tesla T4, 13 GB RAM: Q3_K_M" in note for note in result["notes"])
    assert any("WanGP asks for 24 GB of RAM" in note for note in result["notes"])
    code, result = run(capsys, *words, "--profile", 4, "--from", 1)
    log = (image.with_name("start-film.svi") / "wangp/wangp.log").read_text()
    assert "--profile 4 --attention" in log


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
        "defaults:\n  variant: shot\n  resolution: 64x32\n  steps: 2\n  clip_frames: 9\n"
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
    from svi_install.storyboard.film.request import Request

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
