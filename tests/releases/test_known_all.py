"""The list of known contents holds every release of the real WanGP."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from svi_install import history, known, patchset

pytestmark = pytest.mark.releases


def test_every_release_is_known() -> None:
    pointer = Path.home() / ".config" / "svi-install" / "wangp-git"
    named = os.environ.get("WANGP_GIT") or (pointer.read_text("utf-8").strip() if pointer.is_file() else "")
    if not named or not Path(named).exists():
        pytest.skip("172 releases not looked up: WanGP's history is not here (WANGP_GIT)")
    patches = patchset.load()
    stored = json.loads((known.data_folder("patches") / known.NAME).read_bytes())["files"]
    for path in patches.paths:
        ids = history.blob_ids(Path(named), (f"{commit}:{path}" for commit in patches.commits.values()))
        assert None not in ids
        assert set(ids) <= set(stored[path])
