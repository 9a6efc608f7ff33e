"""The three main commands from a path that a person gave: which checkout, the command, what belongs after it."""

from __future__ import annotations

from pathlib import Path

from .ask import choose, confirmed
from .locate import locate, surroundings
from .output import Output, say
from .result import Result

VIDEOS = {".mp4", ".mov", ".m4v"}


def install(path: Path | None, dry_run: bool, to: Output, *, lora: bool, yes: bool) -> Result:
    """Add SVI to the checkout, then offer the LoRA.

    Args:
        path: what the person gave, if anything.
        dry_run: change nothing.
        to: how to print and whom to ask.
        lora: offer the LoRA.
        yes: take every answer for yes.

    Returns:
        What was done.

    Raises:
        SviError: nothing was changed.
    """
    from .commands.install import install as run

    root = checkout_root(path, to)
    result = run(root, dry_run=dry_run)
    if dry_run or not lora:
        return result
    from .commands.prefetch import add_loras
    from .progress_bar import download_progress

    return add_loras(
        result,
        root,
        agree=lambda question: yes or confirmed(f"{result.headline} {question}", to),
        progress=lambda: download_progress(to),
    )


def revert(path: Path | None, dry_run: bool, to: Output, *, loras: bool) -> Result:
    """Take SVI out of the checkout; ``loras`` deletes its LoRAs too, the rest is as for `install`."""
    from .commands.lora_files import keep_or_remove
    from .commands.revert import revert as run

    root = checkout_root(path, to)
    return keep_or_remove(run(root, dry_run=dry_run), root, remove=loras, dry_run=dry_run)


def status(path: Path | None, to: Output) -> Result:
    """Say what the checkout is, or how a video was made; arguments, result and errors as for `install`."""
    if path is not None and path.suffix.lower() in VIDEOS and path.is_file():
        from .commands.video import video_status

        return video_status(path)
    from .commands.status import status as run

    return run(checkout_root(path, to))


def checkout_root(path: Path | None, to: Output) -> Path:
    """Find the one checkout that a command is about, asking when there are several.

    Args:
        path: what the person gave, if anything.
        to: how to print and whom to ask.

    Returns:
        The folder that holds ``wgp.py``.

    Raises:
        SviError: none, or several and nobody to ask.
    """
    folders = locate(path, surroundings())
    if len(folders) > 1:
        return choose(folders, to)
    if path is None:
        say(f"Found WanGP in {folders[0]}", to)
    return folders[0]
