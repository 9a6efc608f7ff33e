"""Ready WanGP trees: extracted once per release into a cache, then copied for each test that changes them."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from . import checkout, flavours, tools


def cache_folder() -> Path:
    """LAB_CACHE, else the user's cache folder; never inside the repository."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("LAB_CACHE") or Path(home, "svi-install", "wangp-lab"))


def cached(version: str, git_dir: Path, environment: Path) -> Path:
    """The untouched tree of a release with its tiny checkpoints, made on first need; for a flavour that of 12.60.

    What makes checkpoints is part of the folder's name, so that a change of it makes new ones.
    """
    version = flavours.BASE if version in flavours.FLAVOURS else version
    commit = checkout.RELEASES[version]
    makers = ("tiny.py", "tiny_model.py", "tiny_checkpoints.py")
    recipe = hashlib.sha256(b"".join((tools.SHIM / name).read_bytes() for name in makers)).hexdigest()
    folder = cache_folder() / f"{version}-{commit[:8]}-{recipe[:8]}"
    if folder.is_dir():
        return folder
    partial = folder.with_name(f"{folder.name}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    checkout.extract(git_dir, commit, partial)
    tools.prepare(partial, environment, parity=True)
    for compiled in partial.rglob("__pycache__"):
        shutil.rmtree(compiled)
    try:
        partial.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(partial)  # another test run was faster
    return folder


def make(version: str, git_dir: Path, environment: Path, destination: Path) -> Path:
    """A new tree of a release or flavour, with nothing of ours in it but what makes the flavour."""
    tree = copy(cached(version, git_dir, environment), destination)
    if version in flavours.FLAVOURS:
        flavours.apply(tree, version)
    return tree


def copy(source: Path, destination: Path) -> Path:
    """Copies a tree; the checkpoints, which nobody changes, are linked."""

    def link(old: str, new: str) -> str:
        try:
            os.link(old, new)
        except OSError:
            shutil.copy2(old, new)
        return new

    shutil.copytree(
        source, destination, ignore=lambda folder, _: {"ckpts"} if Path(folder) == source else set(), symlinks=True
    )
    shutil.copytree(source / "ckpts", destination / "ckpts", copy_function=link)
    return destination


def contents(tree: Path) -> dict[str, bytes]:
    """Path and content hash of every file but the checkpoints."""
    return {
        path.relative_to(tree).as_posix(): hashlib.sha256(path.read_bytes()).digest()
        for path in tree.rglob("*")
        if path.is_file() and path.relative_to(tree).parts[0] != "ckpts"
    }
