"""System calls that change the tree: ended before and after each, torn, failing once, failing from then on.

By default every fifth of these faults, with a step that meets each call and each kind of fault; all of them, and how
many they are, with ``SVI_TEST_ALL=1 pytest tests/crash/test_crash.py -s``.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from svi_install.writing import transaction
from svi_install.writing.journal import STAGED
from tests.crash.layer import CHANGING, FAULTS, KILLED, Fault, Layer, in_child, layer, tree
from tests.crash.power import cuts, recorded
from tests.crash.scenarios import PATHS, Scenario, scenarios
from tests.every import some
from tests.trees import posix

# Other tests cover the same lines; counting them here would double the time.
pytestmark = [posix, pytest.mark.no_cover]

LOCK = ("0:.svi-install", "0:.svi-install/lock")
NAMES = (
    "install",
    "revert",
    "upgrade",
    "downgrade",
    "repair",
    *(f"{how} of {name}" for name in ("install", "revert", "upgrade") for how in ("undo", "undo-half", "finish")),
)


@pytest.fixture(scope="module")
def base() -> Iterator[Path]:
    memory = Path("/dev/shm")
    where = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="svi-crash-", dir=where) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def every(base: Path) -> dict[str, Scenario]:
    return {scenario.name: scenario for scenario in scenarios(base)}


def faults(calls: list[str]) -> list[Fault]:
    found = []
    for at, name in enumerate(calls):
        found += [Fault(at, "before"), Fault(at, "after")]
        if name == "write":
            found.append(Fault(at, "torn"))
        for number in FAULTS:
            found += [Fault(at, "fail", number), Fault(at, "broken", number)]
    return found


def check_not_torn(scenario: Scenario, root: Path, fault: Fault) -> None:
    """At any moment each of WanGP's files is whole: either the old or the new one."""
    for path in PATHS:
        data = (root / path).read_bytes()
        wholes = [(scenario.start / path).read_bytes()]
        for state in (scenario.old, scenario.new):
            key = "0:models/real_model.py" if path.endswith("model.py") else f"0:{path}"
            wholes.append(state[key][-1])  # type: ignore[index]
        assert data in wholes, (scenario.name, fault, path)


def judge(scenario: Scenario, root: Path, fault: Fault, call: str) -> str:
    code = in_child(lambda: scenario.action(root), fault)
    assert code in ((KILLED,) if fault.how in ("before", "after", "torn") else (0, 1)), (scenario.name, fault, code)
    check_not_torn(scenario, root, fault)
    if code == 1 and fault.how == "fail" and scenario.old != scenario.new:
        # Where the very removal of the lock fails, the lock alone may stay until the next command.
        ignored = LOCK if call in ("unlink", "rmdir") else ()
        now = {key: value for key, value in tree(root).items() if key not in ignored}
        assert now == {key: value for key, value in scenario.old.items() if key not in ignored}, (scenario.name, fault)
    transaction.recover(root)
    ended = tree(root)
    assert ended in (scenario.old, scenario.new), (scenario.name, fault)
    outcome = "new" if ended == scenario.new else "old"
    if code == 0:
        assert outcome == "new", (scenario.name, fault)
    if outcome == "old":
        scenario.action(root)
        assert tree(root) == scenario.new, (scenario.name, fault)
    return outcome


@pytest.mark.parametrize("name", NAMES)
def test_every_call(every: dict[str, Scenario], base: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = every[name]
    root = base / "case"
    shutil.copytree(scenario.start, root, symlinks=True)
    with layer() as seen:
        scenario.action(root)
    assert tree(root) == scenario.new
    shutil.rmtree(root)
    outcomes = {"old": 0, "new": 0}
    cases = faults(seen.calls)
    # Of eight or nine faults at each call, so one at least, and in turn every one.
    for fault in some(cases, 7):
        shutil.copytree(scenario.start, root, symlinks=True)
        outcomes[judge(scenario, root, fault, seen.calls[fault.at])] += 1
        shutil.rmtree(root)
    assert len(cases) >= 8 * len(seen.calls) > 0
    tried = sum(outcomes.values())
    assert tried >= len(cases) / 7
    with capsys.disabled():
        print(f"\n{name}: {len(seen.calls)} calls, {tried} of {len(cases)} faults: {outcomes}", end="")


@pytest.mark.parametrize("name", NAMES)
def test_power_cut(every: dict[str, Scenario], base: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """After every call the power may go: what was not synced is lost, in bytes, in names, or in both."""
    scenario = every[name]
    root = base / "case"
    shutil.copytree(scenario.start, root, symlinks=True)
    journal = recorded(lambda: scenario.action(root), root)
    shutil.rmtree(root)
    every_cut = list(cuts(journal))
    assert len(every_cut) == 3 * (len(journal) + 1)
    tried = some(every_cut, 4)
    for cut in tried:
        shutil.copytree(scenario.start, root, symlinks=True)
        cut.replay(root)
        check_not_torn(scenario, root, Fault(cut.at, cut.loses))
        transaction.recover(root)
        assert tree(root) in (scenario.old, scenario.new), (name, cut.at, cut.loses)
        shutil.rmtree(root)
    with capsys.disabled():
        print(f"\n{name}: {len(tried)} of {len(every_cut)} power cuts", end="")


def test_the_layer_sees_every_change(base: Path) -> None:
    """Python's own audit events count the same calls, so no change goes past the layer."""
    command = [sys.executable, "-m", "tests.crash.audit", str(base / "audit")]
    here = Path(__file__).parents[2]
    answer = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    lines = [line.split("|") for line in answer.stdout.splitlines()]
    assert [line[0] for line in lines] == list(NAMES)
    assert all(line[1] == line[2] != "0" for line in lines), lines


def test_the_layer_knows_every_changing_call_of_the_package() -> None:
    text = Path(transaction.__file__).with_name("files.py").read_text()
    for name in (
        "rename",
        "renames",
        "removedirs",
        "makedirs",
        "truncate",
        "symlink",
        "chmod",
        "chown",
        "pwrite",
        "writev",
    ):
        assert f"os.{name}(" not in text
    for name in CHANGING:
        assert f"os.{name}(" in text
    assert errno.ENOSPC in FAULTS
    assert isinstance(Layer().getpid(), int)


@pytest.mark.parametrize("name", ["install", "revert", "upgrade"])
def test_what_has_to_be_on_the_disk_before_what(base: Path, every: dict[str, Scenario], name: str) -> None:
    root = base / "order"
    shutil.copytree(every[name].start, root, symlinks=True)
    steps = recorded(lambda: every[name].action(root), root)
    shutil.rmtree(root)
    staged = {step.file for step in steps if step.name == "open" and STAGED.fullmatch(Path(step.path).name)}
    ours = {"journal.new", "journal", "journal.done", "lock"}
    changed = [
        number
        for number, step in enumerate(steps)
        if step.name in ("replace", "unlink")
        and Path(step.path).name not in ours
        and not STAGED.fullmatch(Path(step.path).name)
    ]
    synced = {step.file for step in steps[: changed[0]] if step.name == "fsync"}
    assert staged
    assert staged <= synced, "bytes before names"
    waiting = ""
    committed = next(number for number, step in enumerate(steps) if Path(step.path).name == "journal.done")
    for step in steps[changed[0] : committed]:
        if step.name == "fsync-folder" and os.path.normpath(step.path) == waiting:
            waiting = ""
        elif step.name in ("replace", "unlink"):
            folder = os.path.normpath(step.path.rpartition("/")[0] or ".")
            assert waiting in ("", folder), f"{folder} changes before {waiting} is on the disk"
            waiting = folder
    assert waiting == "", "the commit before what it is about"
