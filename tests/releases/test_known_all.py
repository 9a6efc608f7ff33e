"""The list of known contents holds every release of the real WanGP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from svi_install.history import repository
from svi_install.patching import patchset, published

pytestmark = pytest.mark.releases


def test_every_release_is_known(git: Path) -> None:
    patches = patchset.load()
    stored = json.loads((published.data_folder("patches") / published.NAME).read_bytes())["files"]
    for path in patches.paths:
        ids = repository.blob_ids(git, (f"{commit}:{path}" for commit in patches.commits.values()))
        assert None not in ids
        assert set(ids) <= set(stored[path])
