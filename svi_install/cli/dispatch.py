"""The three main commands from a path that a person gave: which checkout, the command, what belongs after it."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from ..checkout.locate import locate, surroundings
from ..errors import SviError
from ..report.output import Output, say
from ..report.result import Result
from .prompts import choose, confirmed, interactive
from .spelling import closest

VIDEOS = {".mp4", ".mov", ".m4v"}


def install(path: Path | None, dry_run: bool, to: Output, *, lora: bool, yes: bool, plugin: bool = False) -> Result:
    """Add SVI to the checkout, then offer the LoRA.

    Args:
        path: what the person gave, if anything.
        to: how to print and whom to ask.
        yes: take every answer for yes.
        plugin: add SVI as a plugin instead of putting hooks into files.

    Returns:
        What was done; whatever stops this after the files were changed is told in it.

    Raises:
        SviError: nothing was changed.
    """
    root = checkout_root(path, to)
    done: list[Result] = []
    try:
        if plugin:
            from ..commands import in_plugin

            result = in_plugin.install(root, dry_run=dry_run, committed=done.append)
        else:
            from ..commands.install import install as run

            agree = lambda question: yes or confirmed(question, to)  # noqa: E731
            result = run(root, dry_run=dry_run, committed=done.append, agree=agree)
        if dry_run or not lora:
            return result
        done.append(result)
        gc.enable()
        return _with_loras(result, root, to, yes)
    except (Exception, KeyboardInterrupt) as error:
        if not done:
            raise
        return _ended_after(done[-1], error)


def _with_loras(result: Result, root: Path, to: Output, yes: bool) -> Result:
    from ..commands.prefetch import add_loras
    from ..report.download_progress import download_progress

    shown = False

    def agree(question: str) -> bool:
        """Show what is done before anything else can go wrong, then ask."""
        nonlocal shown
        if not to.as_json and (yes or interactive(to)):
            from ..report.deliver import deliver

            deliver(result, result.command, to)
            shown = True
        return yes or confirmed(question, to)

    whole = add_loras(result, root, agree=agree, progress=lambda: download_progress(to))
    if not shown:
        return whole
    headline = "The LoRA has not been downloaded yet, but SVI is in WanGP." if whole.todo else "The LoRA is in place."
    notes = whole.notes[len(result.notes) :]
    return Result("install", whole.status, headline, state=whole.state, notes=notes, todo=whole.todo)


def revert(path: Path | None, dry_run: bool, to: Output, *, loras: bool) -> Result:
    """Take SVI out of the checkout; ``loras`` deletes its LoRAs too, the rest is as for `install`."""
    from ..commands.lora_files import keep_or_remove
    from ..commands.revert import revert as run

    root = checkout_root(path, to, "svi-install revert PATH")
    done: list[Result] = []
    try:
        result = run(root, dry_run=dry_run, committed=done.append)
        return keep_or_remove(result, root, remove=loras, dry_run=dry_run)
    except (Exception, KeyboardInterrupt) as error:
        if not done:
            raise
        return _ended_after(done[-1], error)


def _ended_after(result: Result, error: Exception | KeyboardInterrupt) -> Result:
    """Return what was done before something else ended the command."""
    if isinstance(error, KeyboardInterrupt):
        note = "After that, the command was stopped."
    elif isinstance(error, SviError):
        note = f"{error.message} {error.hint}".strip()
    else:
        from .crash_report import explain

        note = explain(error, sys.argv[1:]).message
    return result._replace(notes=(*result.notes, *note.splitlines()))


def status(path: Path | None, to: Output, *, online: bool = False) -> Result:
    """Say what the checkout is, or how a video was made; arguments, result and errors as for `install`."""
    if path is not None and path.suffix.lower() in VIDEOS and path.is_file():
        from ..commands.video import video_status

        return video_status(path)._replace(answer=True)
    from ..commands.status import status as run

    return run(checkout_root(path, to, "svi-install status PATH"), online=online)._replace(answer=True)


def checkout_root(path: Path | None, to: Output, naming: str = "svi-install PATH") -> Path:
    """Find the one checkout that a command is about, asking when there are several.

    Args:
        path: what the person gave, if anything.
        to: how to print and whom to ask.
        naming: how this command is told which one, such as ``svi-install status PATH``.

    Returns:
        The folder that holds ``wgp.py``.

    Raises:
        SviError: none, or several and nobody to ask.
    """
    try:
        folders = locate(path, surroundings(path))
        if len(folders) > 1:
            return choose(folders, to)
    except SviError as error:
        if path is not None and naming == "svi-install PATH" and (named := closest(str(path))):
            error.hint = f"Did you mean the command? svi-install {named}"
        else:
            error.hint = error.hint.replace("svi-install PATH", naming)
        raise
    if path is None:
        say(f"Found WanGP in {folders[0]}", to)
    return folders[0]
