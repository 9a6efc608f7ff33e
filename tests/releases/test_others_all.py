"""The real patch set that people come from, put into every release that takes it by git itself, and out again by us.

Needs a clone of https://github.com/TeaRexcellence/wan2gp-svi in WAN2GP_SVI_GIT; no line of it is in this repository.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from svi_install.history import others as making
from svi_install.history import repository
from svi_install.package_data import data_folder
from svi_install.patching import others

pytestmark = pytest.mark.releases


@pytest.fixture(scope="module")
def theirs() -> Path:
    folder = os.environ.get("WAN2GP_SVI_GIT")
    if not folder:
        pytest.skip("the patch set wan2gp-svi is not here (WAN2GP_SVI_GIT)")
    return Path(folder)


def test_the_table_is_what_their_history_gives(theirs: Path) -> None:
    assert (data_folder("patches") / others.NAME).read_bytes() == making.collect(theirs)


@pytest.mark.parametrize("path", making.FILES)
def test_whatever_git_puts_in_comes_out_byte_for_byte(git: Path, theirs: Path, tmp_path: Path, path: str) -> None:
    commits = [commit.id for commit in repository.log(git, [repository.tip(git)], [])]
    blobs = dict.fromkeys(filter(None, repository.blob_ids(git, (f"{commit}:{path}" for commit in commits))))
    known = [commit.id for commit in repository.log(theirs, [repository.tip(theirs)], [])]
    ids = repository.blob_ids(theirs, (f"{commit}:{making.FILES[path]}" for commit in known))
    diffs = list(repository.read_blobs(theirs, dict.fromkeys(filter(None, ids))))
    target = tmp_path / path
    target.parent.mkdir(parents=True, exist_ok=True)
    taken = 0
    for text in repository.read_blobs(git, blobs):
        assert others.take_out(path, text) is None
        for diff in diffs:
            target.write_bytes(text)
            done = subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=diff, capture_output=True, check=False)
            if done.returncode:
                continue
            taken += 1
            patched = target.read_bytes()
            assert patched != text
            assert others.take_out(path, patched) == text
            assert others.take_out(path, patched.replace(b"\n", b"\r\n")) == text.replace(b"\n", b"\r\n")
    assert taken
    print(path, len(blobs), "contents of WanGP,", len(diffs), "versions,", taken, "pairs")
