"""A small git history of the miniature WanGP: releases, moved lines, an anchor that changes, one that comes back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from svi_install.package_data import data_folder
from tests import miniature
from tests.miniature import ANY2VIDEO, WGP

CLIP = b"samples = wan_model.generate("
NEW_CLIP = b"samples = current_model.generate("


@dataclass(frozen=True)
class Story:
    """The repository, a patch set that knows its first two releases, and the commits by name."""

    git: Path
    patches: Path
    commits: Mapping[str, str]


def git(folder: Path, *arguments: str, when: int = 0) -> str:
    """Run git away from this machine's settings, at a fixed time."""
    env = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        **{f"GIT_{who}_DATE": f"@{1_700_000_000 + when * 86400} +0000" for who in ("AUTHOR", "COMMITTER")},
    }
    done = subprocess.run(["git", "-C", str(folder), *arguments], env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def tell(folder: Path) -> Story:
    """Make the repository and the patch set below a folder."""
    tree = folder / "WanGP"
    tree.mkdir()
    git(tree, "init", "-q", "-b", "main")
    base = miniature.files("base")
    old = miniature.files("old")
    newer = {**base, WGP: base[WGP].replace(b"12.60", b"12.61").replace(b"import os\n", b"import os\nimport json\n")}
    refused = {**newer, WGP: newer[WGP].replace(b"12.61", b"12.70").replace(CLIP, NEW_CLIP)}
    broken = {**refused, WGP: refused[WGP].replace(b"abort = False", b"abort = (")}
    back = {**newer, WGP: newer[WGP].replace(b"12.61", b"12.71"), ANY2VIDEO: base[ANY2VIDEO].replace(b"    ", b"  ")}
    commits = {}
    for day, (name, files) in enumerate(
        {
            "9.91": old,
            "12.60": base,
            "note": base,
            "12.61": newer,
            "rework": refused,
            "broken": broken,
            "12.71": back,
        }.items()
    ):
        for path, data in {**files, "NOTES": name.encode()}.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(data)
        git(tree, "add", "-A")
        git(tree, "commit", "-q", "-m", f"Story: {name}", when=day * 10)
        commits[name] = git(tree, "rev-parse", "HEAD")
    patches = Path(shutil.copytree(data_folder("patches"), folder / "patches"))
    table = json.loads((patches / "table.json").read_text())
    table["releases"] = {"9.91": commits["9.91"], "12.60": commits["12.60"]}
    for path, entry in table["files"].items():
        for variant in entry["variants"]:
            known = {"9.91": variant["name"] == "9.0", "12.60": path != ANY2VIDEO or variant["name"] == "10.0"}
            variant["releases"] = [release for release, there in known.items() if there]
        for hook in entry["hooks"]:
            hook["functions"] = {name: "12.60" if name == "generate_media" else "9.91" for name in hook["functions"]}
    (patches / "table.json").write_text(json.dumps(table))
    return Story(tree / ".git", patches, commits)
