from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from svi_install.writing import process
from tests.trees import posix

pytestmark = posix


def test_this_process_has_a_start_that_stays() -> None:
    assert process.started(os.getpid()) == process.started(os.getpid()) != ""


def test_an_ended_process_has_none() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert process.started(child.pid) is None


@pytest.mark.parametrize("proc", [True, False])
def test_a_dead_process_that_nobody_waited_for_has_none(monkeypatch: pytest.MonkeyPatch, proc: bool) -> None:
    if not proc:
        monkeypatch.setattr(process.Path, "exists", lambda _: False)
    child = os.fork()
    if child == 0:
        os._exit(0)
    for _ in range(200):
        if process.started(child) is None:
            break
        time.sleep(0.05)
    assert process.started(child) is None
    os.waitpid(child, 0)


def test_a_name_with_brackets_and_spaces(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    fields = " ".join(["S", *map(str, range(4, 53))])
    (tmp_path / "7" / "stat").write_text(f"7 (a) b ) {fields}\n")
    assert process._proc(7, tmp_path) == "22"


@pytest.mark.parametrize("alive", [True, False])
def test_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch, alive: bool) -> None:
    monkeypatch.setattr(process.Path, "exists", lambda _: False)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    if not alive:
        child.communicate(b"\n")
    assert bool(process.started(child.pid)) is alive
    if alive:
        child.communicate(b"\n")
