"""Writes the lock files anew from pyproject.toml, for maintainers: ``python .github/lock.py``, with uv on the PATH.

Each holds every file of each pinned version with its sha256, for Python 3.10 and newer on all systems, and names no
place to download from. ``requirements.lock`` is what install.sh and install.bat install, and what builds the package
there; ``.github/release.lock`` is what builds a release.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parent.parent
UV = ("uv", "pip", "compile", "-", "--universal", "--python-version", "3.10", "--generate-hashes", "--quiet")
PLAIN = ("--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate", "--upgrade")


def wanted() -> dict[str, list[str]]:
    """Return what each lock file is made from."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    backend = project["build-system"]["requires"]
    return {
        "requirements.lock": [*project["project"]["dependencies"], *backend],
        ".github/release.lock": ["build>=1.2", *backend],
    }


def lock(requirements: Sequence[str]) -> str:
    """Let uv choose the newest versions and list the hashes of all their files."""
    done = subprocess.run([*UV, *PLAIN], input="\n".join(requirements), stdout=subprocess.PIPE, text=True, check=True)
    return f"# Made by .github/lock.py from: {', '.join(requirements)}\n{done.stdout}"


def main() -> int:
    """Write the files."""
    for name, requirements in wanted().items():
        (ROOT / name).write_text(lock(requirements), "utf-8", newline="\n")
        print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
