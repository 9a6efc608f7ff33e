"""Published contents: whether a file is, byte for byte, one that WanGP has published.

``python -m svi_install.patching.published GIT`` writes the list anew from WanGP's history; new releases need no new
list, because a file that is not in it is proven by git's index or by svi-install's own lines.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from ..package_data import data_folder
from .patchset import PatchSet

NAME = "contents.json"


def is_published(path: str, data: bytes) -> bool:
    """Tell whether bytes are a published content of a file, line ends aside.

    Args:
        path: relative to the checkout.
        data: the bytes.

    Returns:
        False also when the list cannot be read.
    """
    try:
        known = json.loads((data_folder("patches") / NAME).read_bytes())["files"].get(path, ())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return any(blob_id(text) in known for text in (data, data.replace(b"\r\n", b"\n")))


def blob_id(data: bytes) -> str:
    """Return git's id of a content, in hex."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def collect(git: Path, patchset: PatchSet) -> bytes:
    """Make the list from WanGP's history.

    Args:
        git: WanGP's git directory.
        patchset: names the files and the first release.

    Returns:
        What to store: the ids of every content that a file had in a release or a commit of the main line.

    Raises:
        SviError: the history cannot be read.
    """
    from ..history import repository

    first = next(iter(patchset.commits.values()))
    commits = repository.log(git, [repository.tip(git)], [f"{first}^"])
    # Some releases lie on side branches.
    wanted = dict.fromkeys([*(commit.id for commit in commits), *patchset.commits.values()])
    files = {}
    for path in patchset.paths:
        ids = repository.blob_ids(git, (f"{commit}:{path}" for commit in wanted))
        files[path] = sorted({blob for blob in ids if blob is not None})
    return json.dumps({"schema": 1, "until": commits[-1].id, "files": files}, indent=0).encode() + b"\n"


def main() -> None:
    """Write the list of the source tree anew."""
    from . import patchset

    (data_folder("patches") / NAME).write_bytes(collect(Path(sys.argv[1]), patchset.load()))


if __name__ == "__main__":
    main()
