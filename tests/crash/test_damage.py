"""A killed command whose journal is damaged besides: nothing staged stays for good, and SVI still goes out.

``SVI_TEST_ALL=1 pytest tests/crash/test_damage.py -s`` tries all and prints how many; without it every fifth is tried.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from svi_install.patching import patchset, plan, state
from svi_install.writing import transaction
from svi_install.writing.journal import STAGED
from tests import miniature
from tests.crash.layer import KILLED, Fault, in_child, layer
from tests.every import ALL
from tests.older import PROFILES, RUNTIME, first, install, install_other, revert
from tests.trees import posix

# Other tests cover the same lines; counting them here would double the time.
pytestmark = [posix, pytest.mark.no_cover]

PATCHES = patchset.load()
FIRST = first(PATCHES)
OLDER = ("svi_wangp/clip.py", "svi_wangp/past.py", "svi_wangp/__init__.py")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed program loses nothing that it has written, synced or not."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture(scope="module")
def base() -> Iterator[Path]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        starts = Path(folder)
        absent = miniature.write(starts / "absent")
        shutil.rmtree(absent / "profiles")
        for name in ("installed", "first", "other"):
            shutil.copytree(absent, starts / name)
        install(starts / "installed", PATCHES)
        # Other hooks, and other files of which one is gone in the release after.
        runtime = {path: f"# {path} of another day\n".encode() for path in OLDER}
        profiles = dict.fromkeys(PROFILES, b'{"svi": -1}\n')
        transaction.run(plan.plan_install(starts / "first", FIRST, runtime, profiles))
        install_other(starts / "other", PATCHES)
        yield starts


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    at = len(data) * 2 // 3
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


STEP = 1 if ALL else 5
DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(half(path.read_bytes())),
    "a bit": lambda path: path.write_bytes(flipped(path.read_bytes())),
    "zeros": lambda path: path.write_bytes(b"\0" * len(path.read_bytes())),
    "a pipe": a_pipe,
}
COMMANDS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "install": ("absent", lambda root: install(root, PATCHES)),
    "revert": ("installed", lambda root: revert(root, PATCHES)),
    "upgrade from the first hooks": ("first", lambda root: install(root, PATCHES)),
    "upgrade from others": ("other", lambda root: install(root, PATCHES)),
}


def outcome(root: Path, absent: dict[str, bytes], *, again: bool) -> str:
    """Recover, take SVI out, directly or after installing again; return what is wrong, nothing when all is well."""
    transaction.recover(root)
    staged = [path.name for path in root.rglob("*") if STAGED.fullmatch(path.name)]
    ours = root / ".svi-install"
    others = [path.name for path in ours.iterdir() if path.name != "receipt.json"] if ours.exists() else []
    if staged or others:
        return f"left: {staged + others}"
    state.read(root, PATCHES, RUNTIME)
    if again:
        install(root, PATCHES)
        if (now := state.read(root, PATCHES, RUNTIME)).name != "installed":
            return f"installed again it is {now.name}: {now.details}"
    revert(root, PATCHES)
    left = contents(root)
    return ", ".join(path for path in left.keys() | absent.keys() if left.get(path) != absent.get(path))


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_and_then_damaged(base: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    start, action = COMMANDS[name]
    root, absent = base / "case", contents(base / "absent")
    shutil.copytree(base / start, root)
    with layer() as seen:
        action(root)
    shutil.rmtree(root)
    wrong: dict[str, str] = {}
    tried = 0
    points = [at for at, call in enumerate(seen.calls) if call in ("replace", "unlink", "mkdir")]
    # After a call is before the next one; of the writes in between, all that counts is that they are complete or not.
    points += [at for at, call in enumerate(seen.calls) if call == "write"][2::3]
    for at in points[::STEP]:
        shutil.copytree(base / start, root)
        assert in_child(lambda: action(root), Fault(at, "before")) == KILLED
        journals = [path for path in (root / ".svi-install").glob("journal*") if path.name != "journal.new"]
        for damage, (what, do) in enumerate(DAMAGES.items()) if journals else ():
            case = base / "damaged"
            shutil.copytree(root, case)
            for path in journals:
                do(case / path.relative_to(root))
            if problem := outcome(case, absent, again=damage % 2 == 1):
                wrong[f"{at} {what}"] = problem
            shutil.rmtree(case)
            tried += 1
        shutil.rmtree(root)
    assert wrong == {}
    assert tried * STEP >= 100
    with capsys.disabled():
        print(f"\n{name}: {tried} times killed with a damaged journal, all cleared and taken out", end="")
