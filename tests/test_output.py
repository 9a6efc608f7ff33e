from __future__ import annotations

import io
from pathlib import Path

import pytest

from svi_install.output import Output, of_process, program, say, spoken


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("options", "said"), [({}, "hello\n"), ({"quiet": True}, ""), ({"as_json": True}, "")])
def test_saying_something_on_the_way(options: dict[str, bool], said: str) -> None:
    out, err = io.StringIO(), io.StringIO()
    say("hello", Output(out, err, **options))
    assert (out.getvalue(), err.getvalue()) == ("", said)


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
    assert program({"SVI_INSTALL_SOURCE": str(tmp_path)}) == "install.bat"
