from __future__ import annotations

import dataclasses
import types
from pathlib import Path
from typing import Any

import pytest

from svi_install.runtime import checks, length, options

SHOT = options.Options("shot", 1, -1)
TWO = options.Options("2.0", 5, -1)
SHOT_LORA, TWO_LORA = "svi-shot.safetensors", "SVI_Wan2.1-I2V-14B_lora_v2.0.safetensors"


def planned(frames: int = 241, window: int = 81, motion: int = 1, continues: bool = False) -> length.Lengths:
    return length.plan(frames, window, motion, continues)


def settings(**changes: Any) -> dict[str, Any]:
    plain = {"image_start": [object()], "image_prompt_type": "S", "video_length": 241, "sliding_window_size": 81}
    return {**plain, "prompt": "a\nb", "model_type": "i2v", **changes}


@pytest.mark.parametrize(
    ("chosen", "active", "said"),
    [
        (SHOT, [SHOT_LORA], []),
        (TWO, [SHOT_LORA], ["is set to SVI-2.0, but the active LoRA svi-shot.safetensors belongs to SVI-Shot"]),
        (TWO, [SHOT_LORA, TWO_LORA], []),
        (SHOT, ["fast.safetensors"], ["No SVI LoRA is active"]),
        (SHOT, None, ["No SVI LoRA is active"]),
        (options.Options("custom", 3, 2), [SHOT_LORA], []),
    ],
)
def test_the_variant_and_the_lora(chosen: options.Options, active: Any, said: list[str]) -> None:
    found = checks.advice(chosen, planned(), "i2v", active, ["one"])
    assert len(found) == len(said)
    assert all(words in sentence for words, sentence in zip(said, found, strict=True))


def test_a_lora_for_the_other_model() -> None:
    (sentence,) = checks.advice(options.Options("2.0", 1, -1), planned(), "i2v_2_2", [TWO_LORA], ())
    assert f"the active LoRA {TWO_LORA} is for another model" in sentence


@pytest.mark.parametrize(("prompts", "said"), [(3, None), (4, "the last one"), (6, "the last 3")])
def test_more_prompts_than_clips(prompts: int, said: str | None) -> None:
    found = checks.advice(SHOT, planned(), "i2v", [SHOT_LORA], ["walk"] * prompts)
    assert [said in sentence for sentence in found if said] == ([True] if said else [])
    assert bool(found) is (said is not None)


def test_a_window_that_svi_has_not_learned() -> None:
    (sentence,) = checks.advice(SHOT, planned(window=49), "i2v", [SHOT_LORA], ())
    assert "A Sliding Window Size of 81 works best" in sentence


def test_what_comes() -> None:
    said = checks.outlook(SHOT, planned(), [SHOT_LORA], 16)
    assert said == "SVI-Shot with svi-shot.safetensors: 3 clips of 81 frames, 15.1 seconds"
    said = checks.outlook(TWO, planned(77, 81, 5, True), [], 16)
    assert said == "SVI-2.0 without an SVI LoRA: 1 clip of 81 frames, 4.8 seconds behind the video"


@pytest.mark.parametrize("image", [None, [], [None]])
def test_nothing_to_start_from(image: Any) -> None:
    with pytest.raises(checks.RefusalError, match="SVI endless video needs a Start Image"):
        checks.start(settings(image_start=image))


@pytest.mark.parametrize("kinds", ["V", "L", "VE"])
def test_a_video_to_continue_is_enough(kinds: str) -> None:
    checks.start(settings(image_start=None, image_prompt_type=kinds))


@pytest.mark.parametrize(
    ("changes", "names", "said"),
    [
        ({"image_start": None}, {}, "Start Image"),
        ({"spatial_upsampling": "vae2"}, {}, "Spatial Upsampling"),
        (
            {"prompt": "walk [/duration=5s]"},
            {"has_slash_commands": lambda prompts: "[/" in "".join(prompts)},
            "commands",
        ),
        ({"sliding_window_size": 5}, {}, "Sliding Window Size of at least"),
    ],
)
def test_refusals_name_the_controls(changes: dict[str, Any], names: dict[str, Any], said: str) -> None:
    with pytest.raises(checks.RefusalError, match=said) as caught:
        checks.lengths(names, None, TWO, settings(**changes))
    assert "svi_" not in str(caught.value)


END = "the end"


@pytest.mark.parametrize(
    ("images", "named", "clips"),
    [
        (END, (), (1,)),
        ([END, END], (), (1, 2)),
        ([END], (2,), (2,)),
        ([END], (-1,), (3,)),
        ([END, END], (3, 1), (3, 1)),
        (None, (), ()),
        ([None], (), ()),
    ],
)
def test_which_clip_an_end_image_is_for(images: Any, named: tuple[int, ...], clips: tuple[int, ...]) -> None:
    chosen = options.Options("2.0", 1, -1, end_clips=named)
    asked = settings(image_prompt_type="SE", image_end=images)
    assert checks.arrivals(chosen, planned(), "i2v_2_2", asked) == clips
    # WanGP itself leaves the images out without an "E".
    unasked = settings(image_end=images)
    assert checks.arrivals(dataclasses.replace(chosen, end_clips=()), planned(), "i2v_2_2", unasked) == ()


@pytest.mark.parametrize(
    ("images", "named", "architecture", "said"),
    [
        ([END], (), "i2v", "SVI on Wan 2.1 cannot end on an image"),
        ([END] * 4, (), "i2v_2_2", "An End Image is for clip 4, but the video has 3 clips"),
        ([END], (5,), "i2v_2_2", "An End Image is for clip 5, but the video has 3 clips"),
        ([END, END], (3, -1), "i2v_2_2", "An End Image is for clip 3 a second time"),
        ([END], (1, 2), "i2v_2_2", "There is 1 End Image, but SVI details name 2 clips"),
        ([END, END], (2,), "i2v_2_2", "There are 2 End Images, but SVI details name 1 clip"),
        ([], (2,), "i2v_2_2", "SVI details name clips for End Images, but there is none"),
    ],
)
def test_end_images_that_no_clip_can_take(images: Any, named: tuple[int, ...], architecture: str, said: str) -> None:
    chosen = options.Options("2.0", 1, -1, end_clips=named)
    with pytest.raises(checks.RefusalError, match=said):
        checks.arrivals(chosen, planned(), architecture, settings(image_prompt_type="SE", image_end=images))


def test_a_lora_that_cannot_load(tmp_path: Path) -> None:
    (tmp_path / SHOT_LORA).write_bytes(b"")
    names = {"get_lora_dir": lambda model_type: str(tmp_path)}
    with pytest.raises(checks.RefusalError, match=r"svi-shot\.safetensors is empty.*apply the profile again"):
        checks.lengths(names, None, SHOT, settings(activated_loras=[SHOT_LORA]))


class Upsamplers:
    """Two methods that work in the VAE and do not say so in their name, as WanGP 17.17 has them."""

    @staticmethod
    def is_vae_upsampling(method: Any) -> bool:
        return method in ("h3_x2", "flux_pid4")


@pytest.mark.parametrize(
    ("method", "inside"),
    [("h3_x2", True), ("flux_pid4", True), ("vae2", True), ("lanczos2", False), ("", False), (None, False)],
)
def test_wangp_itself_says_which_upsampling_is_inside_the_vae(method: Any, inside: bool) -> None:
    assert checks.in_the_vae({"upsampler_api": Upsamplers}, method) is inside
    assert checks.in_the_vae({"upsampler_api": types.ModuleType("older")}, method) is (method == "vae2")


def test_the_frame_rate_is_wangps() -> None:
    assert checks.frame_rate({"get_computed_fps": lambda *asked: 24}, {}) == 24
    assert checks.frame_rate({"get_computed_fps": lambda: 24}, {}) == checks.FPS
    assert checks.frame_rate({}, {}) == checks.FPS
