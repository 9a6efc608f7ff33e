"""What was really run, and what was only read: the word to somebody whose WanGP is newer than the proof."""

from __future__ import annotations

from .patchset import PatchSet


def newest_run(patches: PatchSet) -> str:
    """Return the newest release of WanGP that SVI was really run on."""
    return list(patches.commits)[-1]


def caution(version: str, patches: PatchSet) -> str:
    """Say what it means that a WanGP is newer than the newest that was really run.

    Version strings cannot be ordered; one that is none of the known releases is newer than they are.

    Returns:
        One sentence and what to do, empty for a release that was run.
    """
    if version in patches.commits:
        return ""
    return (
        f"This WanGP {version} is newer than {newest_run(patches)}, the newest that SVI was really run on: "
        "the lines fit its text, but look at the first clip before you start a long film."
    )
