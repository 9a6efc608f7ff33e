from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from svi_install import loras
from svi_install.commands import prefetch
from svi_install.errors import EXIT_DOWNLOAD, EXIT_INTERRUPTED, EXIT_UNSUPPORTED, SviError
from svi_install.loras.transfer.progress import Progress, Report, no_report
from svi_install.report.download_progress import amount, download_progress, lines, speed
from svi_install.report.output import Output
from svi_install.report.result import Result

from ..loras.conftest import svi_file

DONE = Result("install", "unchanged", "SVI is in.", notes=("note",), todo=("todo",))


def never(question: str) -> bool:
    raise AssertionError(question)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "wgp.py").write_text('WanGP_version = "12.60"\n', "utf-8")
    return tmp_path


def need(root: Path) -> loras.Need:
    (only,) = loras.needs(root, None)
    return only


def test_nothing_is_asked_when_the_lora_is_there(root: Path) -> None:
    svi_file(need(root).target)
    assert prefetch.add_loras(DONE, root, agree=never) is DONE


def test_another_precision_is_enough(root: Path) -> None:
    (half,) = loras.needs(root, None, precision="fp16")
    svi_file(half.target, "F16")
    assert prefetch.add_loras(DONE, root, agree=never) is DONE


@pytest.mark.parametrize("cut", [1, 2_000_000_000])
def test_a_damaged_lora_is_named_and_not_asked_for(root: Path, cut: int) -> None:
    target = svi_file(need(root).target, cut=cut)
    result = prefetch.add_loras(DONE, root, agree=never)
    assert (result.status, result.exit_code) == (DONE.status, DONE.exit_code)
    assert result.todo[0] == "todo"
    assert result.todo[1].startswith(f"remove {target}, which is cut: ")
    assert result.todo[1].endswith(f", then: svi-install fetch svi-shot {root}")


def test_the_question_says_how_much_would_come(root: Path) -> None:
    wanted = need(root)
    assert prefetch.question((wanted._replace(size=2_453_667_840),)).endswith(f"{wanted.lora.name} now (2.3 GB)?")
    assert prefetch.question((wanted._replace(size=None),)).endswith(f"{wanted.lora.name} now?")


def test_a_person_who_says_no_is_told_what_is_left(root: Path) -> None:
    asked: list[str] = []
    result = prefetch.add_loras(DONE, root, agree=lambda text: bool(asked.append(text)))
    assert len(asked) == 1
    assert result.todo[0] == "todo"
    assert "svi-install fetch" in result.todo[1]
    assert result.status == "unchanged"


def test_what_came_is_noted(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = root / "loras" / "a.safetensors"

    def bring(given: Path, names: Sequence[str], *, report: Report) -> loras.PrefetchResult:
        assert (given, list(names)) == (root, [need(root).lora.name])
        report(Progress("SVI-Shot", path.name, "done"))
        return loras.PrefetchResult((loras.Fetched("SVI-Shot", path, "downloaded", 2048, "0", "pinned"),), 1.0)

    monkeypatch.setattr(prefetch, "prefetch", bring)
    result = prefetch.add_loras(DONE, root, agree=lambda text: True)
    assert result.notes == ("note", f"LoRA SVI-Shot: {path} (2.0 KB, matches the pinned hash)")
    assert (result.status, result.exit_code, result.todo) == ("done", 0, ("todo",))


def failing(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def bring(*_: object, **__: object) -> loras.PrefetchResult:
        raise SviError("offline", "no connection.", "Try later.", code)

    monkeypatch.setattr(prefetch, "prefetch", bring)


def test_a_failed_download_leaves_the_install_a_success(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, EXIT_DOWNLOAD)
    result = prefetch.add_loras(DONE, root, agree=lambda text: True)
    assert result.exit_code == 0
    assert result.notes[1] == "no connection. Try later."
    assert "on first use" in result.todo[1]


@pytest.mark.parametrize("code", [EXIT_UNSUPPORTED, EXIT_INTERRUPTED])
def test_other_failures_do_not_undo_the_install_either(root: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    failing(monkeypatch, code)
    result = prefetch.add_loras(DONE, root, agree=lambda text: True)
    assert (result.exit_code, result.notes[1]) == (0, "no connection. Try later.")
    assert "svi-install fetch" in result.todo[1]


def test_ctrl_c_at_the_question_is_no(root: Path) -> None:
    def stop(question: str) -> bool:
        raise KeyboardInterrupt

    result = prefetch.add_loras(DONE, root, agree=stop)
    assert (result.exit_code, result.notes) == (0, ("note", "Stopped."))
    assert "svi-install fetch" in result.todo[1]


def test_progress_in_a_pipe_is_a_line_for_every_tenth() -> None:
    err = io.StringIO()
    report = lines(Output(io.StringIO(), err))
    for done in range(0, 2049, 64):
        report(Progress("SVI-Shot", "a.safetensors", "download", done, 2048))
    report(Progress("SVI-Shot", "a.safetensors", "download", 10, None))
    report(Progress("SVI-Shot", "a.safetensors", "retry", 10, 2048, note="starts again"))
    printed = err.getvalue().splitlines()
    for done in (1024, 2048):
        report(Progress("SVI-Shot", "a.safetensors", "hash", done, 2048))
    assert err.getvalue().splitlines()[len(printed) :] == ["  a.safetensors: checking the file on disk"]
    assert printed[0] == "  a.safetensors: 0 % of 2.0 KB"
    assert printed[-2] == "  a.safetensors: 100 % of 2.0 KB"
    assert printed[-1] == "  a.safetensors: starts again"
    assert len(printed) == 12


@pytest.mark.parametrize("option", ["as_json", "quiet"])
def test_no_progress_where_nothing_may_be_printed(option: str) -> None:
    with download_progress(Output(io.StringIO(), io.StringIO(), **{option: True})) as report:
        assert report is no_report


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_in_a_pipe_and_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())
    err = io.StringIO()
    with download_progress(Output(io.StringIO(), err, rich=True)) as report:
        report(Progress("SVI-Shot", "a.safetensors", "download", 2048, 2048))
    assert err.getvalue() == "  a.safetensors: 100 % of 2.0 KB\n"
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with download_progress(Output(terminal, terminal, rich=True)) as report:
        report(Progress("SVI-Shot [x]", "a.safetensors", "resolve"))
        report(Progress("SVI-Shot [x]", "a.safetensors", "download", 1024, 2048, note="a note"))
    shown = terminal.getvalue()
    assert "SVI-Shot [x]" in shown
    assert "a.safetensors: a note" in shown


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress("a", "f", "download", 0, 100 * 1024**2, 1024.0**2), "1.0 MB/s  1:40 left"),
        (Progress("a", "f", "download", 0, 2 * 1024**3, 262144.0), "256 KB/s  2:16:32 left"),
        (Progress("a", "f", "download", 0, None, 1024.0), "1.0 KB/s"),
        (Progress("a", "f", "download", 0, 100), ""),
        (Progress("a", "f", "hash", 0, 100, 1024.0), ""),
    ],
)
def test_speed_and_time_left(progress: Progress, text: str) -> None:
    assert speed(progress) == text


def test_amount() -> None:
    assert amount(Progress("a", "f", "download", 1024**3, 2_453_667_840)) == "1.0 GB of 2.3 GB"
    assert amount(Progress("a", "f", "download", 1024)) == "1.0 KB"
    assert amount(Progress("a", "f", "resolve")) == ""
