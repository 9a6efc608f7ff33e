"""What the tests of the command line share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from svi_install.cli import dispatch
from svi_install.report.result import Result

ECHO = Result("install", "done", "echo")


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No WanGP of this machine, and no setting of its user, may reach these tests."""
    for name in ("WANGP_HOME", "SVI_INSTALL_SOURCE", "SVI_INSTALL_DEBUG", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    (home / "cwd").mkdir(parents=True)
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.setenv("SVI_INSTALL_HOME", str(home / "data"))
    monkeypatch.chdir(home / "cwd")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path | None, bool]]:
    """Every call of one of the three main commands, instead of the call itself."""
    made: list[tuple[str, Path | None, bool]] = []

    def stand_in(name: str) -> Callable[..., Result]:
        def call(path: Path | None, *options: object, **_: object) -> Result:
            made.append((name, path, options[0] is True))
            return ECHO

        return call

    for name in ("install", "revert", "status"):
        monkeypatch.setattr(dispatch, name, stand_in(name))
    return made


def wangp(folder: Path) -> Path:
    folder.mkdir()
    (folder / "wgp.py").write_text('WanGP_version = "12.60"\n', "utf-8")
    return folder
