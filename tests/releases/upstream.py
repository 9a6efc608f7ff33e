"""A repository with some of WanGP's releases: the files that matter, taken from its real history."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

PATHS = (
    *("wgp.py", "models/wan/any2video.py", "models/wan/modules/model.py"),
    *(".gitignore", "profiles", "requirements.txt", "setup.py", "setup_config.json"),
)
_FIXED = {
    **{f"GIT_{who}_{what}": "a" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    **{f"GIT_{who}_DATE": "2026-01-01T00:00:00Z" for who in ("AUTHOR", "COMMITTER")},
}


class Upstream:
    """A bare repository that borrows the objects of WanGP's history and has one commit for each release asked for."""

    def __init__(self, folder: Path, history: Path) -> None:
        self.folder = folder
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(folder), cwd=folder.parent)
        (folder / "objects" / "info" / "alternates").write_text(f"{history / 'objects'}\n", "utf-8")

    def commit(self, release: str, of: str, parent: str = "") -> str:
        """Commit the files of a release, and let main point there."""
        index = self.folder / "index"
        index.unlink(missing_ok=True)
        listed = self._git("ls-tree", "-r", of, *PATHS)
        self._git("update-index", "--index-info", stdin=listed, GIT_INDEX_FILE=str(index))
        tree = self._git("write-tree", GIT_INDEX_FILE=str(index)).decode().strip()
        line = ("-p", parent) if parent else ()
        made = self._git("commit-tree", tree, "-m", release, *line).decode().strip()
        self.move(made)
        return made

    def move(self, commit: str) -> None:
        """Let main point to a commit."""
        self._git("update-ref", "refs/heads/main", commit)

    def _git(self, *words: str, stdin: bytes = b"", cwd: Path | None = None, **env: str) -> bytes:
        environment = {**os.environ, **_FIXED, **env}
        command = ["git", *words]
        done = subprocess.run(
            command, cwd=cwd or self.folder, env=environment, input=stdin, check=True, stdout=subprocess.PIPE
        )
        return done.stdout
