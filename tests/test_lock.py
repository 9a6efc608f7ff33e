from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from svi_install import lock, transaction
from svi_install.errors import SviError
from tests.trees import small, standard


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return small(tmp_path)


class TestLock:
    def test_two_at_once(self, root: Path) -> None:
        with lock.hold(root, "install"), pytest.raises(SviError) as caught:
            transaction.run(standard(root))
        assert caught.value.code == "busy"
        assert f"process {os.getpid()}" in caught.value.message
        assert (root / "wgp.py").read_bytes() == b"old wgp\n"
        assert not (root / ".svi-install").exists()

    def test_recover_leaves_a_running_command_alone(self, root: Path) -> None:
        with lock.hold(root, "install"), pytest.raises(SviError, match="working on"):
            transaction.recover(root)

    def test_the_lock_of_a_dead_process_is_taken_over(self, root: Path) -> None:
        child = subprocess.Popen([sys.executable, "-c", ""])
        child.wait()
        folder = root / ".svi-install"
        folder.mkdir()
        mine = lock.Owner(child.pid, "1", lock.platform.node(), "install", 0.0)
        (folder / "lock").write_text(lock.json.dumps(lock.asdict(mine)))
        transaction.run(standard(root))
        assert (root / "wgp.py").read_bytes() == b"new wgp\n"
        assert sorted(path.name for path in folder.iterdir()) == ["receipt.json"]
