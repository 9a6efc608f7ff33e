"""Another program at work on a file while it comes: the right file in the end or a clear error, never a wrong one.

``pytest tests/loras/test_other_programs.py -s -k table`` prints how many attempts there are and what became of them.
"""

from __future__ import annotations

import itertools
import mmap
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from svi_install.errors import EXIT_DOWNLOAD, SviError
from svi_install.loras import proof
from svi_install.loras.transfer import download
from svi_install.loras.transfer.progress import Progress
from svi_install.writing import lease, own_files

from .conftest import Store, large_lora, sha256

MIB = 1024 * 1024
DATA = large_lora(MIB)
WRONG = b"written by another program"


def write_at(offset: int) -> Callable[[Path], None]:
    def act(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(WRONG)

    return act


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(WRONG)


def map_and_write(path: Path) -> None:
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        view[100 : 100 + len(WRONG)] = WRONG
        view.flush()


def replace(path: Path) -> None:
    other = path.with_name("other.tmp")
    other.write_bytes(WRONG * 1000)
    other.replace(path)


def same_size(path: Path) -> None:
    other = path.with_name("other.tmp")
    other.write_bytes(bytes(path.stat().st_size))
    other.replace(path)


def link(path: Path) -> None:
    elsewhere = path.with_name("elsewhere.safetensors")
    elsewhere.write_bytes(WRONG)
    path.unlink()
    path.symlink_to(elsewhere)


def write_with_the_old_date(path: Path) -> None:
    before = path.stat()
    write_at(2000)(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


ACTS: dict[str, Callable[[Path], None]] = {
    **{f"writes at {offset:,}": write_at(offset) for offset in (0, 500, MIB // 2, MIB)},
    "cuts a byte off": lambda path: os.truncate(path, max(0, path.stat().st_size - 1)),
    "cuts it off": lambda path: os.truncate(path, 1000),
    "empties it": lambda path: os.truncate(path, 0),
    "makes it longer": lambda path: os.truncate(path, 5 * MIB),
    "appends": append,
    "writes through memory": map_and_write,
    "replaces it": replace,
    "replaces it by one of the same size": same_size,
    "replaces it by a link": link,
    "removes it": lambda path: path.unlink(),
    "sets another date": write_with_the_old_date,
}
MOMENTS = (
    "after a third",
    "after two thirds",
    "when all is there",
    "while it is read",
    "read",
    "before the name",
    "named",
)
WHO = ("published", "pinned", "nobody")


def attempt(store: Store, who: str, moment: str, act: Callable[[Path], None], patch: pytest.MonkeyPatch) -> str:
    """Fetch while another program does something once; what became of it."""
    store.hub.large = who != "nobody"
    store.file = store.file._replace(sha256=sha256(DATA) if who == "pinned" else "")
    acted = [False]

    def once(path: Path) -> None:
        if not acted[0] and path.exists():
            acted[0] = True
            act(path)

    hashed = [0]

    def report(progress: Progress) -> None:
        hashed[0] += progress.phase == "hash"
        share = progress.done / len(DATA)
        now = {
            "after a third": progress.phase == "download" and share > 0.3,
            "after two thirds": progress.phase == "download" and share > 0.6,
            "when all is there": progress.phase == "hash",
            "while it is read": hashed[0] > 1,
            "read": hashed[0] > 3,
        }
        if now.get(moment):
            once(store.part)

    real = own_files.move

    def move(source: Path, target: Path, check: Callable[[os.stat_result], None]) -> None:
        if moment == "before the name":
            once(source)
        real(source, target, check)
        if moment == "named":
            once(target)

    with patch.context() as patched:
        patched.setattr(own_files, "move", move)
        try:
            store.fetch(report)
            what = "right" if acted[0] else "untouched"
        except SviError as error:
            what = error.code if error.exit_code == EXIT_DOWNLOAD else f"exit code {error.exit_code}"
    return what


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not let others do that to an open file")
@pytest.mark.parametrize("watched", [True, False], ids=["the system tells who opens it", "it does not tell"])
def test_table(store: Store, monkeypatch: pytest.MonkeyPatch, watched: bool) -> None:
    if not watched:
        monkeypatch.setattr(lease, "_LOCAL", set())
    store.layout = None
    store.publish(DATA)
    store.limits(block=64 * 1024)
    monkeypatch.setattr(download, "_TICK", 0.01)
    monkeypatch.setattr(proof, "_READ", 128 * 1024)
    monkeypatch.setattr(proof, "_STRETCH", 256 * 1024)
    ends: Counter[str] = Counter()
    known = {"right", "untouched", "download-changed", "download-not-a-lora", "download-wrong-bytes"}
    tried = [
        (who, moment, act)
        for who, moment, act in itertools.product(WHO, MOMENTS, ACTS)
        if who != "pinned" or moment in ("when all is there", "before the name")
    ]
    for who, moment, act in tried:
        store.hub.always.rate = 30.0 * MIB if moment.startswith("after") else 0.0
        what = attempt(store, who, moment, ACTS[act], monkeypatch)
        ends[what] += 1
        assert what in known, f"{what}: {who}, {moment}, {act}"
        name = f"{who}, {moment}, {act}"
        if moment == "named" and store.target.exists() and what == "download-changed":
            # What another program has put there itself is its own.
            assert act.startswith("replaces"), name
        elif store.target.exists():
            assert store.target.read_bytes() == DATA, name
            assert what in ("right", "untouched"), name
        else:
            assert what not in ("right", "untouched"), name
        for path in store.target.parent.iterdir() if store.target.parent.exists() else ():
            path.unlink()
        store.settings.ledger.unlink(missing_ok=True)
    print(f"\n{len(tried)} times another program interfered: {dict(ends)}; 0 wrong, 0 unexpected")
    assert len(tried) >= 200
    assert ends["untouched"] < len(tried) / 3
    assert ends["right"] > 50
    assert ends["download-changed"] > 20
