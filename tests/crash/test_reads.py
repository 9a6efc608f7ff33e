"""Every look at the tree refused once, or from then on: no exit code that is not true, and nothing in between.

``SVI_TEST_ALL=1 pytest tests/crash/test_reads.py -s`` tries all and prints how many; without it every
seventeenth is tried.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from svi_install.commands.interrupted import recover
from svi_install.patching import patchset, plan, state
from svi_install.writing import transaction
from tests import miniature
from tests.crash.layer import Fault, layer, tree
from tests.crash.layer import in_child as killed
from tests.crash.reads import DONE, REFUSED, Looks, in_child, looking
from tests.every import ALL
from tests.older import RUNTIME, first
from tests.trees import posix

# Other tests cover the same lines; counting them here would double the time.
pytestmark = [posix, pytest.mark.no_cover]

PATCHES = patchset.load()
ERRORS = (errno.EACCES, errno.EIO)
STEP = 1 if ALL else 17
# What a command that is done may leave for the next one to remove, and says so: never a file that WanGP reads.
LITTER = re.compile(r"[/:](\.svi-[0-9a-f]{8}\.\d+[no]|\.svi-install(/journal\.done)?|svi_wangp|profiles/new)$")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    # The time of an install stands in its receipt.
    monkeypatch.setattr(plan.time, "strftime", lambda *_: "2026-01-01T00:00:00Z")


@pytest.fixture(scope="module")
def base() -> Iterator[Path]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(os.path.realpath(folder))


def profiles(root: Path) -> dict[str, bytes]:
    return {f"{root.parent}/drive/wan_i2v/SVI a.json": b"{}\n", "profiles/new/SVI b.json": b"{}\n"}


def install(root: Path) -> None:
    recover(root)
    state.read(root, PATCHES, RUNTIME)
    transaction.run(plan.plan_install(root, PATCHES, RUNTIME, profiles(root)))


def upgraded(root: Path) -> None:
    transaction.run(plan.plan_install(root, first(PATCHES), {"svi_wangp/__init__.py": b"old\n"}, profiles(root)))


def revert(root: Path) -> None:
    recover(root)
    state.read(root, PATCHES, RUNTIME)
    transaction.run(plan.plan_revert(root, PATCHES, RUNTIME, profiles(root)))


def half(action: Callable[[Path], object]) -> Callable[[Path], None]:
    """Kill a command at the middle one of its renames."""

    def make(root: Path) -> None:
        kept = root.parent.with_name("probe")
        shutil.copytree(root.parent, kept, symlinks=True)
        with layer() as seen:
            action(root)
        for name in ("WanGP", "drive"):
            shutil.rmtree(root.parent / name)
            shutil.copytree(kept / name, root.parent / name, symlinks=True)
        shutil.rmtree(kept)
        renames = [at for at, call in enumerate(seen.calls) if call == "replace"]
        assert killed(lambda: action(root), Fault(renames[len(renames) // 2], "after")) == 137

    return make


def nothing(root: Path) -> None:
    pass


COMMANDS: dict[str, tuple[Callable[[Path], object], Callable[[Path], object]]] = {
    "install": (nothing, install),
    "revert": (install, revert),
    "upgrade": (upgraded, install),
    "recovery of an install": (half(install), recover),
    "recovery of a revert": (lambda root: (install(root), half(revert)(root)), recover),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_look(base: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    prepare, action = COMMANDS[name]
    case, kept = base / "case", base / "kept"
    root, drive = case / "WanGP", case / "drive"
    monkeypatch.setenv("XDG_STATE_HOME", str(case / "state"))
    miniature.write(root)
    (drive / "wan_i2v").mkdir(parents=True)
    (root / "wgp_config.json").write_text(json.dumps({"loras_root": str(drive)}))
    try:
        prepare(root)
        old = tree(root, drive)
        shutil.copytree(case, kept, symlinks=True)
        with looking(Looks((case,))) as seen:
            action(root)
        new = tree(root, drive)
        assert old != new
        wrong, tried = {}, 0
        for at in range(0, len(seen.calls), STEP):
            broken = at % 2 == 1
            looks = Looks((case,), at, ERRORS[at // 2 % 2], broken=broken)
            shutil.rmtree(case)
            shutil.copytree(kept, case, symlinks=True)
            if problem := judge(root, drive, action, looks, (old, new)):
                wrong[f"{at} {seen.calls[at]}{' and later' if broken else ''}"] = problem
            tried += 1
        assert wrong == {}
        with capsys.disabled():
            print(f"\n{name}: {tried} refused looks, none unexpected, none half done", end="")
    finally:
        shutil.rmtree(case)
        shutil.rmtree(kept, ignore_errors=True)


def judge(
    root: Path,
    drive: Path,
    action: Callable[[Path], object],
    looks: Looks,
    trees: tuple[dict[str, object], dict[str, object]],
) -> str:
    """Run a command under a fault, then what a person runs next; return what is wrong, nothing when all is well."""
    old, new = trees
    code, said = in_child(lambda: action(root), looks)
    if code not in (DONE, REFUSED):
        return f"exit code {code}: {said}"
    if code == DONE and (left := [path for path in differences(tree(root, drive), new) if not LITTER.search(path)]):
        return f"done, and yet not: {left}"
    recover(root)
    if code == DONE and tree(root, drive) != new:
        return f"done, and yet not with the next command: {differences(tree(root, drive), new)}"
    if (now := tree(root, drive)) not in (old, new):
        return f"half done after {said!r}: {differences(now, old)}"
    action(root)
    return "" if tree(root, drive) == new else f"not done by the next: {differences(tree(root, drive), new)}"


def differences(one: dict[str, object], other: dict[str, object]) -> list[str]:
    return [path for path in one.keys() | other.keys() if one.get(path) != other.get(path)]


@pytest.mark.parametrize("name", ["status", "install", "revert"])
def test_whole_commands(base: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The commands as a person runs them, with all that they read besides; here only how they end is judged."""
    from svi_install.commands import install as installing
    from svi_install.commands import revert as reverting
    from svi_install.commands.status import status

    action = {"status": status, "install": installing.install, "revert": reverting.revert}[name]
    root, kept = base / "WanGP", base / "kept"
    miniature.write(kept)
    if name != "install":
        installing.install(kept)
    try:
        shutil.copytree(kept, root)
        with looking(Looks((root,))) as seen:
            action(root)
        points = range(0, len(seen.calls), 1 if name == "status" else 5 * STEP)
        wrong = {}
        for number, at in enumerate(points):
            shutil.rmtree(root)
            shutil.copytree(kept, root)
            code, said = in_child(
                lambda: action(root), Looks((root,), at, ERRORS[number % 2], broken=number // 2 % 2 == 1)
            )
            if code not in (DONE, REFUSED):
                wrong[f"{at} {seen.calls[at]}"] = said
        assert wrong == {}
        with capsys.disabled():
            print(f"\n{name}, the whole command: {len(points)} refused looks, none unexpected", end="")
    finally:
        shutil.rmtree(root)
        shutil.rmtree(kept)
