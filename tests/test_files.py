from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from svi_install import files
from tests.trees import refused, small, standard


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return small(tmp_path)


class TestHeldFiles:
    """A Windows program that holds a file open, played by a fake rename."""

    @staticmethod
    def held(times: int, winerror: int = 32) -> tuple[list[float], object]:
        waits: list[float] = []
        left = [times]

        def fake(*_: object) -> None:
            if left[0]:
                left[0] -= 1
                error = PermissionError(errno.EACCES, "held")
                error.winerror = winerror  # type: ignore[attr-defined]
                raise error

        return waits, fake

    @pytest.mark.parametrize("winerror", [5, 32, 33])
    def test_waits_longer_each_time(self, monkeypatch: pytest.MonkeyPatch, winerror: int) -> None:
        waits, fake = self.held(3, winerror)
        monkeypatch.setattr("svi_install.files.os.replace", fake)
        files.replace(Path("a"), Path("b"), waits.append)
        assert waits == list(files.DELAYS[:3])

    def test_gives_up_after_a_few_seconds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        waits, fake = self.held(99)
        monkeypatch.setattr("svi_install.files.os.unlink", fake)
        with pytest.raises(PermissionError):
            files.remove(Path("a"), waits.append)
        assert waits == list(files.DELAYS)
        assert 2 < sum(waits) < 5

    def test_other_refusals_are_not_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        waits, fake = self.held(1, winerror=0)
        monkeypatch.setattr("svi_install.files.os.replace", fake)
        with pytest.raises(PermissionError):
            files.replace(Path("a"), Path("b"), waits.append)
        assert waits == []

    def test_the_file_is_named_and_all_is_taken_back(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = os.replace

        def fake(source: Path, target: Path) -> None:
            if Path(target).name == "wgp.py" and source.name.endswith("n"):
                error = PermissionError(errno.EACCES, "held")
                error.winerror = 32  # type: ignore[attr-defined]
                raise error
            real(source, target)

        monkeypatch.setattr("svi_install.files.os.replace", fake)
        monkeypatch.setattr(files, "DELAYS", (0.0,))
        error = refused(standard(root))
        assert error.code == "file-held"
        assert "wgp.py" in error.message
        assert "editor" in error.hint

    def test_a_path_too_long_for_windows(self) -> None:
        error = OSError(errno.ENOENT, "gone")
        error.winerror = 206  # type: ignore[attr-defined]
        assert files.plain(error, Path("a"), "write").code == "path-too-long"
