from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from svi_install.runtime import details, length, options
from svi_install.storyboard.headless.task import film_settings, key_of, placed, task_of, with_fields
from svi_install.storyboard.script.segments import segments_of
from svi_install.storyboard.script.story import Lora, Shot, Story
from svi_install.storyboard.script.variants import NAMES, of_settings, variant_of

Stories = Callable[..., Story]


def task(story: Story, name: str = "2.0", number: int = 1, **changes: Any) -> dict[str, Any]:
    variant = variant_of(name)
    return task_of(replace(segments_of(story, variant)[number - 1], **changes), story, variant)


def test_one_segment_is_one_window(story: Stories) -> None:
    made = task(story(clip_frames=81), number=2)
    assert (made["prompt"], made["seed"], made["num_inference_steps"]) == ("two", 49, 3)
    assert made["video_length"] == made["sliding_window_size"] == 81
    lengths = length.plan(made["video_length"], made["sliding_window_size"], 5, continues=False)
    assert (lengths.clips, lengths.wangp_frames) == (1, 81)


def test_what_old_and_new_releases_want(story: Stories) -> None:
    made = task(story())
    assert isinstance(made["image_start"], list)
    assert made["settings_version"] >= 2.42
    assert (made["pause_seconds"], made["multi_prompts_gen_type"], made["image_prompt_type"]) == (0, 1, "S")
    assert made["sliding_window_overlap"] == 1


def test_svi_is_on_as_the_variant_says(story: Stories) -> None:
    chosen = options.resolve(task(story(), "film"), None, "i2v")
    assert chosen is not None
    assert (chosen.variant, chosen.motion_frames, chosen.padding, chosen.official_sigmas) == ("film", 5, 0, True)


def test_pro(story: Stories) -> None:
    made = task(story(), "pro", end_image=Path("end.png"))
    assert (made["model_type"], made["sliding_window_overlap"]) == ("i2v_2_2_svi2pro", 4)
    assert options.clip_seeds_wanted(made, None)
    assert (made["image_end"], made["image_prompt_type"]) == (["end.png"], "SE")


def test_further_loras_keep_their_strengths(story: Stories) -> None:
    own = {"activated_loras": ["a", "b"], "loras_multipliers": "1;0"}
    made = task(story(settings=own, loras=(Lora("c", "0.5"),)))
    assert made["activated_loras"] == ["a", "b", "c"]
    assert made["loras_multipliers"] == "1;0 1 0.5"


def test_what_is_given_wins(story: Stories) -> None:
    made = task(story(negative_prompt="blurry", settings={"guidance_scale": 2}))
    assert (made["negative_prompt"], made["guidance_scale"], made["resolution"]) == ("blurry", 2, "64x32")


def test_the_whole_film_for_wangps_own_form(story: Stories) -> None:
    tale = story(shots=(Shot("a"), Shot("b", frames=152)), clip_frames=81)
    variant = variant_of("2.0")
    settings = film_settings(segments_of(tale, variant), tale, variant)
    assert settings["prompt"].splitlines() == ["a", "b", "b"]
    lengths = length.plan(settings["video_length"], settings["sliding_window_size"], 5, continues=False)
    assert (lengths.clips, lengths.total) == (3, 233)
    assert (settings["seed"], settings["svi_mode"]) == (7, True)


def test_equal_inputs_have_equal_addresses(story: Stories) -> None:
    made = task(story())
    hashes = {made["image_start"][0]: "abc"}
    key = key_of(made, None, hashes)
    assert key == key_of(dict(reversed(made.items())), None, hashes)
    moved = {**made, "image_start": ["/elsewhere/start.png"]}
    assert key == key_of(moved, None, {"/elsewhere/start.png": "abc"})
    others = [
        key_of({**made, "seed": 8}, None, hashes),
        key_of({**made, "prompt": "x"}, None, hashes),
        key_of({**made, "loras_multipliers": "2"}, None, hashes),
        key_of(made, "before", hashes),
        key_of(made, None, {made["image_start"][0]: "abd"}),
    ]
    assert len({key, *others}) == 6


def test_folders_are_no_part_of_the_address(story: Stories, tmp_path: Path) -> None:
    made = task(story())
    whole = placed(made, tmp_path / "before", tmp_path / "out")
    assert set(whole) - set(made) == set(options.HEADLESS_KEYS)
    assert options.HEADLESS_KEYS[0] not in placed(made, None, tmp_path)


@pytest.mark.parametrize("name", [*NAMES, "SVI-Shot LightX2V - 4 Steps"])
def test_the_fields_alone_say_what_the_keys_say(story: Stories, name: str) -> None:
    """From 13.0 on WanGP writes the declared values of fields into every task that does not name them."""
    variant = variant_of(name)
    made = with_fields(task(story(), name), variant.architecture)
    fields = made["custom_settings"]
    if name == "pro":
        assert fields == {options.CLIP_SEEDS: "on"}
        return
    alone = options.resolve({}, fields, variant.architecture)
    assert alone is not None
    assert alone == options.resolve(made, None, variant.architecture)
    assert options.VARIANT in fields


def test_fields_and_a_change_of_the_story(story: Stories) -> None:
    """What the story sets itself wins, and numbers that are not the variant's own are among the fields."""
    made = with_fields(task(story(settings={"svi_ref_pad_num": 3}), "shot"), "i2v")
    alone = options.resolve({}, made["custom_settings"], "i2v")
    assert alone is not None
    assert alone.padding == 3
    own = {"custom_settings": {"other": 1}}
    given = with_fields(task(story(settings=own), "shot"), "i2v")["custom_settings"]
    assert (given["other"], given[options.VARIANT]) == (1, "shot")


# Of the first segment of `story()`, computed by the version before fields were written.
KEYS = {
    "shot": "f3df7e2a231805747b90b74e92d2bd39ad3ec4e14fdcb6e808f0d39190149d46",
    "2.0": "a812fa3e3aa864d54aa1ebf381baf9d49772d1abfbe3554f43c9ae767f1fc02a",
    "film": "0c9bbea04874408015d789d2cba6e2e079199c366b7842656d3e3825be1ed984",
    "tom": "da5f3423514255bb86926095dc7d302d09f8131e0a860a698e44f47a3aa6daa6",
    "wan22": "19f017573b292c140981976bf81413aa8d453282a22d165a237fcabdc8ac13f5",
    "pro": "0a8fb97e26a5b5de64b391138f9fe92a7c7d4050d5c3fc7b60103ab76c712a5a",
}


@pytest.mark.parametrize("name", KEYS)
def test_films_of_today_are_continued(story: Stories, name: str) -> None:
    """Fields are no part of the address: an update of svi-install or of WanGP begins no film anew."""
    made = task(story(), name)
    assert "custom_settings" not in made
    assert key_of({**made, "image_start": ["a"]}, None, {"a": "abc"}) == KEYS[name]


def test_a_profile_that_names_the_fields_too(story: Stories) -> None:
    plain = variant_of("shot")
    fields = {"custom_settings": {options.VARIANT: "shot", options.SIGMAS: "on"}}
    both = of_settings("shot", "i2v", "i2v", {**plain.settings, **fields})
    assert both.settings == plain.settings
    only = {name: value for name, value in plain.settings.items() if not name.startswith("svi_")}
    alone = of_settings("shot", "i2v", "i2v", {**only, **fields})
    assert alone.settings["custom_settings"] == fields["custom_settings"]
    assert alone.motion_frames == plain.motion_frames


def test_the_ends_of_a_film_in_wangps_own_form(story: Stories) -> None:
    """WanGP makes whole clips: it leaves out no frame where a film closes."""
    tale = story(shots=(Shot("a"), Shot("b", end_image=Path("b.png")), Shot("c")), variant="wan22", loop=True)
    variant = variant_of("wan22")
    settings = film_settings(segments_of(tale, variant), tale, variant)
    assert settings["image_end"] == ["b.png", str(tale.image)]
    assert (settings["image_prompt_type"], settings[details.END_CLIPS]) == ("SE", [2, 3])
    chosen = options.resolve(settings, None, "i2v_2_2")
    assert chosen is not None
    assert chosen.end_clips == (2, 3)
    assert with_fields(settings, "i2v_2_2")["custom_settings"]["svi_details"].endswith("end images 2 3")
    assert settings["video_length"] == 9 + 8 + 8
    pro = replace(tale, variant="pro")
    assert "image_end" not in film_settings(segments_of(pro, variant_of("pro")), pro, variant_of("pro"))


def test_one_clip_that_ends_on_an_image(story: Stories) -> None:
    made = task(story(variant="wan22"), "wan22", end_image=Path("end.png"))
    assert (made["image_end"], made["image_prompt_type"]) == (["end.png"], "SE")
    assert details.END_CLIPS not in made
