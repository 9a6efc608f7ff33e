from __future__ import annotations

import errno
from pathlib import Path

import pytest

from svi_install.errors import EXIT_DOWNLOAD
from svi_install.loras import failures
from svi_install.loras.failures import TransferError, disk_error, download_error


@pytest.mark.parametrize("kind", sorted(failures._HINTS))
def test_every_failure_says_what_to_do(kind: str) -> None:
    error = download_error(TransferError(kind, "It failed."), "svi.safetensors", 5 * 1024**2)
    assert error.code == f"download-{kind}"
    assert error.exit_code == EXIT_DOWNLOAD
    assert "svi.safetensors" in error.message
    assert "5.0 MB are kept" in error.message
    assert "untouched" in error.message
    assert error.hint


def test_nothing_kept_is_not_mentioned() -> None:
    assert "kept" not in download_error(TransferError("dns", "It failed."), "f", 0).message


def test_every_passing_failure_has_a_hint() -> None:
    assert set(failures._HINTS) >= failures._PASSING
    assert TransferError("server", "").passing
    assert not TransferError("missing", "").passing


@pytest.mark.parametrize(
    ("number", "doing", "code"),
    [
        (errno.ENOSPC, "write", "disk-full"),
        (errno.EDQUOT, "write", "disk-quota"),
        (errno.EACCES, "write", "folder-read-only"),
        (errno.EROFS, "write", "folder-read-only"),
        (errno.EPERM, "rename", "folder-read-only"),
        (errno.EIO, "write", "disk-error"),
    ],
)
def test_the_disk(tmp_path: Path, number: int, doing: str, code: str) -> None:
    error = disk_error(OSError(number, "reason"), tmp_path / "f", doing)
    assert (error.code, error.exit_code) == (code, EXIT_DOWNLOAD)
    assert str(tmp_path) in error.message
    assert error.hint


def test_an_antivirus() -> None:
    held = PermissionError(errno.EACCES, "in use")
    held.winerror = 32  # type: ignore[attr-defined]
    assert disk_error(held, Path("f"), "rename").code == "file-held"
    assert disk_error(held, Path("f"), "write").code == "folder-read-only"


def test_a_full_disk_of_windows() -> None:
    full = OSError(errno.EINVAL, "full")
    full.winerror = 112  # type: ignore[attr-defined]
    assert disk_error(full, Path("f"), "write").code == "disk-full"
