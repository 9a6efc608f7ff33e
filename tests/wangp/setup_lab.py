"""Makes or completes the environment that the laboratory runs WanGP in; running it again costs nothing.

python tests/wangp/setup_lab.py [FOLDER] [--mmgp VERSION ...]
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import venv
from pathlib import Path

from lab import tools

# torchvision and decord would pull a second torch; WanGP needs only their Python parts.
WITHOUT_DEPENDENCIES = ("torchvision==0.28.0", "decord==0.6.0")
# What the releases of the tests insist on; any other is installed when a tree first needs it.
MMGP = ("3.6.9", "3.6.10", "3.7.4", "3.7.6", "3.7.12")


def make(folder: Path) -> bool:
    """Returns False when the environment is complete already."""
    requirements = tools.FOLDER / "requirements.txt"
    wanted = requirements.read_text("utf-8") + "\n".join(WITHOUT_DEPENDENCIES)
    mark, digest = folder / "lab-requirements", hashlib.sha256(wanted.encode()).hexdigest()
    if mark.is_file() and mark.read_text("utf-8") == digest:
        return False
    if not tools.python_of(folder).exists():
        venv.create(folder, with_pip=True)
    pip = [str(tools.python_of(folder)), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "-r", str(requirements)], check=True)
    subprocess.run([*pip, "--no-deps", *WITHOUT_DEPENDENCIES], check=True)
    mark.write_text(digest, "utf-8")
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=tools.default_environment())
    parser.add_argument("--mmgp", action="append", default=[], help="a further version of mmgp; repeatable")
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    print("made" if make(folder) else "complete already:", folder)
    for version in (*MMGP, *arguments.mmgp):
        print("mmgp", version, tools.mmgp_overlay(folder, version) or "(the one of the environment)")


if __name__ == "__main__":
    main()
