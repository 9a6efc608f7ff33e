"""The one command that runs everything: what its last line counts, and what a new machine gets before it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import run

ROOT = Path(__file__).resolve().parent.parent


def test_the_last_line_counts_what_was_left_out() -> None:
    some = {"passed": 7, "failed": 0, "error": 0, "skipped": 0, "xfailed": 0, "reasons": {}}
    more = {**some, "passed": 1994, "skipped": 218, "reasons": {"no lab": 200, "no\n wine": 10, "a": 4, "b": 4}}
    assert run.last_line(True, [some], "") == "== all passed: 7 passed"
    assert run.last_line(True, [some, more], "no WanGP history here") == (
        "== all passed: 2001 passed, 218 skipped (no WanGP history here; 200 x no lab; 10 x no wine; 4 x a)"
    )
    failed = {**some, "failed": 2, "error": 1, "xfailed": 1}
    assert run.last_line(False, [failed], "") == "== FAILED: 7 passed, 2 failed, 1 in error, 1 expected failures"
    assert run.last_line(False, [], "") == "== FAILED: 0 passed"


def test_what_was_counted_is_what_pytest_did(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('n', range(3))\ndef test_good(n): assert n < 3\n"
        "def test_out(): pytest.skip('not here')\n"
        "@pytest.mark.skip(reason='never')\ndef test_never(): pass\n"
        "def test_bad(): assert 0\n",
        "utf-8",
    )
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text("utf-8"), "utf-8")
    counts: list[dict[str, object]] = []
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, str(tmp_path)]
    assert not run.counted("tests", command, {"PYTHONDONTWRITEBYTECODE": "1"}, counts)
    assert counts == [
        {"passed": 3, "failed": 1, "error": 0, "skipped": 2, "xfailed": 0, "reasons": {"not here": 1, "never": 1}}
    ]
    assert not run.counted("nothing", [sys.executable, "-c", "pass"], {}, counts), "what counts nothing did not pass"


def test_a_laboratory_that_cannot_be_made_says_why_and_leaves_the_rest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SVI_TEST_WANGP", raising=False)
    monkeypatch.setattr(run, "wangp_git", lambda: "")
    assert run.Laboratory().made() == ({}, "no WanGP history here")
    (tmp_path / "tests" / "wangp").mkdir(parents=True)
    (tmp_path / "tests" / "wangp" / "setup_lab.py").write_text("print('no room'); raise SystemExit(3)", "utf-8")
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "python", lambda venv: sys.executable)
    monkeypatch.setattr(run, "wangp_git", lambda: "history")
    lab = run.Laboratory()
    assert lab.env == {"WANGP_GIT": "history"}
    assert lab.made() == ({"WANGP_GIT": "history"}, "no laboratory of the real WanGP")
    said = capfd.readouterr().out
    assert "no room\n== laboratory of the real WanGP: FAILED (exit code 3)" in said


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("user", ["0", "1000"])
def test_a_new_machine_gets_what_the_tests_need(tmp_path: Path, fails: bool, user: str) -> None:
    log = tmp_path / "log"
    for name, text in {
        "python3": f'[ "$1" = -c ] && exit 1; echo "python3 $*" >>"{log}"; exit 7',
        "apt-get": f'echo "apt-get $*" >>"{log}"; exit {100 if fails else 0}',
        "id": f"echo {user}",
        "git": "exit 0",
        "google-chrome": "exit 0",
        "dirname": 'echo "${1%/*}"',
    }.items():
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n", "utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", str(ROOT / ".ci" / "run"), "tests/x"],
        env={"PATH": str(tmp_path / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7, done
    said = log.read_text("utf-8").splitlines()
    assert said[-1] == "python3 tests/run.py tests/x"
    installed = [line.split()[-1] for line in said if " install " in line]
    assert installed == (["ffmpeg", "chromium-driver", "python3-venv"] if user == "0" else [])
    assert ("could not be installed" in done.stdout) is (fails and user == "0")
