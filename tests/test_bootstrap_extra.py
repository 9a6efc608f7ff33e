"""What measuring videos needs: it comes when it is first asked for, once, from its own lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from svi_install import bootstrap
from svi_install.bootstrap import BootstrapError, is_ready
from tests.test_bootstrap import Runner, fake_venv


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["drift", "a.mp4"], True),
        (["--json", "drift", "a.mp4"], True),
        (["render", "a.png", "x", "--watch"], True),
        (["render", "a.png", "x", "--anchor-colour"], True),
        (["drift", "--help"], False),
        (["render", "drift"], False),
        (["launch", "--", "--watch"], False),
        ([], False),
    ],
)
def test_what_measures_videos_needs_more(words: list[str], wanted: bool) -> None:
    assert bootstrap.measures(words) is wanted


def test_the_extra_comes_once_from_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv = fake_venv(tmp_path / "venv")
    runner = Runner(venv)
    monkeypatch.setattr(bootstrap, "run_with_progress", runner)
    bootstrap.add_extra(venv)
    bootstrap.add_extra(venv)
    (command,) = runner.commands
    assert command[-3:] == ["--require-hashes", "-r", str(bootstrap.SOURCE / "drift.lock")]
    (venv / bootstrap.EXTRA_STAMP).write_text("older")
    bootstrap.add_extra(venv)
    assert len(runner.commands) == 2


def test_an_extra_that_does_not_come_leaves_the_rest_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv = fake_venv(tmp_path / "venv")
    (venv / bootstrap.STAMP).write_text("x", "utf-8")
    monkeypatch.setattr(bootstrap, "run_with_progress", Runner(venv, (1, "ERROR: Retrying")))
    with pytest.raises(BootstrapError, match="no connection"):
        bootstrap.add_extra(venv)
    assert not (venv / bootstrap.EXTRA_STAMP).exists()
    assert is_ready(venv, "x")
