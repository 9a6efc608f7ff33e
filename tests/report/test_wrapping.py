from __future__ import annotations

import io
import re

import pytest

from svi_install.report.wrapping import columns, wrapped

LINES = [
    "SVI is now in WanGP 12.60.",
    "  folder  /home/me/films/of this year/Wan 2 GP",
    "  models/wan/any2video.py  changed  schedule 487, condition 626, latents 644, noise 1057, and many more of them",
    "svi-install: \x1b[31mA sentence in red that is so long\x1b[0m that no terminal of sixty columns has room for it.",
    'To take SVI out again: svi-install --revert "/home/me/films/of this year/Wan 2 GP/and further down"',
]


def visible(text: str) -> str:
    return re.sub(r"\x1b\[\d+m", "", text)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_word_is_broken_and_every_line_fits(width: int) -> None:
    lines = wrapped(LINES, width, "svi-install")
    assert " ".join(visible(" ".join(lines)).split()) == " ".join(visible(" ".join(LINES)).split())
    for line in lines:
        assert len(visible(line)) <= width or line.strip().startswith("svi-install --revert")


def test_a_command_stays_whole_on_a_line_of_its_own() -> None:
    assert wrapped(LINES[-1:], 60, "svi-install") == ["To take SVI out again:", LINES[-1].partition("again: ")[2]]


def test_what_follows_a_command_is_no_part_of_it() -> None:
    line = "Fetch it: svi-install fetch '/home/me/Wan 2 GP (neu)' (or let WanGP do it on first use)"
    assert wrapped([line], 50, "svi-install") == [
        "Fetch it:",
        "svi-install fetch '/home/me/Wan 2 GP (neu)' (or",
        "let WanGP do it on first use)",
    ]


def test_what_follows_a_column_keeps_to_it() -> None:
    first, second, *_ = wrapped(LINES[2:3], 60, "svi-install")
    assert first.startswith("  models/wan/any2video.py  changed")
    assert second.startswith(" " * 27)


def test_without_a_terminal_nothing_is_broken() -> None:
    assert columns(io.StringIO()) == 0
    assert wrapped(LINES, 0, "svi-install") == LINES
