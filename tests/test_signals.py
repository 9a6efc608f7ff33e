"""Signals at every import and every call that changes a file: exit code, words and tree say one thing."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from svi_install import signals
from svi_install.commands.install import install
from svi_install.patching import patchset, state
from tests import miniature, story
from tests.crash.layer import tree
from tests.hatchery import SVI, Ended, environment
from tests.trees import posix

pytestmark = posix

# One in so many places; 1 tries them all: SVI_SIGNAL_STEP=1 pytest tests/test_signals.py
STEP = int(os.environ.get("SVI_SIGNAL_STEP", "0"))
# Raises a signal in the process itself at the k-th import, or at the k-th call that changes a file, after main began.
TRAP = """
import os, sys
at, number, kind = (int(word) for word in os.environ["TRAP"].split())
CHANGING = {"os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir", "os.utime", "os.chmod", "os.truncate"}
seen = listens = 0
def hook(event, args):
    global seen, listens
    if kind == 0:
        hit = event == "import"
    else:
        writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
        hit = writes or event in CHANGING
    if hit and sys.argv[0] == "svi-install" and "svi_install.__main__" in sys.modules:
        seen += 1
        if not listens and getattr(sys.modules.get("svi_install.signals"), "_lost", 0) is sys.unraisablehook:
            listens = seen
        if seen == at:
            os.kill(os.getpid(), number)
from svi_install.__main__ import main
sys.argv[0] = "svi-install"
sys.addaudithook(hook)
code = main()
if at == 0:
    os.write(2, b"%d %d" % (seen, listens))
sys.exit(code)
"""


def trapped(home: Path, words: list[str], at: int, number: int, *, changing: bool) -> Ended:
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", TRAP, *words, "--json"],
        env=environment(home, TRAP=f"{at} {int(number)} {int(changing)}"),
        cwd=home,
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=120,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def chosen(total: int, few: int) -> range:
    """Choose places: all, every STEP-th, or a few that are spread evenly."""
    assert total
    return range(1, total + 1, STEP or max(1, total // few))


def tell(capsys: pytest.CaptureFixture[str], what: str) -> None:
    with capsys.disabled():
        print(f"\n{what}: all survived", end="")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return miniature.write(tmp_path / "WanGP")


def check(ended: Ended, number: int, root: Path, before: dict[str, object], *, installs: bool, usual: int = 0) -> str:
    """Hold exit code, JSON object and tree against each other; returns what happened."""
    case = str(ended)
    assert ended.err == "", case
    data = ended.object()
    if ended.code == 128 + number:
        assert data["error"]["code"] == "interrupted", case
        assert data["status"] == "failed", case
        assert tree(root) == before, case
        return "stopped"
    assert ended.code == usual, case
    assert usual or data["error"] is None, case
    if installs:
        assert data["status"] == "done", case
        assert state.read(root, patchset.load()).name == "installed", case
    left = [path.name for path in (root / ".svi-install").glob("*")]
    assert left in ([], ["receipt.json"]), (left, case)
    assert data["state"] != "absent" or data["command"] != "revert" or not (root / ".svi-install").exists(), case
    assert not list(root.rglob(".svi-*.*")), case
    return "done"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["int", "term"])
@pytest.mark.parametrize(
    ("words", "few"),
    [
        (("status", "ROOT"), 4),
        (("ROOT", "--no-lora"), 5),
        (("revert", "ROOT"), 2),
        (("doctor", "ROOT"), 2),
        (("fetch", "ROOT", "--list"), 3),
        (("render", "ROOT/wgp.py", "a", "--lint", "--wangp", "ROOT"), 2),
        (("update", "ROOT"), 2),
        (("launch", "ROOT", "--python", "/nowhere/python"), 2),
        (("check", "/nowhere/git"), 2),
        (("repair-patches", "HEAD", "/nowhere/git"), 2),
        (("--nothing",), 2),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_at_every_import(
    tmp_path: Path,
    root: Path,
    *,
    words: tuple[str, ...],
    few: int,
    number: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = shutil.copytree(root, tmp_path / "source")
    before = tree(root)
    line = [word.replace("ROOT", str(root)) for word in words]
    whole = trapped(tmp_path / "home", line, 0, number, changing=False)
    total, listens = map(int, whole.err.split())
    assert listens < 40
    outcomes = set()
    for at in chosen(total, few):
        shutil.rmtree(root)
        shutil.copytree(source, root)
        ended = trapped(tmp_path / "home", line, at, number, changing=False)
        if ended.code == -number and number != signal.SIGINT:
            # So early that the program has not even begun to listen.
            assert (at < listens, ended.out, ended.err, tree(root) == before) == (True, "", "", True), (at, ended)
            continue
        outcomes.add(check(ended, number, root, before, installs="--no-lora" in words, usual=whole.code))
    # So late that the command was over before the import was: that is no failure, but not all may be like that.
    assert "stopped" in outcomes or number != signal.SIGINT
    tell(capsys, f"signal {int(number)} at {len(chosen(total, few))} of {total} imports of {words[0][:9]}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP], ids=["int", "hup"])
@pytest.mark.parametrize("command", ["install", "revert"])
def test_at_every_call_that_changes_a_file(
    tmp_path: Path, root: Path, command: str, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    if command == "revert":
        install(root)
    source = shutil.copytree(root, tmp_path / "source", symlinks=True)
    before = tree(root)
    line = [str(root), "--no-lora"] if command == "install" else ["revert", str(root)]
    total = int(trapped(tmp_path / "home", line, 0, number, changing=True).err.split()[0])
    assert total > 50
    outcomes = set()
    for at in (*chosen(total, 4), total):
        shutil.rmtree(root)
        shutil.copytree(source, root, symlinks=True)
        ended = trapped(tmp_path / "home", line, at, number, changing=True)
        outcomes.add(check(ended, number, root, before, installs=command == "install"))
    assert outcomes == {"stopped", "done"}
    tell(capsys, f"signal {int(number)} at {1 + len(chosen(total, 4))} of {total} changing calls of {command}")


class Person:
    """Somebody at a terminal: the input and the outputs of a process are one."""

    def __init__(self, words: list[str], home: Path) -> None:
        self.terminal, other = pty.openpty()
        self.process = subprocess.Popen(
            [*SVI, *words],
            stdin=other,
            stdout=other,
            stderr=other,
            env=environment(home, TERM="xterm", COLUMNS="100"),
            cwd=home,
            start_new_session=True,
        )
        os.close(other)
        self.bytes = b""

    @property
    def seen(self) -> str:
        """Return what is on the screen."""
        return self.bytes.decode("utf-8", "replace")

    def read_until(self, text: str) -> None:
        while text not in self.seen:
            self.bytes += os.read(self.terminal, 4096)

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def end(self) -> int:
        try:
            while data := os.read(self.terminal, 4096):
                self.bytes += data
        except OSError:
            pass  # Linux says so when the other side is closed
        os.close(self.terminal)
        return self.process.wait(60)


LEAVES: dict[str, Callable[[Person], None]] = {
    "ctrl-c": lambda person: person.process.send_signal(signal.SIGINT),
    "sigterm": lambda person: person.process.send_signal(signal.SIGTERM),
    "sighup": lambda person: person.process.send_signal(signal.SIGHUP),
    "ctrl-d": lambda person: person.type("\x04"),
    "no": lambda person: person.type("n\n"),
    "yes, offline": lambda person: person.type("y\n"),
}


@pytest.mark.parametrize("how", LEAVES)
def test_at_the_question_for_the_lora(tmp_path: Path, root: Path, how: str) -> None:
    (tmp_path / "home").mkdir()
    person = Person([str(root)], tmp_path / "home")
    person.read_until("[Y/n] ")
    reported = re.sub(r"\x1b\[[\d;]*m", "", person.seen)
    assert "SVI is now in WanGP 12.60." in reported, "the report comes before the question"
    assert state.read(root, patchset.load()).name == "installed"
    LEAVES[how](person)
    assert person.end() == 0, person.seen
    later = person.seen.partition("[Y/n] ")[2]
    assert "Traceback" not in person.seen
    assert "Left to do:" in later
    assert "fetch" in later
    assert "left half done" not in later
    assert "SVI is in WanGP" in later


def test_a_reader_that_never_reads_can_be_left_with_the_code_of_what_was_done(tmp_path: Path, root: Path) -> None:
    (tmp_path / "home").mkdir()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 65536)
    os.set_blocking(writer, True)
    process = subprocess.Popen(
        [*SVI, str(root), "--no-lora"], stdout=writer, env=environment(tmp_path / "home"), cwd=tmp_path
    )
    os.close(writer)
    while [path.name for path in (root / ".svi-install").glob("*")] != ["receipt.json"]:
        assert process.poll() is None
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    assert process.returncode == 0
    assert state.read(root, patchset.load()).name == "installed"
    os.close(reader)


def test_ctrl_c_within_an_import_is_heard_after_it(tmp_path: Path) -> None:
    """An import that is interrupted in a callback would lose the exception and print a stack trace."""
    (tmp_path / "slow.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nfor _ in range(1000): pass\nprint('whole')\n", "utf-8"
    )
    script = (
        "import sys; from svi_install import signals; signals.catch()\n"
        "try:\n"
        "    with signals.heard():\n"
        "        import slow\n"
        "        while True: pass\n"
        "except KeyboardInterrupt: print('stopped', signals.exit_code(), signals.ended_from_outside())\n"
    )
    env = environment(tmp_path)
    env["PYTHONPATH"] += f"{os.pathsep}{tmp_path}"
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("whole\nstopped 130 False\n", "")


def test_ctrl_c_that_python_drops_is_heard_all_the_same(tmp_path: Path) -> None:
    script = (
        "import os, signal; from svi_install import signals; signals.catch()\n"
        "class Late:\n"
        "    def __del__(self): os.kill(os.getpid(), signal.SIGTERM); [None for _ in range(1000)]\n"
        "try:\n"
        "    with signals.heard():\n"
        "        late = Late(); del late\n"
        "        while True: pass\n"
        "except KeyboardInterrupt: print('stopped', signals.exit_code(), signals.ended_from_outside())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("stopped 143 True\n", "")


def test_what_was_to_be_ignored_stays_ignored(tmp_path: Path) -> None:
    script = (
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from svi_install import signals; signals.catch()\n"
        "print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN, signal.getsignal(signal.SIGTERM) is signals._hear)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(tmp_path), capture_output=True, text=True, check=True
    )
    assert done.stdout == "True True\n"


def test_without_signals_of_ours_ctrl_c_has_its_usual_code() -> None:
    assert (signals.exit_code(), signals.ended_from_outside()) == (130, False)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells what a process blocks")
def test_ctrl_c_at_a_terminal_does_not_reach_the_helpers_of_check(tmp_path: Path) -> None:
    told = story.tell(tmp_path)
    script = (
        "import os, signal, sys\n"
        "from multiprocessing import active_children\n"
        "from svi_install.history import judge\n"
        "judge.WORTH_A_PROCESS, wait = 1, judge.wait\n"
        "def stop(*words, **options):\n"
        "    states = [open(f'/proc/{child.pid}/status').read() for child in active_children()]\n"
        "    blocked = [int(text.partition('SigBlk:')[2].split()[0], 16) for text in states]\n"
        "    assert blocked and all(mask & 1 << signal.SIGINT - 1 for mask in blocked), blocked\n"
        "    os.killpg(os.getpgrp(), signal.SIGINT)\n"
        "    return wait(*words, **options)\n"
        "judge.wait = stop\n"
        "from svi_install.__main__ import main\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "check", str(told.git), "--all-commits", "--json"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (130, "")
    assert json.loads(done.stdout)["error"]["code"] == "interrupted"


@pytest.mark.parametrize("words", [["launch", "ROOT", "--python", "ROOT/python"]])
def test_sigterm_reaches_wangp(tmp_path: Path, root: Path, words: list[str]) -> None:
    (tmp_path / "home").mkdir()
    (root / "python").write_text("#!/bin/sh\necho started\nexec sleep 600\n", "utf-8")
    (root / "python").chmod(0o755)
    line = [word.replace("ROOT", str(root)) for word in words]
    with subprocess.Popen(
        [*SVI, *line, "--json"],
        env=environment(tmp_path / "home"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        assert process.stderr.readline() == "started\n"
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert json.loads(out)["wangp_exit_code"] == 143


def test_sigterm_while_wangp_is_being_started_ends_it_all_the_same(tmp_path: Path, root: Path) -> None:
    (root / "python").write_text("#!/bin/sh\nexec sleep 600\n", "utf-8")
    (root / "python").chmod(0o755)
    script = (
        "import os, signal, subprocess, sys\n"
        "class Started(subprocess.Popen):\n"
        "    def __init__(self, *words, **options):\n"
        "        super().__init__(*words, **options)\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "subprocess.Popen = Started\n"
        "from svi_install.__main__ import main\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "launch", str(root), "--python", str(root / "python"), "--json"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, json.loads(done.stdout)["wangp_exit_code"]) == (143, 143)
