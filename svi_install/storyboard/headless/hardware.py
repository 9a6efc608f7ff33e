"""The computer that renders, and the WanGP options that fit it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal

GIB = 1024.0
# GB of a GiB.
GB = 1.073741824
# Turing and older have no bfloat16 of their own.
BFLOAT16 = 8.0
QUALITIES = ("Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0")
# GB of the file of Wan 2.1 in each quality, as it is published; the two of Wan 2.2 are a tenth smaller each.
SIZES = {"Q3_K_M": 8.6, "Q4_K_M": 11.3, "Q5_K_M": 12.7, "Q6_K": 14.2, "Q8_0": 18.0}
# What WanGP asks for each memory profile in its own menu: GB of RAM, GB of graphics memory (wgp.py of 12.60,
# memory_profile_choices; 3.5 and 4.5 are called 3+ and 4+ there).
NEEDS: Mapping[float, tuple[int, int]] = {
    1: (64, 24),
    2: (64, 12),
    3: (32, 24),
    3.5: (32, 24),
    4: (32, 12),
    4.5: (32, 12),
    5: (24, 10),
}
FAIL_SAFE = 5.0
# A computer reports a little less than what its label says: 22.5 of 24 GB on an L4, 62 of 64 GB of RAM.
LABEL = 0.92
# Assumed, in GB: what the system, Python, torch with CUDA and WanGP take of the RAM beside a model.
BESIDE = 5.0
# Of a card, at most: the transformer where all of it lies there; WanGP leaves the same share to its other models.
SHARE = 0.7
WHOLE = (1, 3, 3.5)
Short = Literal["card", "ram"]
# The next profile when a memory was too small: of the card, or of the computer. 1 and 3 hold the whole transformer on
# the card, the others a part of it at a time; 1 to 4.5 pin their models in RAM, 3.5 and 5 only map the files.
_SMALLER: Mapping[Short, Mapping[float, float]] = {
    "card": {1: 2, 2: 4.5, 3: 4, 3.5: 5, 4: 4.5, 4.5: 5},
    "ram": {1: 3, 2: 4, 3: 3.5, 3.5: 5, 4: 5, 4.5: 5},
}


@dataclass(frozen=True)
class Card:
    """A graphics card.

    Args:
        name: as its driver names it.
        memory: in GiB.
        capability: CUDA's number for its generation, such as 7.5 for a T4.
    """

    name: str
    memory: float
    capability: float


@dataclass(frozen=True)
class Choice:
    """WanGP's options for a computer.

    Args:
        profile: memory profile.
        attention: attention kernel, None to leave WanGP's.
        fp16: compute in float16.
        quality: quantization that fits.
        resolution: largest that fits comfortably.
        lacks: what WanGP asks for this profile and the computer does not have, empty when nothing is missing.
    """

    profile: float
    attention: str | None
    fp16: bool
    quality: str
    resolution: str
    lacks: str = ""

    def options(self) -> tuple[str, ...]:
        """The choice as options of WanGP's command line."""
        attention = ("--attention", self.attention) if self.attention else ()
        return ("--profile", f"{self.profile:g}", *attention, *(("--fp16",) if self.fp16 else ()))


def choose(card: Card, ram: float, two_experts: bool, profiles: Collection[float] = tuple(NEEDS)) -> Choice:
    """Choose WanGP's options: the first memory profile whose needs are met, and the largest model that fits with it.

    Args:
        ram: the computer's memory in GiB.
        two_experts: whether the model is Wan 2.2 with its two transformers.
        profiles: memory profiles that this WanGP knows.
    """
    old = card.capability < BFLOAT16
    fitting = (profile for profile in NEEDS if profile in profiles and not lacks(profile, card, ram, two_experts))
    profile = next(fitting, FAIL_SAFE)
    return Choice(
        profile,
        "sdpa" if old else None,
        fp16=old,
        quality=_quality(profile, card, ram, two_experts),
        resolution="832x480" if card.memory >= NEEDS[FAIL_SAFE][1] * LABEL else "640x368",
        lacks=lacks(profile, card, ram, two_experts),
    )


def lacks(profile: float, card: Card, ram: float, two_experts: bool) -> str:
    """Say what a computer lacks of what WanGP asks for a memory profile; empty when it lacks nothing."""
    asked, graphics = NEEDS[profile]
    # WanGP's figures are those of one transformer; where models are pinned or lie on the card, so does the second one.
    if two_experts and profile not in (3.5, FAIL_SAFE):
        asked, graphics = max(asked, 48), graphics * 2 if profile == 1 else graphics
    missing = []
    if ram < asked * LABEL:
        missing.append(f"{asked} GB of RAM")
    if card.memory < graphics * LABEL:
        missing.append(f"{graphics} GB of graphics memory")
    return " and ".join(missing)


def smaller_quality(quality: str) -> str | None:
    """Return the next smaller quantization, None when there is none."""
    index = QUALITIES.index(quality)
    return QUALITIES[index - 1] if index else None


def smaller_profile(profile: float, short: Short, profiles: Collection[float] = tuple(NEEDS)) -> float | None:
    """Return the memory profile to go on with after a memory was too small, None when there is none.

    Args:
        profile: that was too large.
        short: the memory that was too small: the card's or the computer's.
        profiles: memory profiles that this WanGP knows.
    """
    following = _SMALLER[short].get(profile)
    while following is not None and following not in profiles:
        following = _SMALLER[short].get(following)
    return following


def _quality(profile: float, card: Card, ram: float, two_experts: bool) -> str:
    """The largest whose files lie in RAM beside WanGP; where none do, the disk is read again at every step."""
    room = ram * GB - BESIDE
    if profile != FAIL_SAFE:
        # Pinned memory cannot be lent to the text encoder and to the frames of a clip.
        room *= 0.6
    if two_experts:
        room /= 2
    if profile in WHOLE:
        room = min(room, card.memory * GB * SHARE)
    return next((each for each in reversed(QUALITIES) if SIZES[each] <= room), QUALITIES[0])


def find_card(run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run) -> Card | None:
    """Ask the driver for the first NVIDIA card, None without one."""
    return next(iter(find_cards(run)), None)


def find_cards(run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run) -> tuple[Card, ...]:
    """Ask the driver for all NVIDIA cards, in its order."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    query = [program, "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits"]
    try:
        answer = run(query, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    lines = answer.stdout.splitlines() if answer.returncode == 0 else []
    return tuple(card for card in map(parse_card, lines) if card is not None)


def parse_card(text: str) -> Card | None:
    """Read the first line of what the driver answers, None when it is something else."""
    found = re.match(r"([^,\r\n]+),\s*(\d+)\s*,\s*(\d+\.\d+)", text.strip())
    return Card(found[1].strip(), int(found[2]) / GIB, float(found[3])) if found else None


def ram() -> float:
    """Return the computer's memory in GiB, 0 when it cannot be asked."""
    if sys.platform == "win32":
        return _windows_ram()
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB**3
    except (ValueError, OSError):
        return 0.0


if sys.platform == "win32":  # pragma: no cover (the other systems' tests cannot run it)

    def _windows_ram() -> float:
        import ctypes

        class Status(ctypes.Structure):
            _fields_ = (
                ("length", ctypes.c_ulong),
                ("load", ctypes.c_ulong),
                *((f"value{index}", ctypes.c_ulonglong) for index in range(7)),
            )

        status = Status()
        status.length = ctypes.sizeof(Status)
        ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        return float(status.value0) / GIB**3
