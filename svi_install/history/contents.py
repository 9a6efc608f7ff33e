"""Makes the lists that save reading and searching: ``python -m svi_install.history.contents [GIT]`` writes them anew.

``diffs.json`` holds what unidiff reads in each diff. ``contents.json`` holds every content that a patched file had in a
release or a commit of the main line, and where placing puts the hooks in it; of the newest also which blocks compile.
Both are due when a diff changes; new releases are only slower without.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ..package_data import data_folder
from ..patching import diffs, known, patchset, syntax
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


def reading(folder: Path) -> bytes:
    """Return what to store of reading the diffs, so that a command need not read them again."""
    found = {path.name: diffs.entry(path.name, path.read_bytes()) for path in sorted(folder.glob("*.diff"))}
    return json.dumps(found, indent=0).encode() + b"\n"


def main() -> None:
    """Write the lists of the source tree anew; without GIT only that of the diffs."""
    folder = data_folder("patches")
    (folder / patchset.READ).write_bytes(reading(folder))
    if sys.argv[1:]:
        (folder / known.NAME).write_bytes(collect(Path(sys.argv[1]), patchset.load()))


if __name__ == "__main__":
    main()
