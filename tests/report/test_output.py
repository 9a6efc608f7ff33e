from __future__ import annotations

import io
from pathlib import Path

import pytest

from svi_install.cli.prompts import answer
from svi_install.report.output import Closed, Output, Patient, of_process, program, say, spoken


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("options", "said"), [({}, "hello\n"), ({"quiet": True}, ""), ({"as_json": True}, "")])
def test_saying_something_on_the_way(options: dict[str, bool], said: str) -> None:
    out, err = io.StringIO(), io.StringIO()
    say("hello", Output(out, err, **options))
    assert (out.getvalue(), err.getvalue()) == ("", said)


def test_what_is_said_on_the_way_is_not_broken_within_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("svi_install.report.output.columns", lambda _stream: 60)
    monkeypatch.setattr("svi_install.cli.prompts.columns", lambda _stream: 60)
    monkeypatch.setattr("sys.stdin", io.StringIO(" y \n"))
    to = Output(io.StringIO(), io.StringIO())
    say("note: Several prompts: SVI-2.0. SVI-Shot, which repeats it, is --variant shot-fast.", to)
    assert answer("\nDrag the image that the film begins with here (Enter alone goes back): ", to) == "y"
    said, tail = "note: Several prompts: SVI-2.0. SVI-Shot, which repeats it,", "is --variant shot-fast."
    asked = "\nDrag the image that the film begins with here (Enter alone\ngoes back): "
    assert to.err.getvalue() == f"{said}\n{tail}\n{asked}"


@pytest.mark.parametrize(
    ("terminal", "env", "color", "rich"),
    [
        (False, {}, False, False),
        (True, {}, True, True),
        (True, {"NO_COLOR": "1"}, False, True),
        (True, {"NO_COLOR": ""}, True, True),
        (True, {"TERM": "dumb"}, False, False),
        (False, {"FORCE_COLOR": "1"}, True, True),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, True),
    ],
)
def test_the_environment_decides_on_colors(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, env: dict[str, str], color: bool, rich: bool
) -> None:
    monkeypatch.setattr("sys.stdout", Terminal() if terminal else io.StringIO())
    chosen = of_process(as_json=False, quiet=False, env=env)
    assert (chosen.color, chosen.rich) == (color, rich)


@pytest.mark.parametrize(("env", "color"), [({}, False), ({"WT_SESSION": "1"}, True), ({"FORCE_COLOR": "1"}, True)])
def test_the_old_windows_console_gets_no_colors(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], color: bool
) -> None:
    monkeypatch.setattr("sys.stdout", Terminal())
    monkeypatch.setattr("sys.platform", "win32")
    assert of_process(as_json=False, quiet=False, env=env).color is color


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("svi-install --revert /x", "./go --revert /x"),
        ('To take it out: svi-install "/a b"', 'To take it out: ./go "/a b"'),
        ("svi-install PATH (or set WANGP_HOME)", "./go PATH (or set WANGP_HOME)"),
        ("`svi-install check` says more.", "`./go check` says more."),
        (r"svi-install C:\Wan2GP", r"./go C:\Wan2GP"),
        ("fix:  \x1b[1msvi-install fetch /x\x1b[0m", "fix:  \x1b[1m./go fetch /x\x1b[0m"),
        ("\x1b[36msvi-install /x", "\x1b[36m./go /x"),
        ("svi-install --revert '/a $b'", "./go --revert '/a $b'"),
        ("svi-install '/a $b'", "./go '/a $b'"),
        ("Run svi-install again.", "Run svi-install again."),
        ("svi-install itself is incomplete", "svi-install itself is incomplete"),
        ("svi-install: what", "svi-install: what"),
    ],
)
def test_proposed_commands_are_those_that_work_here(text: str, expected: str) -> None:
    out = io.StringIO()
    assert spoken(text, Output(out, out)) == text
    assert spoken(text, Output(out, out, program="./go")) == expected


def test_how_the_person_started_this_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.chdir(tmp_path)
    assert program({}) == "svi-install"
    assert program({"SVI_INSTALL_SOURCE": str(tmp_path)}) == "./install.sh"
    assert program({"SVI_INSTALL_SOURCE": "/opt/svi"}) == "/opt/svi/install.sh"
    assert program({"SVI_INSTALL_SOURCE": "/my apps/svi"}) == '"/my apps/svi/install.sh"'
    monkeypatch.setattr("sys.platform", "win32")
    assert program({"SVI_INSTALL_SOURCE": str(tmp_path)}) == r".\install.bat"


POWERSHELL = {
    "SVI_INSTALL_SHELL": "powershell",
    "SVI_INSTALL_STARTED": r'C:\windows\system32\cmd.exe /c ""C:\svi\install.bat" C:\WanGP"',
    "PSModulePath": r"C:\Users\Zoe\Documents\WindowsPowerShell\Modules;C:\Program Files\WindowsPowerShell\Modules",
    "USERPROFILE": r"C:\Users\Zoe",
}
WINDOW = {"SVI_INSTALL_STARTED": "window"}


@pytest.mark.parametrize(
    ("started", "folder", "typed"),
    [
        ({}, r"C:\svi", r"C:\svi\install.bat"),
        ({}, r"C:\a & b (x86)", r'"C:\a & b (x86)\install.bat"'),
        (POWERSHELL, r"C:\svi", r"C:\svi\install.bat"),
        (POWERSHELL, r"C:\a & b", r'& "C:\a & b\install.bat"'),
        (POWERSHELL, r"C:\it's $5", r"& 'C:\it''s $5\install.bat'"),
        (WINDOW, r"C:\my tools\100% svi!", r'"C:\my tools\100% svi!\install.bat"'),
        (WINDOW, r"\\server\share\svi", r"\\server\share\svi\install.bat"),
    ],
)
def test_what_is_typed_on_windows(
    monkeypatch: pytest.MonkeyPatch, started: dict[str, str], folder: str, typed: str
) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    for name, value in started.items():
        monkeypatch.setenv(name, value)
    assert program({"SVI_INSTALL_SOURCE": folder, **started}) == typed


def test_after_a_double_click_nothing_is_near(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.chdir(tmp_path)
    assert program({"SVI_INSTALL_SOURCE": str(tmp_path), **WINDOW}).strip('"') == f"{tmp_path}\\install.bat"


class Full(io.StringIO):
    """A stream on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("stream", [None, Full()])
def test_words_beside_the_work_never_stop_it(stream: io.StringIO | None) -> None:
    patient = Patient(stream)
    print("hello", file=patient, flush=True)
    assert (patient.isatty(), patient.encoding) == (False, "utf-8")
    with pytest.raises(OSError, match=r"fileno|operation"):
        patient.fileno()


def test_a_patient_stream_is_the_one_behind_it(tmp_path: Path) -> None:
    with (tmp_path / "words").open("w", encoding="cp1252") as file:
        patient = Patient(file)
        print("hello", file=patient, flush=True)
        assert (patient.fileno(), patient.encoding) == (file.fileno(), "cp1252")
        assert (tmp_path / "words").read_text() == "hello\n"


def test_streams_that_were_closed_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    monkeypatch.setattr("sys.stderr", None)
    to = of_process(as_json=False, quiet=False, env={})
    say("nobody hears it", to)
    assert isinstance(to.out, Closed)
    with pytest.raises(OSError, match="it was closed"):
        print("x", file=to.out)
