from __future__ import annotations

import errno
from pathlib import Path

import pytest

from svi_install.errors import EXIT_DOWNLOAD, SviError
from svi_install.loras.transfer import failures
from svi_install.loras.transfer.failures import (
    TransferError,
    address_fault,
    clean,
    disk_error,
    download_error,
    host_of,
    number_in,
    shown,
)


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
        (errno.EDQUOT, "write", "disk-full"),
        (errno.EACCES, "write", "no-permission"),
        (errno.EROFS, "write", "read-only"),
        (errno.EPERM, "rename", "no-permission"),
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
    assert "antivirus" in disk_error(held, Path("f"), "rename").hint


def test_a_full_disk_of_windows() -> None:
    full = OSError(errno.EINVAL, "full")
    full.winerror = 112  # type: ignore[attr-defined]
    assert disk_error(full, Path("f"), "write").code == "disk-full"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        (" 12 ", 12),
        ("0", 0),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
        ("9" * 5000, None),
        ("-1", None),
        ("1.0", None),
        ("\xb2", None),
        ("", None),
        (None, None),
        ("1_0", None),
        ("+1", None),
    ],
)
def test_numbers_of_this_world(text: str | None, value: int | None) -> None:
    assert number_in(text) == value


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://host/a/b?X-Amz-Signature=secret&x=y#z", "https://host/a/b"),
        ("https://user:secret@host:8/a", "https://host:8/a"),
        ("https://user:secret@host", "https://host"),
        ("https://us?er:secret@host/a", "https://us"),
        ("no address?secret", "no address"),
        ("http://[", "http://["),
        ("https://host/\x1b[2J\n\u202e", "https://host/?[2J??"),
    ],
)
def test_what_is_shown_of_an_address(url: str, text: str) -> None:
    assert shown(url) == text


def test_long_texts_are_cut() -> None:
    assert len(clean("x" * 10**6)) < 300
    assert len(shown("https://host/" + "x" * 10**6)) < 300


@pytest.mark.parametrize(
    ("url", "name"),
    [("https://user:secret@Host/a", "host"), ("http://[", "http://["), ("http:///x?secret", "http:///x")],
)
def test_the_name_of_a_computer(url: str, name: str) -> None:
    assert host_of(url) == name


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "ftp://h/x", "file:///x", "http:///x", "http://:80/x", "http://[", "http://[zz]/", "http://h:x/",
        "http://h:0/", "http://h:99999/", "http://a b/", "http://" + "a" * 64 + "/", "http://a..b/", "http://u@h/",
        "http://u:p@h/", "https:x", "javascript:alert(1)", "http://a\x7fb/",
    ],
)  # fmt: skip
def test_what_cannot_be_asked(url: str) -> None:
    assert address_fault(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://h",
        "https://h:443/a b?c=d",
        "http://127.0.0.1:8/x",
        "http://[::1]:8/x",
        "https://größe.example/ü",
        "HTTP://H/",
    ],
)
def test_what_can(url: str) -> None:
    assert address_fault(url) == ""


def test_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    assert failures.existing_parent(tmp_path / "a" / "b") == tmp_path
    assert failures.free_space(tmp_path / "a") > 0


def test_what_fits_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "free_space", lambda _folder: 1000 + failures.RESERVE)
    failures.require_room(tmp_path, 1000, "it")
    with pytest.raises(SviError) as caught:
        failures.require_room(tmp_path, 1001, "it")
    assert (caught.value.code, caught.value.exit_code) == ("disk-full", EXIT_DOWNLOAD)
    assert str(tmp_path) in caught.value.message


def test_a_disk_that_does_not_answer_is_no_reason_to_refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_folder: Path) -> int:
        raise OSError("no such call")

    monkeypatch.setattr(failures, "free_space", refuse)
    failures.require_room(tmp_path, 10**18, "it")
