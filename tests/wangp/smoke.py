"""Generates two SVI clips with any revision of the real WanGP and any patch set: ``smoke.py GIT REVISION PATCHES``.

The last line that it prints says how it went; exit code 0 when it went well or when there is no laboratory.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from svi_install.package_data import runtime_files
from svi_install.patching.patchset import load
from svi_install.patching.placement import place

from . import scenes
from .lab import checkout, media, tools
from .lab.generate import generate


def patch(tree: Path, patches: Path) -> None:
    """Put the hooks and the runtime of a patch set into a tree."""
    patchset = load(patches)
    for path in patchset.paths:
        target = tree / path
        target.write_bytes(place(patchset.variants[path], path, target.read_bytes()).after)
    for path, data in runtime_files().items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(data)


def main(git: str, revision: str, patches: str) -> int:
    """Run the smoke test and print what came of it."""
    environment = tools.default_environment()
    if not tools.python_of(environment).exists():
        print(f"not run, no laboratory in {environment}")
        return 0
    with tempfile.TemporaryDirectory(prefix="svi-smoke-") as scratch:
        tree = Path(scratch, "WanGP")
        checkout.extract(Path(git), revision, tree)
        patch(tree, Path(patches))
        start = media.write_picture(Path(scratch, "start.png"))
        frames = scenes.total(2, 1)
        report = generate(tree, environment, [scenes.svi(start, 1, video_length=frames)], Path(scratch, "out"))
        if not report.ok or len(report.generations[-1].windows) != 2:
            print(f"FAILED: {report.why()}".replace("\n", " | "))
            return 1
    print(f"2 SVI clips generated in {report.ended.seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
