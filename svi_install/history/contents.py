"""Makes the list of published contents: ``python -m svi_install.history.contents GIT`` writes it anew.

The list holds every content that a patched file had in a release or a commit of the main line, and where placing puts
the hooks in it; of the newest also which blocks compile. It is due when a diff changes; new releases are only slower
without.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ..package_data import data_folder
from ..patching import known, patchset, syntax
from ..patching.patchset import PatchSet, Variant
from ..patching.placement import PlacementError, place
from . import repository
from .judge import jobs_of


def collect(git: Path, patches: PatchSet) -> bytes:
    """Return what to store.

    Raises:
        SviError: the history cannot be read.
    """
    first = next(iter(patches.commits.values()))
    commits = repository.log(git, [repository.tip(git)], [f"{first}^"])
    # Some releases lie on side branches.
    wanted = dict.fromkeys([*(commit.id for commit in commits), *patches.commits.values()])
    files = {}
    for path in patches.paths:
        # In the order of history, neighbours share most of what has to be compiled.
        ids = repository.blob_ids(git, (f"{commit}:{path}" for commit in wanted))
        blobs = list(dict.fromkeys(blob for blob in ids if blob is not None))
        texts = repository.read_blobs(git, blobs)
        found = {blob: entry(patches.variants[path], path, text) for blob, text in zip(blobs, texts, strict=True)}
        files[path] = dict(sorted(found.items()))
    hooks = {path: known.key(variants) for path, variants in patches.variants.items()}
    (newest,) = jobs_of(git, [commits[-1].id], patches.paths)
    texts = repository.read_blobs(git, (job.blob for job in newest if job))
    blocks = {job.path: compiling(text) for job, text in zip(filter(None, newest), texts, strict=True)}
    stored = {"schema": known.SCHEMA, "until": commits[-1].id, "hooks": hooks, "blocks": blocks, "files": files}
    return json.dumps(stored, indent=0).encode() + b"\n"


def entry(variants: tuple[Variant, ...], path: str, text: bytes) -> str:
    """Return where the hooks go in a content, as `known.place` reads it; empty where only placing can tell."""
    try:
        placed = place(variants, path, text)
    except PlacementError:
        return ""
    numbers = {variant.name: number for number, variant in enumerate(variants)}
    spots = [(numbers[item.variant], item.line) for item in placed.places]
    if b"\r" in text or known.put(variants, path, text, spots) != placed:
        return ""
    return " ".join([*(f"{variant}:{line}" for variant, line in spots), known.checksum(placed.after)])


def compiling(text: bytes) -> str:
    """Return the blocks of a text that compile, as `known.blocks` reads them."""
    return " ".join(syntax.block_id(block) for block in syntax.blocks(text) if syntax.compiles_alone(block))


def main() -> None:
    """Write the list of the source tree anew."""
    (data_folder("patches") / known.NAME).write_bytes(collect(Path(sys.argv[1]), patchset.load()))


if __name__ == "__main__":
    main()
