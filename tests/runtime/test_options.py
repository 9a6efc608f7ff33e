from __future__ import annotations

from typing import Any

import pytest

from svi_install.runtime import options
from svi_install.runtime.options import Options, resolve


@pytest.mark.parametrize(
    "keys", [{}, {"svi_mode": False, "svi_num_motion_frames": 5}, {"svi_mode": "off"}, {"svi_mode": ""}]
)
def test_off(keys: dict[str, Any]) -> None:
    assert resolve(keys, None, "i2v") is None


@pytest.mark.parametrize(
    ("motion", "padding", "variant"), [(1, -1, "shot"), (5, -1, "2.0"), (5, 0, "film"), (1, 0, "tom"), (3, 2, "custom")]
)
def test_older_files_name_no_variant(motion: int, padding: int, variant: str) -> None:
    keys = {"svi_mode": True, "svi_num_motion_frames": motion, "svi_ref_pad_num": padding, "svi_ref_pad_cfg": False}
    assert resolve(keys, None, "i2v") == Options(variant, motion, padding)


def test_older_files_for_wan22() -> None:
    assert resolve({"svi_mode": True}, None, "i2v_2_2") == Options("2.0", 1, -1)


@pytest.mark.parametrize(
    ("word", "motion", "padding"), [("shot", 1, -1), ("SVI-2.0", 5, -1), (" Film ", 5, 0), ("tom", 1, 0)]
)
def test_a_variant_brings_its_numbers(word: str, motion: int, padding: int) -> None:
    chosen = resolve({}, {"svi_variant": word}, "i2v")
    assert chosen is not None
    assert (chosen.motion_frames, chosen.padding) == (motion, padding)


def test_the_form_wins() -> None:
    keys = {"svi_mode": True, "svi_num_motion_frames": 5, "svi_ref_pad_cfg": True}
    assert resolve(keys, {"svi_variant": "shot", "svi_num_motion_frames": ""}, "i2v") == Options(
        "shot", 1, -1, mask_all=True
    )
    assert resolve(keys, {"unrelated": 1}, "i2v") == Options("2.0", 5, -1, mask_all=True)


@pytest.mark.parametrize("keys", [{"svi_mode": True}, {"svi_mode": "on", "svi_variant": "2.0"}, {"svi_variant": "2.0"}])
def test_off_in_a_field_loses_against_keys_that_say_on(keys: dict[str, Any]) -> None:
    """WanGP 13 and later writes what svi-install 0.1.0 declared into every task that does not name the field."""
    declared = {"svi_variant": "off", "svi_official_sigmas": "off", "svi_num_motion_frames": "", "svi_ref_pad_num": ""}
    keys = {"svi_official_sigmas": True, "svi_num_motion_frames": 5, **keys}
    assert resolve(keys, declared, "i2v") == Options("2.0", 5, -1, official_sigmas=True)
    assert resolve({"svi_mode": False, "svi_variant": "2.0"}, declared, "i2v") is None
    assert resolve({}, declared, "i2v") is None


def test_the_line_of_details() -> None:
    fields = {"svi_variant": "shot", "svi_details": "motion frames = 3; schedule authors"}
    assert resolve({}, fields, "i2v") == Options("shot", 3, -1, official_sigmas=True)
    assert resolve({}, {**fields, "svi_variant": "off"}, "i2v") is None
    with pytest.raises(ValueError, match="SVI details hold 'frames 3'"):
        resolve({}, {"svi_variant": "shot", "svi_details": "frames 3"}, "i2v")


def test_wan22_has_svi20_alone() -> None:
    assert options.variants_of("i2v_2_2") == ("2.0", "custom")
    assert resolve({}, {"svi_variant": "shot"}, "i2v_2_2") == Options("2.0", 1, -1)
    assert resolve({"svi_mode": True, "svi_variant": "film"}, None, "i2v_2_2") == Options("custom", 5, 0)


def test_numbers_may_be_text() -> None:
    fields = {
        "svi_variant": "custom",
        "svi_num_motion_frames": "9",
        "svi_ref_pad_num": " 4 ",
        "svi_official_sigmas": "On",
    }
    assert resolve({}, fields, "i2v") == Options("custom", 9, 4, official_sigmas=True)


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ({"svi_mode": "maybe"}, "SVI is 'maybe'"),
        ({"svi_mode": True, "svi_variant": "shoot"}, "shoot"),
        ({"svi_mode": True, "svi_num_motion_frames": 0}, "at least 1"),
        ({"svi_mode": True, "svi_ref_pad_num": -2}, "at least -1"),
        ({"svi_mode": True, "svi_ref_pad_num": "all"}, "whole number"),
        ({"svi_mode": True, "svi_official_sigmas": 7}, "schedule is 7"),
    ],
)
def test_what_means_nothing_is_named(keys: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        resolve(keys, None, "i2v")


@pytest.mark.parametrize(
    ("architecture", "variant"),
    [
        (architecture, variant)
        for architecture in options.ARCHITECTURES
        for variant in options.variants_of(architecture)
    ],
)
@pytest.mark.parametrize("numbers", [None, (7, 3)])
def test_both_channels_read_back_what_they_wrote(
    architecture: str, variant: str, numbers: tuple[int, int] | None
) -> None:
    motion, padding = numbers or options.official_numbers(variant, architecture)
    chosen = Options(variant, motion, padding, official_sigmas=True)
    assert resolve(chosen.keys(), None, architecture) == chosen
    assert resolve({}, chosen.fields(architecture), architecture) == chosen
    assert ("motion frames" in chosen.fields(architecture)["svi_details"]) is (numbers is not None)


def test_clip_seeds() -> None:
    assert options.clip_seeds_wanted({}, None) is False
    assert options.clip_seeds_wanted({"svi_clip_seeds": True}, {"svi_clip_seeds": "off"}) is True
    assert options.clip_seeds_wanted({"svi_clip_seeds": False}, {"svi_clip_seeds": "on"}) is True
    assert options.clip_seeds_wanted({}, {"svi_clip_seeds": "off"}) is False
    assert options.clip_seeds_wanted({"svi_clip_seeds": True}, {}) is True
    with pytest.raises(ValueError, match="on or off"):
        options.clip_seeds_wanted({"svi_clip_seeds": "often"}, None)
