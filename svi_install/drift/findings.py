"""What was measured, in words a person can use, each with what to do about it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .freeze import Freeze
from .scan import Scan
from .seams import Seam
from .trend import Trend

# More seams than this are told of together.
MANY_SEAMS = 4
_TINTS = ("red", "warm", "yellow", "green", "cyan", "cool", "blue", "magenta")
_STRONGER = "turn the strength of the accelerator LoRA down a little"
_WAYS: Mapping[str, tuple[str, str, str]] = {
    "L": ("the picture gets brighter", "the picture gets darker", "L*"),
    "chroma": ("the colours grow louder", "the colours fade", "% of colour"),
    "contrast": ("the contrast grows", "the contrast fades", "% of contrast"),
    "detail": ("the picture gets over-sharp", "the picture goes soft", "% of fine detail"),
    "noise": ("grain builds up", "grain goes away and takes fine texture with it", "levels of noise"),
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Args:
        quantity: what changes: one of `steps.QUANTITIES`, ``seam``, ``frozen``, ``blank``, ``repeats`` or ``damage``.
        clip: the first clip in which it is, from 1.
        per_clip: how much each clip adds, None where that makes no sense.
        text: in words.
        remedy: what to do.
        weight: how bad it is; 1 is where drift begins.
    """

    quantity: str
    clip: int
    per_clip: float | None
    text: str
    remedy: str
    weight: float


def findings(
    scan: Scan,
    starts: Sequence[int],
    trends: Sequence[Trend],
    seams: Sequence[Seam],
    freezes: Sequence[Freeze],
    *,
    settings: Mapping[str, Any],
) -> tuple[Finding, ...]:
    """Put everything that is wrong into words, worst first."""
    found = [*_still(scan, starts, freezes), *_trends(trends, settings), *_seams(seams)]
    if scan.damage:
        text = f"the file is damaged behind frame {scan.frames}; only what comes before was measured"
        found.append(Finding("damage", len(starts), None, text, "copy or download the video again", 5.0))
    return tuple(sorted(found, key=lambda each: -each.weight))


def clip_of(frame: int, starts: Sequence[int]) -> int:
    """Return the number of the clip, from 1, that a frame is in."""
    return sum(1 for start in starts if start <= frame)


def tint(red: float, yellow: float) -> str:
    """Name the direction of a change of a* and b*."""
    angle = math.degrees(math.atan2(yellow, red)) % 360
    return _TINTS[round(angle / 45) % 8]


def _trends(trends: Sequence[Trend], settings: Mapping[str, Any]) -> list[Finding]:
    by_name = {each.quantity: each for each in trends}
    found = []
    colours = [by_name[name] for name in ("a", "b") if name in by_name]
    off = [each for each in colours if each.drifts]
    if off:
        worst = max(off, key=lambda each: each.margin)
        name = tint(*(each.end for each in colours)) if len(colours) == 2 else "off"
        said = "bluish and cool" if name == "cool" else name
        change = f"{worst.per_clip:+.1f} {worst.quantity}* per clip"
        text = f"colour runs {said} {_from(worst.onset)} ({change})"
        found.append(Finding(worst.quantity, worst.onset, worst.per_clip, text, _remedy(worst, settings), worst.margin))
    for each in trends:
        if each.drifts and each.quantity in _WAYS:
            more, less, unit = _WAYS[each.quantity]
            words = more if each.end > 0 else less
            change = f"{in_unit(each.quantity, each.per_clip):+.{1 if '%' in unit else 2}f} {unit} per clip"
            text = f"{words} {_from(each.onset)} ({change})"
            found.append(Finding(each.quantity, each.onset, each.per_clip, text, _remedy(each, settings), each.margin))
    return found


def in_unit(quantity: str, value: float) -> float:
    """Return a change as a person reads it: of contrast, colour and detail in percent, of others as it is."""
    if quantity == "detail":
        # Of what can be seen of it: energy grows with the square.
        return 100 * (2 ** (value / 2) - 1)
    return 100 * math.expm1(value) if quantity in {"chroma", "contrast"} else value


def _from(onset: int) -> str:
    return "from the start" if onset == 1 else f"from clip {onset} on"


def _remedy(trend: Trend, settings: Mapping[str, Any]) -> str:
    """Say what to do, the likeliest first, from what the video was made with."""
    again = f"redo clip {max(2, trend.onset)} with another seed"
    loras = " ".join(str(each) for each in settings.get("activated_loras") or ()).lower()
    made = bool(settings) and ("model_type" in settings or "svi" in settings or "prompt" in settings)
    has_svi = "svi" in settings or "svi" in loras or "svi" in str(settings.get("model_type", "")).lower()
    hints = []
    if made and not has_svi:
        hints.append("no SVI LoRA is in its settings: choose an SVI profile, which is made against this")
    elif "svi" in settings and loras and "svi" not in loras:
        hints.append("the SVI LoRA is missing from its settings: apply the SVI profile again")
    hints.append(again)
    fast = any(word in loras for word in ("lightx2v", "lightning", "fusionix", "causvid", "accvid", "distill"))
    if trend.quantity in {"a", "b", "chroma", "contrast", "L"} and (fast or not made):
        hints.append(_STRONGER)
    if trend.quantity in {"L", "a", "b", "contrast", "detail", "noise"}:
        hints.append("compute the VAE in 32 bits (WanGP, Configuration)")
    return "; or ".join(hints)


def _seams(seams: Sequence[Seam]) -> list[Finding]:
    bad = [seam for seam in seams if seam.flagged]
    found = []
    for seam in bad if len(bad) <= MANY_SEAMS else ():
        remedy = f"redo clip {seam.clip} with another seed"
        found.append(Finding("seam", seam.clip, None, _jump(seam), remedy, _weight(seam)))
    if len(bad) > MANY_SEAMS:
        worst = max(bad, key=lambda seam: seam.against)
        numbers = ", ".join(str(seam.clip - 1) for seam in bad)
        text = f"{len(bad)} of {len(seams)} seams jump (seams {numbers}); the worst: {_jump(worst)}"
        remedy = "compute the VAE in 32 bits and without tiles; then redo what still jumps"
        found.append(Finding("seam", bad[0].clip, None, text, remedy, _weight(worst)))
    return found


def _weight(seam: Seam) -> float:
    return min(3.0, max(seam.against, 1.0) / 2) + (2.0 if seam.obvious else 0.0)


def _jump(seam: Seam) -> str:
    where = f"seam {seam.clip - 1} (into clip {seam.clip})"
    if seam.kind == "repeat":
        frames = "a frame is" if seam.repeats == 1 else f"{seam.repeats} frames are"
        return f"{where} stutters: {frames} shown twice"
    index = ("brightness", "colour", "detail").index(seam.kind)
    amount = seam.step[index]
    said = {
        "brightness": f"{amount:+.1f} L*",
        "colour": f"{amount:.1f} in (a*, b*)",
        "detail": f"{amount:+.2f} of detail",
    }
    return f"{where} jumps: {said[seam.kind]} at once, {seam.against:.1f} times what is flagged"


def _still(scan: Scan, starts: Sequence[int], freezes: Sequence[Freeze]) -> list[Finding]:
    found = []
    for each in freezes:
        clip = clip_of(each.frame, starts)
        seconds = f"{each.seconds:.1f} s"
        if each.kind == "frozen":
            whole = each.share > 0.95
            text = (
                "the whole video is one still picture"
                if whole
                else f"the picture stands still for {seconds} in clip {clip}"
            )
            remedy = f"redo clip {clip} with another seed; say in its prompt what moves"
        else:
            text = f"there is no picture for {seconds} in clip {clip}: it is black or of one colour"
            remedy = f"redo clip {clip}; if it comes back, compute the VAE in 32 bits"
        found.append(Finding(each.kind, clip, None, text, remedy, 6.0 if each.fails else 1.0))
    rest = len(set(scan.repeats)) - sum(each.frames for each in freezes if each.kind == "frozen")
    if rest > scan.frames / 5:
        text = f"{rest} of {scan.frames} frames repeat the one before: the video was made with fewer frames per second"
        found.append(Finding("repeats", 1, None, text, "nothing is wrong if that is what you meant to do", 0.1))
    return found
