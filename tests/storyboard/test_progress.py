from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from svi_install.report.film_progress import line, printer, span
from svi_install.report.output import Output, say
from svi_install.report.worker_lines import worker_lines
from svi_install.storyboard.film.film import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (42.4, "42 s"), (100, "2 min"), (5000, "83 min"), (7500, "2 h 05 min")]
)
def test_times(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_the_time_left_counts_steps() -> None:
    progress = Progress(3, 5, 10, 50, seconds=100, left=3)
    assert progress.eta == pytest.approx(280)
    assert line(progress) == "segment 3/5, step 10/50, 5 min left"
    assert Progress(1, 5, 10, 50).eta is None
    assert line(Progress(1, 5, 10, 50)) == "segment 1/5, step 10/50"


def test_a_finished_segment_names_its_file() -> None:
    assert (
        line(Progress(1, 2, finished=Path("a.mp4"), seconds=30, left=1)) == "segment 1/2 done in 30 s: a.mp4, 30 s left"
    )
    assert line(Progress(2, 2, finished=Path("b.mp4"), seconds=30)) == "segment 2/2 done in 30 s: b.mp4"


STEPS = (Progress(1, 2, 1, 9), Progress(1, 2, 2, 9), Progress(1, 2, finished=Path("a.mp4"), seconds=3, left=1))


def test_a_pipe_gets_a_line_per_segment() -> None:
    err = io.StringIO()
    show = printer(Output(io.StringIO(), err))
    for progress in STEPS:
        show(progress)
    assert err.getvalue() == "segment 1/2 done in 3 s: a.mp4, 3 s left\n"


def test_a_terminal_sees_every_step() -> None:
    err = Terminal()
    show = printer(Output(io.StringIO(), err))
    for progress in STEPS:
        show(progress)
    assert err.getvalue().split("\r")[1:3] == ["segment 1/2, step 1/9", "segment 1/2, step 2/9"]
    assert err.getvalue().endswith("3 s left\n")


def test_a_terminal_reads_where_a_segment_is_from_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A whole path rarely fits a line; a program in a pipe gets it all the same."""
    monkeypatch.chdir(tmp_path)
    for stream, path in ((Terminal(), "film.svi"), (io.StringIO(), str(tmp_path / "film.svi"))):
        for place in (tmp_path, tmp_path.parent):
            printer(Output(io.StringIO(), stream))(Progress(1, 1, finished=place / "film.svi" / "a.mp4", seconds=3))
        near, far = stream.getvalue().splitlines()
        assert near == f"segment 1/1 done in 3 s: {Path(path) / 'a.mp4'}"
        assert far.endswith(str(tmp_path.parent / "film.svi" / "a.mp4"))


def on_screen(written: str) -> list[str]:
    """What a terminal shows: of the codes that rich writes, those that move up and clear a line matter."""
    rows, row = [""], 0
    for part in re.findall(r"\x1b\[\d*A|\x1b\[2K|\x1b\[\?\d+[hl]|\r|\n|[^\x1b\r\n]+", written):
        if part.endswith("A") and part[0] == "\x1b":
            row -= int(part[2:-1] or 1)
        elif part == "\x1b[2K":
            rows[row] = ""
        elif part == "\n":
            row += 1
            rows += [""] * (row == len(rows))
        elif part[0] not in "\x1b\r":
            rows[row] += part
    return [each for each in rows if each]


def test_each_worker_has_a_line_and_the_whole_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the terminal shows it in the end, by one that understands what was written."""
    monkeypatch.setenv("TERM", "xterm-256color")
    err = Terminal()

    def shown() -> list[str]:
        return on_screen(err.getvalue())

    with worker_lines(Output(io.StringIO(), err)) as to:
        show = printer(to)
        say("before", to)
        show(Progress(1, 4, 1, 9, worker="one", left=4))
        show(Progress(3, 4, 2, 9, worker="two", left=4, pace=60))
        working = ["one: segment 1/4, step 1/9", "two: segment 3/4, step 2/9"]
        assert shown() == ["before", *working, "4 clips to make, about 4 min left"]
        show(Progress(1, 4, finished=Path("a.mp4"), seconds=3, left=3, worker="one", pace=60))
        say("a command that is longer than the terminal is wide, so that it can be copied", to)
        show(Progress(2, 4, 1, 9, worker="one", left=3))
        rows = shown()
        assert rows[1] == "one: segment 1/4 done in 3 s: a.mp4"
        assert rows[2] == "a command that is longer than the terminal is wide, so that it can be copied"
        assert rows[-3:] == ["one: segment 2/4, step 1/9", "two: segment 3/4, step 2/9", "3 clips to make"]
        show(Progress(2, 4, finished=Path("b.mp4"), seconds=3, worker="one"))
        print("joining", end="", file=to.err)
        assert shown()[-2:] == ["one: segment 2/4 done in 3 s: b.mp4", "joining"]
        show(Progress(4, 4, 1, 9, worker="two", left=1))
    assert not any("step" in row for row in shown())
    for stream_of, term in ((io.StringIO(), "xterm"), (Terminal(), "dumb")):
        monkeypatch.setenv("TERM", term)
        plain = Output(io.StringIO(), stream_of)
        with worker_lines(plain) as to:
            assert to is plain


@pytest.mark.parametrize("quiet", [{"as_json": True}, {"quiet": True}])
def test_programs_see_nothing(quiet: dict[str, bool]) -> None:
    err = Terminal()
    show = printer(Output(io.StringIO(), err, **quiet))
    for progress in STEPS:
        show(progress)
    assert err.getvalue() == ""


def test_a_terminal_gets_a_link_to_the_contact_sheet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "grüße [red].svi" / "film.html"
    done = Progress(1, 2, finished=Path("a.mp4"), seconds=3, left=1, take=2, takes=3, sheet=page)
    monkeypatch.setenv("TERM", "xterm-256color")
    for stream, linked in ((Terminal(), True), (io.StringIO(), False)):
        printer(Output(io.StringIO(), stream))(done)
        said = stream.getvalue()
        assert said.startswith("segment 1/2 take 2/3 done in 3 s: a.mp4, 3 s left")
        assert (f";{page.as_uri()}\x1b\\contact sheet\x1b]8;;\x1b\\" in said) == linked
        assert ("\x1b" in said) == linked
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    printer(Output(io.StringIO(), stream))(done)
    assert "\x1b" not in stream.getvalue()
