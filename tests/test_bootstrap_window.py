"""How install.bat was started, and whether its window is to stay."""

from __future__ import annotations

import io
import sys

import pytest

from svi_install import bootstrap

CLICKED = r'C:\windows\system32\cmd.exe /c ""C:\a b\install.bat" "C:\Wan 2 GP""'
HOME = {"USERPROFILE": r"C:\Users\Zoe"}
OWN = r"c:\users\zoe\Documents\PowerShell\Modules;C:\Program Files\WindowsPowerShell\Modules"


@pytest.mark.parametrize(
    ("env", "shell"),
    [
        ({}, "cmd"),
        ({"SVI_INSTALL_STARTED": r'"C:\windows\system32\cmd.exe" ', **HOME, "PSModulePath": OWN}, "cmd"),
        ({"SVI_INSTALL_STARTED": "window"}, "window"),
        ({"SVI_INSTALL_STARTED": CLICKED, **HOME, "PSModulePath": r"C:\Program Files\WindowsPowerShell"}, "window"),
        ({"SVI_INSTALL_STARTED": CLICKED.replace("/c", "/C"), **HOME, "PSModulePath": OWN}, "powershell"),
    ],
)
def test_what_started_it(env: dict[str, str], shell: str) -> None:
    assert bootstrap.shell(env) == shell


@pytest.mark.parametrize(("arguments", "waits"), [(["C:\\WanGP"], True), (["C:\\WanGP", "--yes"], False), ([], False)])
def test_the_window_of_a_dropped_folder_stays(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], waits: bool
) -> None:
    monkeypatch.setattr(bootstrap, "_main", lambda _arguments: 4)
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    monkeypatch.setenv("SVI_INSTALL_STARTED", CLICKED)
    assert bootstrap.main(arguments) == 4
    assert ("Press Enter" in capsys.readouterr().err) is waits
    assert sys.stdin.read() == ("" if waits else "\n")
