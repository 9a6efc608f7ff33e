"""The real WanGP history, for every test of this folder."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest

from svi_install.history import repository
from tests.wangp.lab.checkout import git_directory


@pytest.fixture(scope="session")
def git() -> Path:
    """WanGP's git directory; without it these tests skip, each with its reason in the summary."""
    found = git_directory()
    if found is None:
        pytest.skip("172 releases and 709 commits not tried: WanGP's history is not here (WANGP_GIT)")
    return repository.open_history(str(found))


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Does not wait for the disk nor pack the journal tightly; other tests do, and here it would cost minutes."""
    compress = zlib.compress
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(zlib, "compress", lambda data, level: compress(data, 0))
