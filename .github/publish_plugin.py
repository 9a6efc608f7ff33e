"""Publishes the plugin: what a build made becomes the next commit of its own repository, with the version as its tag.

    python .github/publish_plugin.py FOLDER REMOTE

FOLDER is what `svi-install plugin` has built. Where nothing has changed, nothing is pushed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WHO = ("-c", "user.name=svi-install", "-c", "user.email=noreply@example.invalid")


def git(folder: Path, *words: str) -> str:
    """Run git in a folder and return what it printed."""
    return subprocess.run(["git", *WHO, *words], cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout


def publish(built: Path, remote: str) -> bool:
    """Push a build; returns whether there was anything to push."""
    version = json.loads((built / "plugin_info.json").read_bytes())["version"]
    with tempfile.TemporaryDirectory() as temporary:
        clone = Path(temporary, "clone")
        git(built, "clone", "--quiet", remote, str(clone))
        for path in clone.iterdir():
            if path.name != ".git":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(built, clone, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".git"))
        git(clone, "add", "--all")
        if not git(clone, "status", "--porcelain"):
            return False
        git(clone, "commit", "--quiet", "-m", f"svi-install {version}")
        git(clone, "tag", "--force", f"v{version}")
        git(clone, "push", "--quiet", "origin", "HEAD:main", f"v{version}")
    return True


if __name__ == "__main__":
    done = publish(Path(sys.argv[1]).resolve(), sys.argv[2])
    print("published" if done else "nothing has changed")
