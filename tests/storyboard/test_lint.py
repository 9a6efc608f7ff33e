from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from svi_install.loras.transfer import failures
from svi_install.storyboard.film import film
from svi_install.storyboard.film.lint import Finding, lint
from svi_install.storyboard.headless.estimate import Disk
from svi_install.storyboard.script.story import Shot, Story
from svi_install.storyboard.script.variants import variant_of

from . import standin

Stories = Callable[..., Story]


def look(story: Story, folder: Path, root: Path | None = None) -> tuple[Finding, ...]:
    return lint(story, film.plan(story, variant_of(story.variant), folder / "film.mp4"), root)


def errors(story: Story, folder: Path, root: Path | None = None) -> list[str]:
    return [each.text for each in look(story, folder, root) if each.level == "error"]


def test_a_good_story(story: Stories, tmp_path: Path) -> None:
    assert look(story(), tmp_path, standin.make(tmp_path / "WanGP")) == ()


def test_lengths_are_rounded_to_whole_clips(story: Stories, tmp_path: Path) -> None:
    tale = story(shots=(Shot("a", frames=20), Shot("b", frames=17), Shot("c", frames=4)), clip_frames=10)
    texts = [each.text for each in look(tale, tmp_path)]
    assert texts == [
        "shot 1: 20 frames (1.2 s) were asked for; whole clips give 17 (1.1 s, 2 clips).",
        "shot 2: 17 frames (1.1 s) were asked for; whole clips give 16 (1.0 s, 2 clips).",
        "shot 3: 4 frames (0.2 s) were asked for; whole clips give 8 (0.5 s, 1 clip).",
        "clips have 9 frames: WanGP makes 4k+1, not 10.",
    ]
    assert {each.level for each in look(tale, tmp_path)} == {"note"}


@pytest.mark.parametrize(
    ("prompt", "level"), [("/overlap=5 a", "error"), ("!{x}", "error"), ("# a", "error"), ("a {cat}", "warning")]
)
def test_prompts_that_wangp_reads_otherwise(story: Stories, tmp_path: Path, prompt: str, level: str) -> None:
    assert look(story("fine", prompt), tmp_path)[0].level == level


@pytest.mark.parametrize(
    "name",
    [
        "prompt",
        "seed",
        "video_length",
        "sliding_window_size",
        "svi_segment_out",
        "svi_end_clips",
        "spatial_upsampling",
        "model_type",
    ],
)
def test_settings_that_render_decides(story: Stories, tmp_path: Path, name: str) -> None:
    (text,) = [text for text in errors(story(settings={name: "x", **story().settings}), tmp_path) if name in text]
    assert text.startswith("defaults")


@pytest.mark.parametrize(
    ("variant", "settings", "why"),
    [
        ("shot", {"svi_mode": False}, "turn SVI off"),
        ("shot", {"svi_variant": "off"}, "turn SVI off"),
        ("pro", {"svi_clip_seeds": "off"}, "turn SVI off"),
        ("shot", {"svi_variant": "fast"}, "can only be"),
        ("pro", {"svi_clip_seeds": "maybe"}, "can only be on or off"),
        ("shot", {"svi_num_motion_frames": 5}, "hand 5 frames from clip to clip, those of the film 1"),
        ("shot", {"custom_settings": {"svi_variant": "2.0"}}, "hand 5 frames"),
        ("shot", {"image_mode": 1}, "image_mode"),
        ("shot", {"mode": "edit_postprocessing"}, "mode"),
    ],
)
def test_what_would_make_a_shot_without_svi(
    story: Stories, tmp_path: Path, variant: str, settings: dict[str, object], why: str
) -> None:
    tale = story(variant=variant, shots=(Shot("a"), Shot("b", settings=settings)))
    (text,) = errors(tale, tmp_path)
    assert text.startswith("shot 2")
    assert why in text


def test_settings_of_a_shot(story: Stories, tmp_path: Path) -> None:
    tale = story(shots=(Shot("a"), Shot("b", settings={"film_grain_intensity": 0.1})))
    assert errors(tale, tmp_path)[0].startswith("shot 2")
    assert errors(story(shots=(Shot("b", settings={"film_grain_intensity": 0}),)), tmp_path) == []


@pytest.mark.parametrize("size", ["832", "100x100", "x", "832*480"])
def test_resolutions(story: Stories, tmp_path: Path, size: str) -> None:
    assert any("resolution" in text for text in errors(story(resolution=size), tmp_path))


def test_one_resolution_for_all(story: Stories, tmp_path: Path) -> None:
    tale = story(shots=(Shot("a"), Shot("b", settings={"resolution": "96x64"})))
    assert any("different resolutions" in text for text in errors(tale, tmp_path))


@pytest.mark.parametrize(
    ("ends", "where", "what"),
    [
        ({"shots": (Shot("a", end_image=Path("start.png")), Shot("b"))}, "shot 1", "end on an image"),
        ({"end_image": Path("start.png")}, "shot 3", "end on an image"),
        ({"loop": True}, "shot 3", "come back to the start image"),
    ],
)
def test_wan_21_ends_on_no_image(
    story: Stories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, ends: dict[str, Any], where: str, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for variant in ("shot", "2.0", "film", "tom"):
        (text,) = errors(story(variant=variant, **ends), tmp_path)
        assert text == f"{where} is to {what}; Wan 2.1 was not trained for that. Choose the variant wan22 or pro."
    for variant in ("wan22", "pro"):
        assert errors(story(variant=variant, **ends), tmp_path) == []


def test_two_ends(story: Stories, tmp_path: Path, image: Path) -> None:
    shots = (Shot("a"), Shot("b", end_image=image))
    for ends in ({"loop": True}, {"end_image": image}):
        (text,) = errors(story(variant="wan22", shots=shots, **ends), tmp_path)
        assert text == "shot 2 has an end image, and so has the film (end_image or loop); take one out."
        assert errors(story(variant="wan22", shots=shots[::-1], **ends), tmp_path) == []


def test_an_end_that_is_no_picture(story: Stories, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no picture")
    assert errors(story(variant="wan22", end_image=path), tmp_path) == [
        f"{path} is not a picture that WanGP can read (PNG, JPEG, WebP)."
    ]


def test_no_picture(story: Stories, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no picture")
    assert any("not a picture" in text for text in errors(replace(story(), image=path), tmp_path))


def test_loras(story: Stories, tmp_path: Path) -> None:
    root = standin.make(tmp_path / "WanGP")
    (root / "loras/wan_i2v/here.safetensors").write_bytes(b"")
    names = ["here.safetensors", "gone.safetensors", "https://host/x/later.safetensors"]
    found = look(story(settings={"activated_loras": names, "loras_multipliers": "1 1 1 1"}), tmp_path, root)
    assert [each.level for each in found] == ["error", "warning", "warning", "warning", "note"]
    assert "gone.safetensors" in found[0].text
    assert "later.safetensors" in found[-1].text


def test_a_wangp_without_the_model(story: Stories, tmp_path: Path) -> None:
    root = standin.make(tmp_path / "WanGP")
    (root / "defaults/i2v_2_2_svi2pro.json").unlink()
    assert any("no model i2v_2_2_svi2pro" in text for text in errors(story(variant="pro"), tmp_path, root))


def test_a_full_disk(story: Stories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "free_space", lambda folder: failures.RESERVE)
    planned = film.plan(story(), variant_of("shot"), tmp_path / "film.mp4")
    for needed, refused in ((Disk(1, 1), True), (Disk(0, 0), False), (None, False)):
        found = lint(story(), planned, None, needed)
        assert any("the film needs" in each.text for each in found) == refused
