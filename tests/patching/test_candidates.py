from __future__ import annotations

from svi_install.patching.candidates import Candidate, nearest

ANCHOR = "samples = wan_model.generate("


def test_the_most_alike_line_comes_first() -> None:
    data = b"samples = wan_model.make(\nx = 1\nresult = wan_model.generate(\n\tsamples = wan_model.generate(prompt\n"
    found = nearest(data, f"   {ANCHOR}")
    assert [item.line for item in found] == [4, 1, 3]
    assert found[0].text == "samples = wan_model.generate(prompt"
    assert found[0].score > found[1].score > found[2].score


def test_the_same_text_scores_one_and_earlier_lines_win() -> None:
    data = f"{ANCHOR}\n\n  {ANCHOR}\r\n".encode()
    assert nearest(data, ANCHOR) == (Candidate(1, ANCHOR, 1.0), Candidate(3, ANCHOR, 1.0))


def test_nothing_alike_is_nothing() -> None:
    assert nearest(b"import os\n\xff\xfe\nsamples\n", ANCHOR) == ()


def test_no_more_than_the_limit() -> None:
    assert len(nearest(f"{ANCHOR}\n".encode() * 9, ANCHOR, limit=2)) == 2
