"""What WanGP said before it gave up, in plain words, with the next thing to try."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import SviError, quoted
from . import svi_files

_CARD_FULL = re.compile(r"CUDA out of memory|Tried to allocate|unsufficient VRAM|CUBLAS_STATUS_ALLOC_FAILED", re.I)
_RAM_FULL = re.compile(
    r"unsufficient RAM|CUDA error: out of memory|not enough memory: you tried to allocate|\bMemoryError|bad allocation"
    r"|DefaultCPUAllocator",
    re.I,
)
_DISK_FULL = re.compile(r"No space left on device|not enough space on the disk", re.I)
_MMGP = re.compile(r"Incorrect version of mmgp")
_SVI = re.compile(r"\[SVI Mode\] (?:not started|off)\b.*")
# The runtime proposes to install it; that is left to whoever has looked at what is installed.
_ADVICE = re.compile(r"; run svi-install again\.?$")
# WanGP then goes on without the file, and calls it a success.
LOST = re.compile(
    r"\[(?!Task )[^\]]*\] (?:Warning: (?:File not found|Invalid filename) for |Error (?:copying|loading image) )"
)
_MISSING = re.compile(r"No such file or directory: ")
# Lines in which a person's prompt is said again, whatever it is.
_ECHO = re.compile(r"\[Task \d+/\d+\]|\[SVI Mode\] (?:clip|\d+ prompts)")
_WORTH = re.compile(r"\[ERROR\]|Error\b|\[SKIP\]|not found|failed", re.I)
_KILLED = (-9, 137)
KEPT = "Finished segments are kept; run the same command again to continue with the first missing one."


def explain(said: Sequence[str], code: int | None, root: Path) -> SviError:
    """Make an error of what a WanGP said.

    Args:
        said: the last lines of its console.
        code: its exit code when it ended by itself, None while it ran.
    """
    said = _own(said)
    text = "\n".join(said[-120:])
    if _RAM_FULL.search(text) or code in _KILLED:
        return SviError("ram-full", f"The computer ran out of memory (RAM) with this model. {KEPT}", "")
    if _CARD_FULL.search(text):
        return SviError("card-full", f"The graphics card ran out of memory on this segment. {KEPT}", "")
    if _DISK_FULL.search(text):
        return SviError("disk-full", f"The disk is full. {KEPT}", "Free some space, then run the same command again.")
    if _MMGP.search(text):
        return SviError(
            "wangp-packages",
            f"WanGP refuses to start: its Python has a different version of mmgp than it needs. {KEPT}",
            "Update WanGP's packages (pip install -r requirements.txt with its Python), then run the command again.",
        )
    missing = [line for line in said if _MISSING.search(line)]
    if missing:
        return lost(missing[-1])
    if _SVI.search(text):
        return without_svi("WanGP ran without SVI", root, said)
    worth = [line for line in said if _WORTH.search(line)][-3:] or list(said[-3:])
    ended = "" if code is None else f" (exit code {code})"
    return SviError(
        "wangp-failed", f"WanGP gave up{ended}. It said:\n" + "\n".join(f"  {line}" for line in worth) + f"\n{KEPT}"
    )


def lost(line: str) -> SviError:
    """Make the error for a file that WanGP has not found; what it goes on to make is of no use."""
    return SviError("input-lost", f"WanGP could not find a file that this film needs. It said: {line}\n{KEPT}")


def silent(seconds: float, said: Sequence[str]) -> SviError:
    """Make the error for a WanGP that has hung."""
    last = f" The last thing it said: {said[-1]}" if said else ""
    span = f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"
    text = f"WanGP has said nothing for {span} and was ended.{last}"
    return SviError("wangp-silent", f"{text}\n{KEPT}")


def without_svi(what: str, root: Path, said: Sequence[str]) -> SviError:
    """Make the error for a WanGP that works without SVI, after looking at what keeps SVI from it."""
    lacking = svi_files.lacking(root)
    if lacking:
        return SviError("svi-off", f"{what}: {lacking}. {KEPT}", svi_files.next_command(root))
    lines = [_ADVICE.sub("", found[0]) for line in _own(said) if (found := _SVI.search(line))]
    refused = [line for line in lines if "] not started" in line]
    if refused:
        return SviError(
            "svi-off",
            f"SVI could not start. It said: {refused[-1]}\n{KEPT}",
            "Fix that, then run the same command again.",
        )
    version = svi_files.older(root)
    if version:
        return SviError(
            "svi-off",
            f"{what}. {_quote(lines)}The SVI in it is version {version}, which does not match this svi-install. {KEPT}",
            f"svi-install {quoted(root)}",
        )
    return SviError(
        "svi-off",
        f"{what}, although SVI is fully installed in it. {_quote(lines)}{KEPT}",
        f"svi-install doctor {quoted(root)}",
    )


def _own(said: Sequence[str]) -> list[str]:
    """What WanGP itself says, without the prompts that it repeats."""
    return [line for line in said if not _ECHO.match(line)]


def _quote(lines: Sequence[str]) -> str:
    return f"It said: {lines[-1]}\n" if lines else ""


def smaller(task: Mapping[str, Any], quality: str | None) -> str:
    """Say which setting to try next where a memory is too small for every memory profile and quantization.

    Args:
        task: settings of the segment that failed.
        quality: quantization that was used, None for WanGP's own model.
    """
    found = re.fullmatch(r"(\d+)x(\d+)", str(task.get("resolution", "")))
    pixels = int(found[1]) * int(found[2]) if found else 0
    if pixels > 832 * 480:
        return "Try 480p: add --resolution 832x480"
    if quality is None:
        return "Try a quantized model, with WanGP's options chosen for this computer: add --quality auto"
    if pixels > 640 * 368:
        return "Try a smaller picture: add --resolution 640x368"
    if int(task.get("video_length", 0)) > 49:
        return "Try shorter clips, at some cost in quality: add --clip-frames 49"
    return "Close other programs that use the graphics card; this model may be too large for this computer."
