"""What WanGP said before it gave up, in plain words, with the next thing to try."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import SviError
from . import card

_CARD_FULL = re.compile(r"CUDA out of memory|Tried to allocate|unsufficient VRAM|CUBLAS_STATUS_ALLOC_FAILED", re.I)
_RAM_FULL = re.compile(
    r"unsufficient RAM|CUDA error: out of memory|not enough memory: you tried to allocate|\bMemoryError|bad allocation"
    r"|DefaultCPUAllocator",
    re.I,
)
_DISK_FULL = re.compile(r"No space left on device|not enough space on the disk", re.I)
_MMGP = re.compile(r"Incorrect version of mmgp")
_SVI = re.compile(r"\[SVI Mode\] (?:not started|off)[^\r\n]*")
_WORTH = re.compile(r"\[ERROR\]|Error\b|\[SKIP\]|not found|failed", re.I)
_KILLED = (-9, 137)


def explain(said: Sequence[str], code: int | None) -> SviError:
    """Make an error of what a WanGP said.

    Args:
        said: the last lines of its console.
        code: its exit code when it ended by itself, None while it ran.

    Returns:
        The error.
    """
    text = "\n".join(said[-120:])
    kept = "Finished segments stay; the same command goes on with the first missing one."
    if _RAM_FULL.search(text) or code in _KILLED:
        return SviError("ram-full", f"The computer's memory was too small for this model. {kept}", "")
    if _CARD_FULL.search(text):
        return SviError("card-full", f"The graphics card's memory was too small for this segment. {kept}", "")
    if _DISK_FULL.search(text):
        return SviError("disk-full", f"The disk is full. {kept}", "Free some space, then run the same command again.")
    if _MMGP.search(text):
        return SviError(
            "wangp-packages",
            f"WanGP refuses to start: its Python has another version of mmgp than it needs. {kept}",
            "Update WanGP's packages (pip install -r requirements.txt with its Python), then run the command again.",
        )
    svi = _SVI.findall(text)
    if svi:
        return SviError("svi-off", f"WanGP ran without SVI. It said: {svi[-1]}\n{kept}", "svi-install --status")
    worth = [line for line in said if _WORTH.search(line)][-3:] or list(said[-3:])
    ended = "" if code is None else f" (exit code {code})"
    return SviError(
        "wangp-failed", f"WanGP gave up{ended}. It said:\n" + "\n".join(f"  {line}" for line in worth) + f"\n{kept}"
    )


def smaller(task: Mapping[str, Any], quality: str | None, profile: float | None) -> str:
    """Say which setting to try next after a memory was too small; one step at a time, what costs least first.

    Args:
        task: settings of the segment that failed.
        quality: quantization that was used, None for WanGP's own model.
        profile: memory profile that was used, None for the one in WanGP's configuration.
    """
    found = re.fullmatch(r"(\d+)x(\d+)", str(task.get("resolution", "")))
    pixels = int(found[1]) * int(found[2]) if found else 0
    if pixels > 832 * 480:
        return "Try 480p: add --resolution 832x480"
    if quality is None:
        return "Try a quantized model, with WanGP's options chosen for this computer: add --quality auto"
    if profile != 5:
        return "Try WanGP's smallest memory profile: add --profile 5"
    lower = card.smaller_quality(quality)
    if lower is not None:
        return f"Try a smaller model: add --quality {lower}"
    if pixels > 640 * 368:
        return "Try a smaller picture: add --resolution 640x368"
    if int(task.get("video_length", 0)) > 49:
        return "Try shorter clips, at some cost in quality: add --clip-frames 49"
    return "Close other programs that use the graphics card; this computer may be too small for this model."


def inactive(number: int, log: Path) -> SviError:
    """Make the error for a segment that WanGP has made without SVI.

    Args:
        number: of the segment.
        log: WanGP's console.
    """
    try:
        said = _SVI.findall(log.read_text("utf-8", "replace"))
    except OSError:
        said = []
    why = f" It said: {said[-1]}" if said else ""
    return SviError(
        "svi-off",
        f"WanGP made segment {number} without SVI, so it is of no use.{why} Finished segments stay. WanGP's console is "
        f"in {log}.",
        "Install SVI into this WanGP again (svi-install), then run the same command again.",
    )
