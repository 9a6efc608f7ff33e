"""Writes the lock files anew from pyproject.toml, for maintainers: ``python .github/lock.py``, with uv on the PATH.

Each holds every file of each pinned version with its sha256, for Python 3.10 and newer on all systems, and names no
place to download from. ``requirements.lock`` is what install.sh and install.bat install, and what builds the package
there; ``drift.lock`` is what they add when videos are measured; ``.github/release.lock`` is what builds a release,
``.github/site.lock`` the site.

    python .github/lock.py WANGP_GIT

writes only ``svi_install/cli/wangp_packages.txt``: the packages that the notebook gives to the newest proven WanGP.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parent.parent
UV = ("uv", "pip", "compile", "-", "--universal", "--python-version", "3.10", "--generate-hashes", "--quiet")
PLAIN = ("--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate", "--upgrade")

# Of WanGP's requirements: other indexes, files of somebody's own, a nightly build, and a package that is only built
# from its source and that no image-to-video needs.
NOT_TO_BE_HAD = re.compile(r"\s*--|.*@\s*https:|onnxruntime|insightface", re.IGNORECASE)
TORCH = ("torch==2.10.0", "torchvision==0.25.0", "torchaudio==2.10.0")
OF_TORCH = re.compile(r"(torch|torchvision|torchaudio|triton)==|(nvidia|cuda)-(?!ml-py)")


def wanted() -> dict[str, list[str]]:
    """Return what each lock file is made from."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    backend = project["build-system"]["requires"]
    return {
        "requirements.lock": [*project["project"]["dependencies"], *backend],
        "drift.lock": project["project"]["optional-dependencies"]["drift"],
        ".github/release.lock": ["build>=1.2", "cyclonedx-bom>=7", *backend],
        ".github/site.lock": project["project"]["optional-dependencies"]["site"],
    }


def lock(requirements: Sequence[str]) -> str:
    """Let uv choose the newest versions and list the hashes of all their files."""
    done = subprocess.run([*UV, *PLAIN], input="\n".join(requirements), stdout=subprocess.PIPE, text=True, check=True)
    return f"# Made by .github/lock.py from: {', '.join(requirements)}\n{done.stdout}"


def notebook(git: Path) -> str:
    """Choose one version of each package that WanGP needs, for Python 3.11 on Linux.

    Args:
        git: a clone of WanGP.
    """
    table = json.loads((ROOT / "patches" / "table.json").read_text("utf-8"))
    version, commit = list(table["releases"].items())[-1]
    asked = ("git", "-C", str(git), "show", f"{commit}:requirements.txt")
    requirements = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True).stdout
    lines = [line for line in requirements.splitlines() if not NOT_TO_BE_HAD.match(line)]
    options = ("--python-version", "3.11", "--python-platform", "x86_64-unknown-linux-gnu", "--quiet")
    done = subprocess.run(
        ("uv", "pip", "compile", "-", *options, *PLAIN),
        input="\n".join([*lines, *TORCH, "onnxruntime-gpu"]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    # torch brings these itself, from its own index.
    pins = [line for line in done.stdout.splitlines() if not OF_TORCH.match(line)]
    head = f"# WanGP {version} ({commit}), Python 3.11, Linux on x86-64; made by .github/lock.py WANGP_GIT."
    return "\n".join([head, *pins, ""])


def main() -> int:
    """Write the files."""
    if len(sys.argv) > 1:
        name = "svi_install/cli/wangp_packages.txt"
        (ROOT / name).write_text(notebook(Path(sys.argv[1])), "utf-8", newline="\n")
        print(name)
        return 0
    for name, requirements in wanted().items():
        (ROOT / name).write_text(lock(requirements), "utf-8", newline="\n")
        print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
