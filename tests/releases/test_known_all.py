"""The list of known contents holds every release of the real WanGP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from svi_install import history, known, patchset

pytestmark = pytest.mark.releases


def test_every_release_is_known(git: Path) -> None:
    patches = patchset.load()
    stored = json.loads((known.data_folder("patches") / known.NAME).read_bytes())["files"]
    for path in patches.paths:
        ids = history.blob_ids(git, (f"{commit}:{path}" for commit in patches.commits.values()))
        assert None not in ids
        assert set(ids) <= set(stored[path])
