"""Counts every change with Python's own audit events beside the layer; run as a program on an empty folder."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tests.crash.layer import layer
from tests.crash.scenarios import scenarios

CHANGES = {
    *(f"os.{name}" for name in ("rename", "remove", "mkdir", "rmdir", "chmod", "chown", "link", "symlink")),
    *(f"os.{name}" for name in ("truncate", "utime", "setxattr", "removexattr")),
    *(f"shutil.{name}" for name in ("move", "rmtree", "copyfile", "copytree")),
}
SILENT = {"write", "fsync"}


def main(base: Path) -> None:
    """Print per scenario how many changes the audit saw and how many the layer saw."""
    events: list[str] = []
    active = False

    def hook(event: str, args: tuple[object, ...]) -> None:
        writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if active and (writes or event in CHANGES):
            events.append(event)

    sys.addaudithook(hook)
    for scenario in scenarios(base):
        root = base / "case"
        shutil.copytree(scenario.start, root, symlinks=True)
        events.clear()
        with layer() as seen:
            active = True
            scenario.action(root)
            active = False
        print(scenario.name, len(events), len([name for name in seen.calls if name not in SILENT]), sep="|")
        shutil.rmtree(root)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
