from __future__ import annotations

from pathlib import Path

import pytest

from svi_install.errors import EXIT_DOWNLOAD, SviError
from svi_install.loras import space


def test_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    assert space.existing_parent(tmp_path / "a" / "b") == tmp_path
    assert space.free(tmp_path / "a") > 0


def test_what_fits_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "free", lambda _folder: 1000 + space.RESERVE)
    space.require(tmp_path, 1000, "it")
    with pytest.raises(SviError) as caught:
        space.require(tmp_path, 1001, "it")
    assert (caught.value.code, caught.value.exit_code) == ("disk-full", EXIT_DOWNLOAD)
    assert str(tmp_path) in caught.value.message


def test_a_disk_that_does_not_answer_is_no_reason_to_refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_folder: Path) -> int:
        raise OSError("no such call")

    monkeypatch.setattr(space, "free", refuse)
    space.require(tmp_path, 10**18, "it")
