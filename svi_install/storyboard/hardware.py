"""The computer that renders, and the WanGP options that fit it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

GIB = 1024.0
# Turing and older have no bfloat16 of their own.
BFLOAT16 = 8.0
QUALITIES = ("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0")


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
    """

    profile: float
    attention: str | None
    fp16: bool
    quality: str
    resolution: str

    def options(self) -> tuple[str, ...]:
        """The choice as options of WanGP's command line."""
        attention = ("--attention", self.attention) if self.attention else ()
        return ("--profile", f"{self.profile:g}", *attention, *(("--fp16",) if self.fp16 else ()))


def choose(card: Card, ram: float, two_experts: bool, profiles_35: bool = True) -> Choice:
    """Choose WanGP's options.

    Profiles 1 and 2 keep all models in RAM, 3 and 4 pin them there, 3.5 and 5 pin nothing.

    Args:
        ram: the computer's memory in GiB.
        two_experts: whether the model is Wan 2.2 with its two transformers.
        profiles_35: whether this WanGP knows profile 3.5.
    """
    old = card.capability < BFLOAT16
    quality = _quality(card, ram, two_experts)
    profile = _profile(card, ram, two_experts, profiles_35)
    return Choice(
        profile,
        "sdpa" if old else None,
        fp16=old,
        quality=quality,
        resolution="832x480" if card.memory >= 11 else "640x368",
    )


def smaller_quality(quality: str) -> str | None:
    """Return the next smaller quantization, None when there is none."""
    index = QUALITIES.index(quality)
    return QUALITIES[index - 1] if index else None


def _quality(card: Card, ram: float, two_experts: bool) -> str:
    """What WanGP loads has to lie in RAM, and one transformer at a time partly on the card."""
    # 14 billion weights: 11.3, 12.7, 14.2 and 18 GB a transformer.
    room = ram / (2 if two_experts else 1)
    if ram >= 60 and card.memory >= 15:
        return "Q8_0"
    if room >= 30 and card.memory >= 11:
        return "Q6_K"
    if room >= 24:
        return "Q5_K_M"
    return "Q4_K_M"


def _profile(card: Card, ram: float, two_experts: bool, profiles_35: bool) -> float:
    if ram >= 60:
        return 1 if card.memory >= 23 and not two_experts else 2
    pinned = 48 if two_experts else 30
    if ram >= pinned:
        return 3 if card.memory >= 23 else 4
    return 3.5 if profiles_35 and card.memory >= 14 else 5


def find_card(run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run) -> Card | None:
    """Ask the driver for the first NVIDIA card, None without one."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits"]
    try:
        answer = run(query, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_card(answer.stdout) if answer.returncode == 0 else None


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
