"""A power cut at any moment while git's files are changed leaves them as they were or as they are to be."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from svi_install.gitfilter.plan import with_filter, without_filter
from svi_install.package_data import PATCHED
from svi_install.writing import transaction
from svi_install.writing.change import Change, Plan
from svi_install.writing.git_folder import find
from svi_install.writing.recovery import RUNNING
from tests.crash.layer import KILLED, Fault, in_child, layer, tree
from tests.every import some
from tests.gitfilter.conftest import git
from tests.trees import posix

pytestmark = [posix, pytest.mark.no_cover]
WGP = PATCHED[0]


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder that is quick to copy."""
    where = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="svi-crash-", dir=where if os.access(where, os.W_OK) else None) as folder:
        yield Path(folder)


def checkout(root: Path, kind: str) -> Path:
    (root / ".git" / "info" / "exclude").unlink()
    if kind == "clone":
        return root
    git(root, "worktree", "add", "-q", "-b", "other", "../other")
    return root.parent / "other"


def there(root: Path) -> tuple[bytes, dict[str, object]]:
    """WanGP's file, and all that an install may touch of git's."""
    found = find(root)
    assert found is not None
    kept = {
        name: value
        for name, value in tree(found.common).items()
        if name.partition(":")[2].split("/")[0] in ("config", "info") or ".svi-" in name
    }
    return (root / WGP).read_bytes(), kept


@pytest.mark.parametrize("kind", ["clone", "work tree"])
@pytest.mark.parametrize("way", ["in", "out"])
def test_every_call(root: Path, memory: Path, kind: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    home = memory / "all"
    home.mkdir()
    shutil.rmtree(root / ".git" / "hooks", ignore_errors=True)
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    shutil.move(root, home / "repo")
    place = checkout(home / "repo", kind)
    data = (place / WGP).read_bytes()
    into = with_filter(Plan("install", place, (Change(WGP, data, data + b"#\n"),), {}), ("profiles/SVI.json",))
    assert len(into.changes) == 4
    plan = into
    if way == "out":
        transaction.run(into)
        plan = without_filter(Plan("revert", place, (Change(WGP, data + b"#\n", data),), {}))
        assert len(plan.changes) == 4
    old = there(place)
    start = memory / "start"
    shutil.copytree(home, start, symlinks=True)
    with layer() as seen:
        transaction.run(plan)
    new = there(place)
    assert old != new
    outcomes = {0: 0, 1: 0}
    faults = [
        fault
        for at in range(len(seen.calls))
        for fault in (Fault(at, "before"), Fault(at, "after"), Fault(at, "fail", errno.ENOSPC))
    ]
    # Five and the three kinds have no common divisor: each kind takes its turn.
    for fault in some(faults, 5):
        shutil.rmtree(home)
        shutil.copytree(start, home, symlinks=True)
        code = in_child(lambda: transaction.run(plan), fault)
        assert code in ((KILLED,) if fault.how != "fail" else (0, 1))
        if code == 1 and seen.calls[fault.at] not in ("unlink", "rmdir"):
            assert there(place) == old, fault
        transaction.recover(place)
        assert there(place) in (old, new), fault
        outcomes[there(place) == new] += 1
    assert all(outcomes.values())


@pytest.mark.parametrize("kind", ["clone", "work tree"])
def test_a_damaged_journal_leaves_nothing_staged_in_gits_folder(
    root: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(root.parent / "state"))
    place = checkout(root, kind)
    data = (place / WGP).read_bytes()
    plan = with_filter(Plan("install", place, (Change(WGP, data, data + b"#\n"),), {}), ())
    with layer() as seen:
        transaction.run(plan)
    renames = [number for number, name in enumerate(seen.calls) if name == "replace"]
    transaction.run(without_filter(Plan("revert", place, (Change(WGP, data + b"#\n", data),), {})))
    assert in_child(lambda: transaction.run(plan), Fault(renames[1], "before")) == KILLED
    found = find(place)
    assert found is not None
    assert list(found.common.rglob(".svi-*"))
    journal = place / ".svi-install" / RUNNING
    journal.write_bytes(b"junk" + journal.read_bytes())
    recovery = transaction.recover(place)
    assert recovery is not None
    assert recovery.action == "cleared"
    assert not list(found.common.rglob(".svi-*"))
