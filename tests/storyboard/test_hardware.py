from __future__ import annotations

import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svi_install.storyboard import hardware
from svi_install.storyboard.hardware import Card, choose, find_card, parse_card, smaller_quality

T4 = Card("Tesla T4", 15.0, 7.5)


def test_a_t4_of_colab() -> None:
    """12.7 GB of RAM: nothing may be pinned there."""
    choice = choose(T4, 12.7, two_experts=False)
    assert choice.profile == 3.5
    assert choice.options() == ("--profile", "3.5", "--attention", "sdpa", "--fp16")
    assert choice.quality == "Q4_K_M"


def test_a_wangp_without_profile_35() -> None:
    choice = choose(T4, 12.7, two_experts=False, profiles_35=False)
    assert choice.profile == 5


@given(ram=st.floats(4, 29), memory=st.floats(6, 48), two=st.booleans(), known=st.booleans())
def test_little_ram_is_never_pinned(ram: float, memory: float, two: bool, known: bool) -> None:
    assert choose(Card("any", memory, 8.9), ram, two, known).profile in (3.5, 5)


@given(ram=st.floats(4, 47))
def test_two_experts_pin_twice_as_much(ram: float) -> None:
    assert choose(Card("RTX 4090", 24.0, 8.9), ram, two_experts=True).profile in (3.5, 5)


@pytest.mark.parametrize(
    ("found", "ram", "two", "profile", "quality"),
    [
        (Card("RTX 4090", 24.0, 8.9), 64, False, 1, "Q8_0"),
        (Card("RTX 4090", 24.0, 8.9), 64, True, 2, "Q8_0"),
        (Card("RTX 3060", 12.0, 8.6), 32, False, 4, "Q6_K"),
        (Card("RTX 3060", 12.0, 8.6), 32, True, 5, "Q4_K_M"),
        (Card("RTX 3090", 24.0, 8.6), 48, True, 3, "Q5_K_M"),
        (Card("GTX 1080", 8.0, 6.1), 16, False, 5, "Q4_K_M"),
    ],
)
def test_usual_computers(found: Card, ram: float, two: bool, profile: float, quality: str) -> None:
    choice = choose(found, ram, two)
    assert (choice.profile, choice.quality) == (profile, quality)
    assert choice.fp16 == (found.capability < 8)
    assert choice.resolution == ("832x480" if found.memory >= 11 else "640x368")


def test_newer_cards_keep_wangps_attention() -> None:
    assert choose(Card("RTX 4090", 24.0, 8.9), 64, False).options() == ("--profile", "1")


def test_smaller_qualities() -> None:
    steps, quality = [], "Q8_0"
    while (lower := smaller_quality(quality)) is not None:
        steps.append(lower)
        quality = lower
    assert steps == ["Q6_K", "Q5_K_M", "Q4_K_M"]


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
