from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svi_install.errors import SviError
from svi_install.storyboard.script.prompt_text import shots_of


def prompts(text: str) -> list[str]:
    return [shot.prompt for shot in shots_of(text)]


def timed(text: str) -> list[tuple[str, int | None]]:
    return [(shot.prompt, shot.frames) for shot in shots_of(text)]


def test_prompts_by_bars() -> None:
    assert prompts("walking | running|  flying high ") == ["walking", "running", "flying high"]


def test_empty_prompts_between_bars_count_for_nothing() -> None:
    assert prompts("| walking || running |") == ["walking", "running"]


def test_prompts_by_line_with_remarks() -> None:
    assert prompts("# my film\nwalking\r\n\n  running  fast\n#flying\n") == ["walking", "running fast"]


def test_bars_and_lines_together() -> None:
    assert prompts("a | b\nc") == ["a", "b", "c"]


@pytest.mark.parametrize("text", ["", "  \n", "# only a remark", "|", "| \n |"])
def test_no_prompt(text: str) -> None:
    with pytest.raises(SviError) as caught:
        shots_of(text)
    assert caught.value.exit_code == 2
    assert "no prompt" in caught.value.message


def test_framepack_times_are_beginnings() -> None:
    text = "[0s: She waves] [3s: She jumps up] [5s: She dances]"
    assert timed(text) == [("She waves", 48), ("She jumps up", 32), ("She dances", None)]


def test_framepack_first_prompt_begins_the_film_whatever_its_time() -> None:
    assert timed("[1s: She waves] [3s: She jumps]") == [("She waves", 48), ("She jumps", None)]


def test_framepack_text_before_the_first_time() -> None:
    assert timed("A woman stands. [2s: She waves]") == [("A woman stands.", 32), ("She waves", None)]


def test_framepack_ranges_and_gaps() -> None:
    """A gap belongs to the prompt before it, as in FramePack."""
    assert timed("[0s-2s: a] [4s-5.5s: b]") == [("a", 64), ("b", 24)]


def test_framepack_over_several_lines() -> None:
    assert timed("[0s: a]\n# remark\n[ 2 s : b ]") == [("a", 32), ("b", None)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[3s: a] [1s: b]", "must increase"),
        ("[1s: a] [1s: b]", "must increase"),
        ("[2s-1s: a]", "ends before"),
        ("[1s: ]", "no prompt"),
    ],
)
def test_framepack_nonsense(text: str, why: str) -> None:
    with pytest.raises(SviError, match=why):
        shots_of(text)


@given(
    st.lists(
        st.text(st.characters(exclude_characters="|#[\r\n", exclude_categories=("C", "Z"))).filter(str.strip),
        min_size=1,
    )
)
def test_every_prompt_comes_out_in_one_line(parts: list[str]) -> None:
    assert prompts(" | ".join(parts)) == [" ".join(part.split()) for part in parts]


@pytest.mark.parametrize(
    ("text", "shots"),
    [
        ("[/duration=2s] walks | runs [/new_shot]", [("walks", 32, False), ("runs", None, True)]),
        ("[ / duration=81 , /new_shot ] walks", [("walks", 81, True)]),
        ("[/NEW_SHOT][/overlap] walks [wide]", [("walks [wide]", None, True)]),
        ("[/overlap=0] walks", [("walks", None, True)]),
        ("[0s: walks] [2s: [/new_shot] runs]", [("walks", 32, False), ("runs", None, True)]),
    ],
)
def test_tags_of_wangp_are_translated(text: str, shots: list[tuple[str, int | None, bool]]) -> None:
    assert [(shot.prompt, shot.frames, shot.new_shot) for shot in shots_of(text)] == shots


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[/duration=20%] walks", "give it in seconds"),
        ("[/overlap=9] walks", "SVI itself decides"),
        ("[/loras_mult=1;0] walks", "strengths of a shot"),
        ("[/store_mem=ana] walks", "a film has no windows"),
        ("[/duration=2s]", "nothing but tags"),
        ("[/duration=2s] [/duration=3s] walks", "and so does the story"),
    ],
)
def test_tags_of_wangp_that_have_no_place_in_a_film(text: str, why: str) -> None:
    with pytest.raises(SviError, match=why) as caught:
        shots_of(text)
    assert caught.value.message.endswith("Nothing was started.")
