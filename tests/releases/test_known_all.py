"""The list of published contents holds every release of the real WanGP, and says of each what placing says.

The second is tried of every eighth content, of all with ``SVI_TEST_ALL=1``.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from svi_install.history import contents, repository
from svi_install.package_data import data_folder
from svi_install.patching import known, patchset
from svi_install.patching.placement import place
from tests.every import some

pytestmark = pytest.mark.releases

PATCHES = patchset.load()
STORED = json.loads((data_folder("patches") / known.NAME).read_bytes())["files"]


def test_every_release_is_known_with_its_places(git: Path) -> None:
    for path in PATCHES.paths:
        ids = repository.blob_ids(git, (f"{commit}:{path}" for commit in PATCHES.commits.values()))
        assert None not in ids
        # Upstream's 12.24 does not compile at first: placing says so, the list does not.
        assert sum(not STORED[path][str(blob)] for blob in set(ids)) <= 1


def test_every_block_that_the_list_knows_compiles(git: Path) -> None:
    own = json.loads((data_folder("patches") / known.NAME).read_bytes())
    for path in PATCHES.paths:
        (blob,) = repository.blob_ids(git, [f"{own['until']}:{path}"])
        assert blob is not None
        (text,) = repository.read_blobs(git, [blob])
        assert own["blocks"][path] == contents.compiling(text)


@pytest.mark.parametrize("path", PATCHES.paths)
def test_what_the_list_says_is_what_placing_finds(git: Path, path: str) -> None:
    variants = PATCHES.variants[path]
    blobs = some(list(STORED[path]), 8)
    for blob, text in zip(blobs, repository.read_blobs(git, blobs), strict=True):
        assert contents.entry(variants, path, text) == STORED[path][blob]
        for newline in (b"\n", b"\r\n"):
            data = text.replace(b"\n", newline)
            found = known.place(variants, path, data)
            assert (found is not None) == bool(STORED[path][blob]), blob
            if found is not None:
                assert found == place(variants, path, data), (blob, newline)
