"""Shots from plain text: prompts by ``|``, one prompt per line, or FramePack's ``[1s: prompt]``."""

from __future__ import annotations

import re
from dataclasses import replace

from .story import FPS, MOST_SECONDS, Shot, usage
from .yamltree import LONGEST, is_text

_NUMBER = r"(\d+(?:\.\d+)?)\s*s"
# WanGP's own commands for one window of a long video, such as [/duration=2s, /new_shot].
_TAGS = re.compile(r"\[\s*/\s*([^\]]*)\]")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*s|(\d+)")
_TIMED = re.compile(rf"\[\s*{_NUMBER}\s*(?:-\s*{_NUMBER}\s*)?:\s*((?:[^\[\]]|\[\s*/[^\]]*\])*)\]")


def shots_of(text: str) -> tuple[Shot, ...]:
    """Read shots from text.

    Args:
        text: ``[1s: ...]`` blocks; else prompts by ``|``; else one prompt per line, where empty lines and lines that
            begin with ``#`` count for nothing.

    Returns:
        The shots, at least one.

    Raises:
        SviError: there is no prompt in it, FramePack's times do not grow, or a tag of WanGP's has no place in a film.
    """
    lines = [line.strip() for line in text.splitlines()]
    kept = [line for line in lines if line and not line.startswith("#")]
    joined = "\n".join(kept)
    prompts = [part for line in kept for part in line.split("|")]
    timed = _TIMED.search(joined)
    shots = _timed(joined) if timed else tuple(Shot(plain(prompt)) for prompt in prompts if plain(prompt))
    shots = tuple(without_tags(shot) for shot in shots)
    for number, shot in enumerate(shots, 1):
        if len(shot.prompt) > LONGEST or not is_text(shot.prompt):
            raise usage(f"Prompt {number} is too long, or contains characters that are not text. Nothing was started.")
    if not shots:
        raise usage("The story has no prompt. Nothing was started.", 'svi-install render IMAGE "walking | running"')
    return shots


def plain(prompt: str) -> str:
    """Return a prompt in one line: WanGP takes every line for a prompt of its own."""
    return " ".join(prompt.split())


def without_tags(shot: Shot) -> Shot:
    """Return a shot that says by itself what WanGP's tags in its prompt say: each clip is a task of one window here.

    Raises:
        SviError: a tag has no place in a film, or says another length than the shot.
    """
    for tags in _TAGS.findall(shot.prompt):
        for tag in filter(None, (part.strip().removeprefix("/").strip() for part in tags.split(","))):
            shot = _tagged(shot, *(part.strip() for part in tag.partition("=")[::2]))
    prompt = plain(_TAGS.sub(" ", shot.prompt))
    if not prompt:
        raise usage(f"The prompt {shot.prompt!r} has nothing but tags. Nothing was started.")
    return replace(shot, prompt=prompt)


def _tagged(shot: Shot, name: str, value: str) -> Shot:
    name = name.lower()
    if (name == "new_shot" and not value) or (name, value) == ("overlap", "0"):
        return replace(shot, new_shot=True)
    if name == "overlap" and not value:
        return shot
    duration = _DURATION.fullmatch(value.lower()) if name == "duration" else None
    if duration is not None:
        frames = _frames(float(duration[1])) if duration[1] else max(1, _frames(int(duration[2]) / FPS))
        if shot.frames is not None:
            raise usage(
                f"The prompt {shot.prompt!r} says how long it lasts, and so does the story. Nothing was started.",
                "Take one of the two out.",
            )
        return replace(shot, frames=frames)
    known = {
        "duration": "give it in seconds (5s) or frames (81)",
        "overlap": "SVI itself decides how many frames two clips share",
        "loras_mult": "give the LoRAs and their strengths of a shot as loras: in a story file",
    }
    raise usage(
        f"The tag [/{name}{'=' if value else ''}{value}] in the prompt {shot.prompt!r} is a command for one window of "
        f"WanGP, which cannot be followed here: {known.get(name, 'a film has no windows')}. Nothing was started.",
        "Take the tag out. Known here: [/duration=5s], [/new_shot]",
    )


def _timed(text: str) -> tuple[Shot, ...]:
    """FramePack: the time is where a prompt begins; it lasts to the next one or to its own end."""
    found = list(_TIMED.finditer(text))
    starts = [float(match[1]) for match in found]
    ends = [float(match[2]) if match[2] else None for match in found]
    lead = plain(text[: found[0].start()])
    shots: list[Shot] = []
    for index, match in enumerate(found):
        start, following = starts[index], starts[index + 1] if index + 1 < len(found) else None
        if following is not None and following <= start:
            raise usage(
                f"The times in the story must increase: {match[0]!r} begins at {start:g} s and the next prompt at "
                f"{following:g} s. Nothing was started."
            )
        own = ends[index]
        if own is not None and own <= start:
            raise usage(f"The shot {match[0]!r} ends before it starts. Nothing was started.")
        # A gap belongs to the prompt before it; a prompt at the end without a time lasts one clip.
        end = following if following is not None else own
        if index == 0 and start > 0 and lead:
            shots.append(Shot(lead, frames=_frames(start)))
        if not plain(match[3]):
            raise usage(f"The shot {match[0]!r} has no prompt. Nothing was started.")
        begin = 0.0 if index == 0 and not lead else start
        shots.append(Shot(plain(match[3]), frames=None if end is None else _frames(end - begin)))
    return tuple(shots)


def _frames(seconds: float) -> int:
    if not seconds <= MOST_SECONDS:
        raise usage(f"The story lasts more than {MOST_SECONDS} s. Nothing was started.")
    return max(1, round(seconds * FPS))
