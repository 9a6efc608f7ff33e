from __future__ import annotations

import pytest

from svi_install.errors import SviError
from svi_install.storyboard.script.variants import NAMES, of_settings, variant_of


@pytest.mark.parametrize(
    ("name", "model", "motion", "overlap", "seam"),
    [
        ("shot", "i2v", 1, 1, "head"),
        ("2.0", "i2v", 5, 5, "head"),
        ("film", "i2v", 5, 5, "head"),
        ("tom", "i2v", 1, 1, "head"),
        ("wan22", "i2v_2_2", 1, 1, "tail"),
        ("pro", "i2v_2_2_svi2pro", 0, 5, "tail"),
    ],
)
def test_official_numbers(name: str, model: str, motion: int, overlap: int, seam: str) -> None:
    variant = variant_of(name)
    assert (variant.model, variant.motion_frames, variant.overlap, variant.seam) == (model, motion, overlap, seam)
    assert variant.settings["num_inference_steps"] == 50
    assert variant.settings["guidance_scale"] == 5


def test_all_names_are_covered() -> None:
    assert set(NAMES) == {"shot", "2.0", "film", "tom", "wan22", "pro", "shot-fast", "2.0-fast", "wan22-fast"}


@pytest.mark.parametrize("name", ["wan22", "pro"])
def test_two_experts_switch_where_the_authors_do(name: str) -> None:
    settings = variant_of(name).settings
    assert (settings["guidance_phases"], settings["switch_threshold"]) == (2, 900)


def test_each_expert_has_its_own_lora() -> None:
    settings = variant_of("wan22").settings
    assert settings["loras_multipliers"] == "1;0 0;1"
    high, low = settings["activated_loras"]
    assert "high" in high
    assert "low" in low


@pytest.mark.parametrize("name", ["SVI-Shot LightX2V - 4 Steps", "svi-shot lightx2v - 4 steps.json"])
def test_a_profile_by_its_name(name: str) -> None:
    variant = variant_of(name)
    assert (variant.model, variant.settings["num_inference_steps"], variant.motion_frames) == ("i2v", 4, 1)
    assert "help" not in variant.settings


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(SviError, match="SVI-Film - 50 Steps") as caught:
        variant_of("shoot")
    assert "wan22" in caught.value.hint


def test_settings_without_svi() -> None:
    with pytest.raises(SviError, match="turn SVI off"):
        of_settings("mine", "i2v", "i2v", {"svi_mode": False})
    with pytest.raises(SviError, match="motion frames"):
        of_settings("mine", "i2v", "i2v", {"svi_mode": True, "svi_num_motion_frames": "many"})
