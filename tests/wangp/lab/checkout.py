"""Extracts one WanGP release from a git directory without writing to it."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

# The commits that carry these version strings first; version strings are not tags, WanGP has none.
RELEASES = {
    "9.91": "3b652cf5ae767cddafccc0eff570be9b127c35cf",
    "10.01": "a3a5e3b6e3f07bbbd03579fd4356ec8a99e77842",
    "10.80": "1c36b24d5b56becd8b08e8101061f878776b598a",
    "10.83": "5a740f331e2bcba8ee0d6428453b750a309c7070",
    "11.90": "f25ee6f52c16431f8fde43b61e87ccc04c906d90",
    "12.00": "d5c82fd7fc5cf0573d5100ca9f0c5fe0aa7e01ec",
    "12.20": "2b1e159ee3f97d9725897f47e0adfa2651ac8d57",
    "12.22": "c4f1ff8933865ffdd7fded3d42bdab90eb3c5860",
    "12.34": "6b92c54f92bde24d6d309d6f61249353b0ec783d",
    "12.45": "17ce53a3aa5eac1028c795334a0b1d057ff6fc16",
    "12.60": "4d9972134a9fb815a1f1bdbe1ff180da6f10e94e",
}
GIT_SETTING = Path.home() / ".config/svi-install/wangp-git"


def git_directory() -> Path | None:
    """WanGP's git directory: WANGP_GIT, else the one line of ~/.config/svi-install/wangp-git; None without either."""
    named = os.environ.get("WANGP_GIT") or (GIT_SETTING.read_text("utf-8").strip() if GIT_SETTING.is_file() else "")
    return Path(named) if named and Path(named).is_dir() else None


def extract(git_dir: Path, revision: str, destination: Path) -> list[str]:
    """Writes every file of a revision below destination.

    Returns the paths whose content the repository lacks: a partial clone would try to download each of them.
    """
    git = ["git", "-C", str(git_dir)]
    env = {**os.environ, "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}
    listed = subprocess.run(
        [*git, "ls-tree", "-r", "-z", "--full-tree", revision], env=env, check=True, capture_output=True
    ).stdout
    entries = []
    for entry in filter(None, listed.split(b"\0")):
        meta, path = entry.split(b"\t", 1)
        mode, kind, blob = meta.split()
        if kind == b"blob":
            entries.append((mode, blob, path.decode()))
    missing = []
    with subprocess.Popen(
        [*git, "cat-file", "--batch"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as reader:
        asking, answers = reader.stdin, reader.stdout
        assert asking is not None
        assert answers is not None

        def ask() -> None:
            asking.write(b"".join(blob + b"\n" for _, blob, _ in entries))
            asking.close()

        threading.Thread(target=ask, daemon=True).start()
        for mode, _, path in entries:
            header = answers.readline().split()
            if len(header) < 3:
                missing.append(path)
                continue
            content = answers.read(int(header[2]))
            answers.read(1)
            write(destination / path, content, mode)
    return missing


def write(target: Path, content: bytes, mode: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if mode == b"120000":
        target.symlink_to(content.decode())
        return
    target.write_bytes(content)
    if mode == b"100755":
        target.chmod(0o755)
