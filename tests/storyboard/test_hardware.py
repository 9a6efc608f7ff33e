from __future__ import annotations

import subprocess
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svi_install.storyboard.headless import hardware
from svi_install.storyboard.headless.hardware import (
    NEEDS,
    SIZES,
    Card,
    choose,
    find_card,
    parse_card,
    smaller_profile,
    smaller_quality,
)

T4 = Card("Tesla T4", 15.0, 7.5)


def test_a_t4_of_colab() -> None:
    """12.7 GB of RAM: less than WanGP asks for any profile, so the one of last resort and the smallest file."""
    choice = choose(T4, 12.7, two_experts=False)
    assert choice.options() == ("--profile", "5", "--attention", "sdpa", "--fp16")
    assert (choice.quality, choice.resolution, choice.lacks) == ("Q3_K_M", "832x480", "24 GB of RAM")


@given(ram=st.floats(4, 260), memory=st.floats(4, 150), two=st.booleans(), known=st.sampled_from([(4, 5), NEEDS]))
def test_what_is_chosen_fits(ram: float, memory: float, two: bool, known: Collection[float]) -> None:
    """By WanGP's own menu, or it is the profile of last resort and what is lacking is said."""
    card = Card("any", memory, 8.9)
    choice = choose(card, ram, two, known)
    assert choice.profile in known
    assert not choice.lacks or choice.profile == 5
    asked, graphics = NEEDS[choice.profile]
    assert choice.lacks or (ram >= 0.92 * asked and memory >= 0.92 * graphics)
    if choice.profile in (1, 3, 3.5):
        assert SIZES[choice.quality] <= memory * 1.0738 * 0.7 or choice.quality == "Q3_K_M"


@pytest.mark.parametrize(
    ("found", "ram", "two", "profile", "quality"),
    [
        (Card("NVIDIA L4", 22.5, 8.9), 53, False, 3, "Q6_K"),
        (Card("RTX 4090", 24.0, 8.9), 62, False, 1, "Q8_0"),
        (Card("RTX 4090", 24.0, 8.9), 62, True, 2, "Q8_0"),
        (Card("RTX 3060", 12.0, 8.6), 31, False, 4, "Q6_K"),
        (Card("RTX 3060", 12.0, 8.6), 31, True, 5, "Q5_K_M"),
        (Card("RTX 3090", 24.0, 8.6), 47, True, 3, "Q5_K_M"),
        (Card("GTX 1080", 8.0, 6.1), 15.9, False, 5, "Q4_K_M"),
    ],
)
def test_usual_computers(found: Card, ram: float, two: bool, profile: float, quality: str) -> None:
    choice = choose(found, ram, two)
    assert (choice.profile, choice.quality) == (profile, quality)
    assert choice.fp16 == (found.capability < 8)
    assert choice.resolution == ("832x480" if found.memory >= 10 else "640x368")


def test_newer_cards_keep_wangps_attention() -> None:
    assert choose(Card("RTX 4090", 24.0, 8.9), 64, False).options() == ("--profile", "1")


@pytest.mark.parametrize("short", ["card", "ram"])
@pytest.mark.parametrize("known", [tuple(NEEDS), (1, 2, 3, 4, 5)])
@pytest.mark.parametrize("profile", NEEDS)
def test_smaller_profiles_need_less(profile: float, known: tuple[float, ...], short: hardware.Short) -> None:
    """Step for step down to an end, and never to one that asks for more of what was too small."""
    seen = [profile]
    while (following := smaller_profile(seen[-1], short, known)) is not None:
        assert following in known
        assert NEEDS[following][short == "card"] <= NEEDS[seen[-1]][short == "card"]
        assert following not in seen
        seen.append(following)
    assert seen[-1] == 5


def test_smaller_qualities() -> None:
    steps, quality = [], "Q8_0"
    while (lower := smaller_quality(quality)) is not None:
        steps.append(lower)
        quality = lower
    assert steps == ["Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M"]


def test_what_the_driver_answers() -> None:
    assert parse_card("Tesla T4, 15360, 7.5\nNVIDIA A100, 40960, 8.0\n") == T4
    assert parse_card("NVIDIA-SMI has failed because it could not communicate") is None
    assert parse_card("") is None


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (subprocess.CompletedProcess([], 0, "Tesla T4, 15360, 7.5\n", ""), T4),
        (subprocess.CompletedProcess([], 9, "", "no driver"), None),
        (OSError("gone"), None),
        (subprocess.TimeoutExpired("nvidia-smi", 20), None),
    ],
)
def test_asking_the_driver(answer: Any, found: Card | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*arguments: object, **options: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(hardware.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert find_card(run) == found
    monkeypatch.setattr(hardware.shutil, "which", lambda name: None)
    assert find_card(run) is None


def test_this_computer_has_memory() -> None:
    assert hardware.ram() > 0.1
