"""The menu, driven by keys through a terminal of its own."""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path

import pytest

from svi_install.cli import choosing, keys, menu
from svi_install.cli.dropped import dropped
from svi_install.report import menu_screen
from svi_install.report.menu_screen import Option, fold
from svi_install.report.output import Output, draws
from tests import miniature
from tests.terminal import Terminal

posix = pytest.mark.skipif(sys.platform == "win32", reason="a pseudo terminal is a thing of POSIX")
UP, DOWN, ENTER = "\x1b[A", "\x1b[B", "\r"
ROWS = [
    Option("Add SVI", "Puts SVI into this WanGP.", 'svi-install install "/home/me/Wan 2 GP"'),
    Option("Take SVI out", "Leaves WanGP's files as they were before.", "svi-install revert /home/me/WanGP"),
    Option("Quit", "Closes this menu."),
]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/home/me/WanGP ", "/home/me/WanGP"),
        ("'/home/me/Wan 2 GP' ", "/home/me/Wan 2 GP"),
        ('"/home/me/Wan 2 GP"', "/home/me/Wan 2 GP"),
        (r"/home/me/Wan\ 2\ GP", "/home/me/Wan 2 GP"),
        ("/home/me/Wan 2 GP", "/home/me/Wan 2 GP"),
        (r"'/home/me/it'\''s here'", "/home/me/it's here"),
        ("file:///home/me/Wan%202%20GP", "/home/me/Wan 2 GP"),
    ],
)
def test_what_a_terminal_makes_of_a_dragged_folder(text: str, path: str) -> None:
    assert dropped(text, windows=False) == Path(path)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (r'"C:\My Films\Wan2GP" ', r"C:\My Films\Wan2GP"),
        (r"C:\Wan2GP", r"C:\Wan2GP"),
        (r"& 'C:\My Films\it''s'", r"C:\My Films\it's"),
        (r"\\server\share\Wan2GP", r"\\server\share\Wan2GP"),
        ("file:///C:/My%20Films/Wan2GP", r"C:\My Films\Wan2GP"),
        ("file://server/share/Wan2GP", r"\\server\share\Wan2GP"),
    ],
)
def test_the_same_on_windows(text: str, path: str) -> None:
    assert str(dropped(text, windows=True)) == path


@pytest.mark.parametrize("text", ["", "  ", "''", '""', "a\0b"])
def test_a_line_without_a_path(text: str) -> None:
    assert dropped(text) is None


def test_keys_have_names_however_they_come() -> None:
    assert keys.named("\x1b[A\x1bOB1q\r") == ["up", "down", "1", "q", "enter"]
    assert keys.named("\xe0H\x00P") == ["up", "down"]


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("chosen", [0, 1, None])
def test_every_line_fits_and_no_word_is_broken(width: int, chosen: int | None) -> None:
    width = min(width, menu_screen.WIDEST)
    lines = menu_screen.options(ROWS, chosen, width, color=False)
    if chosen is not None:
        lines += menu_screen.footer(ROWS[chosen], width, color=False, quits=True)
    assert max(map(len, lines)) < width
    words = " ".join(lines).split()
    for row in ROWS:
        assert set(row.what.split()) <= set(words)


def test_a_path_goes_on_after_a_folder() -> None:
    assert fold("see /home/me/pictures/of/WanGP", 18) == ["see", "/home/me/pictures/", "of/WanGP"]
    assert fold("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]


def test_color_changes_no_sign() -> None:
    plain, colored = (menu_screen.options(ROWS, 1, 80, color=color) for color in (False, True))
    assert [re.sub(r"\x1b\[\d+m", "", line) for line in colored] == plain
    assert colored != plain


def test_a_dumb_terminal_gets_numbers() -> None:
    assert not draws({"TERM": "dumb"})
    assert choosing._meant("3", ROWS, quits=True) == choosing._meant("q", ROWS, quits=True) == 2
    assert choosing._meant("4", ROWS, quits=True) is None
    assert choosing._meant("q", ROWS, quits=False) is None


def terminal(tmp_path: Path, cwd: Path, *, width: int = 80, **variables: str) -> Terminal:
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "xterm", "SVI_INSTALL_HOME": str(home)}
    return Terminal([sys.executable, "-m", "svi_install"], cwd, {**environment, **variables}, width)


@posix
def test_a_person_adds_svi_and_takes_it_out_again(tmp_path: Path) -> None:
    root = miniature.write(tmp_path / "Wan 2 GP")
    before = (root / "wgp.py").read_bytes()
    with terminal(tmp_path, root) as person:
        person.sees("SVI is not in WanGP 12.60.", "Runs: svi-install install", "q quits")
        person.types(ENTER)
        person.sees("> svi-install install", "SVI is now in WanGP", "Download the LoRA", "[Y/n]")
        person.types("n\n")
        person.sees("Press Enter to go back")
        assert (root / "wgp.py").read_bytes() != before
        person.types("\n")
        person.sees("SVI is in WanGP 12.60.", "Repair SVI", "q quits")
        person.types(DOWN)
        person.sees("Runs: svi-install revert", "q quits")
        person.types("2")
        person.sees("Take SVI out of this WanGP? [Y/n]")
        person.types("\n")
        person.sees("SVI was taken out", "Press Enter to go back")
        assert (root / "wgp.py").read_bytes() == before
        person.types("\n")
        person.sees("SVI is not in WanGP", "q quits")
        person.types(UP)
        person.sees("q quits")
        person.types(ENTER)
        assert person.ends() == 0


@posix
def test_numbers_alone_do_where_no_line_can_be_drawn_again(tmp_path: Path) -> None:
    root = miniature.write(tmp_path / "WanGP")
    with terminal(tmp_path, root, width=60, TERM="dumb") as person:
        said = person.sees("svi-install launch", "Number (1-8):")
        assert "\x1b" not in said
        person.types("9\n")
        person.sees("from 1 to 8, or q", "Number (1-8):")
        person.types("q\n")
        assert person.ends() == 0


@posix
def test_a_folder_is_asked_for_until_it_fits(tmp_path: Path) -> None:
    root = miniature.write(tmp_path / "hidden" / "deep" / "Wan 2 GP")
    empty = tmp_path / "empty"
    empty.mkdir()
    with terminal(tmp_path, empty, NO_COLOR="1") as person:
        person.sees("No WanGP was found", "Drag WanGP's folder here and press Enter")
        person.types(f"'{empty}' \n")
        person.sees("is an empty", "wgp.py in it", "Drag WanGP's folder here")
        person.types(f"'{root.parent}' \n")
        person.sees("is not a WanGP", "Take that one? [Y/n]")
        person.types("n\n")
        person.sees("Drag WanGP's folder here")
        person.types(f"'{root.parent}' \n")
        person.sees("Take that one? [Y/n]")
        person.types("\n")
        person.sees("SVI is not in WanGP 12.60.", "q quits")
        person.types("q")
        assert person.ends() == 0


@posix
def test_one_of_several_is_chosen_with_the_arrows(tmp_path: Path) -> None:
    for name, flavour in (("Wan2GP", "base"), ("WanGP", "newest")):
        miniature.write(tmp_path / "home" / name, flavour)
    beside = tmp_path / "x" / "y"
    beside.mkdir(parents=True)
    with terminal(tmp_path, beside) as person:
        person.sees("There are several", "WanGP 17.17", "Ctrl-C ends")
        person.types(DOWN + ENTER)
        person.sees("17.17 (unpacked zip)", "q quits")
        person.types("\x03")
        assert person.ends() == 130


@posix
def test_what_needs_an_answer_goes_back_without_one(tmp_path: Path) -> None:
    root = miniature.write(tmp_path / "WanGP")
    with terminal(tmp_path, root) as person:
        for number, question in (("4", "Drag the image"), ("5", "Drag the video"), ("7", "Drag WanGP's folder")):
            person.sees("q quits")
            person.types(number)
            person.sees(question)
            person.types("\n")
        person.sees("q quits")
        person.types("3")
        person.sees("Which one to fetch?")
        person.types("\n")
        person.sees("> svi-install fetch --list", "svi-shot", "Press Enter to go back")
        person.types("\nq")
        assert person.ends() == 0


def test_a_film_and_a_video_become_command_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    said = iter(["'/my pictures/start.png' ", "she waves | she jumps", "/my films/film.mp4", "svi-2.0", "ALL"])
    monkeypatch.setattr(menu, "answer", lambda _prompt, _to: next(said))
    to = Output(io.StringIO(), io.StringIO())
    start = str(Path("/my pictures/start.png"))
    film = menu._film(to, ("render", "IMAGE", "PROMPTS", "--wangp", "/WanGP"))
    assert film == (("render", start, "she waves | she jumps", "--wangp", "/WanGP"),)
    assert menu._video(to, ("drift", "VIDEO")) == (("drift", str(Path("/my films/film.mp4"))),)
    words = ("fetch", "--list", "/WanGP")
    assert [menu._more(to, words) for _ in "12"] == [(("fetch", "svi-2.0", "/WanGP"),), (("fetch", "--all", "/WanGP"),)]
    assert "she waves | she jumps" in menu._shown(film[0], to)


def test_measuring_is_started_as_a_person_would(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only the start script brings the packages that measuring needs."""
    script = tmp_path / "svi_install" / "bootstrap.py"
    script.parent.mkdir()
    script.write_text(
        "import json, pathlib, sys; pathlib.Path(__file__).with_name('said').write_text(repr(sys.argv[1:]))"
    )
    here: list[object] = []
    menu._carry_out(("drift", "a.mp4"), lambda words: here.append(words) or 0)
    monkeypatch.setenv("SVI_INSTALL_SOURCE", str(tmp_path))
    menu._carry_out(("status", "/x"), lambda words: here.append(words) or 0)
    assert here == [("drift", "a.mp4"), ("status", "/x")]
    menu._carry_out(("drift", "b.mp4"), lambda words: here.append(words) or 0)
    assert script.with_name("said").read_text() == "['drift', 'b.mp4']"
    assert len(here) == 2
