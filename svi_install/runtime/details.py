"""SVI's own numbers as one line of text, for the one field of the form that belongs to people who know them.

``motion frames 5, reference frames all, schedule authors, known frames first``: in any order, what is the variant's own
left out, with or without ``=`` between name and value. ``end images 2 4`` says which clips the End Images are for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple


class Word(NamedTuple):
    """One name that the line may hold.

    Attributes:
        key: the settings key that it stands for.
        names: what a person may write; the first is what we write.
        values: words for values of the key; a number stands for itself where ``number`` says so.
        number: whether a whole number may stand there.
        several: whether several may, numbers of clips with ``last`` for the last one; the value is a tuple then.
    """

    key: str
    names: tuple[str, ...]
    values: Mapping[str, Any]
    number: bool
    several: bool = False


MOTION_FRAMES = "svi_num_motion_frames"
PADDING = "svi_ref_pad_num"
MASK_ALL = "svi_ref_pad_cfg"
SIGMAS = "svi_official_sigmas"
END_CLIPS = "svi_end_clips"
# The last clip, in END_CLIPS: how many clips a video has is known later.
LAST = -1

WORDS = (
    Word(MOTION_FRAMES, ("motion frames", "motion", MOTION_FRAMES), {}, number=True),
    Word(PADDING, ("reference frames", "reference", "padding", PADDING), {"all": -1, "none": 0}, number=True),
    Word(
        SIGMAS,
        ("schedule", "noise schedule", SIGMAS),
        {"authors": True, "wangp": False, "on": True, "off": False},
        number=False,
    ),
    Word(
        MASK_ALL,
        ("known frames", "mask", MASK_ALL),
        {"all": True, "first": False, "on": True, "off": False},
        number=False,
    ),
    Word(END_CLIPS, ("end images", "end image", END_CLIPS), {"last": LAST}, number=True, several=True),
)
EXAMPLE = "motion frames 5, reference frames all, schedule authors"
# What a person calls the numbers, also where they come from a settings file.
_CLIP = re.compile(r"last|-1|0*[1-9]\d{0,5}")
LABELS = {word.key: word.names[0] for word in WORDS}


def read(line: str) -> dict[str, Any]:
    """Reads the line.

    Returns:
        Settings keys and their values; empty for an empty line.

    Raises:
        ValueError: a part of the line means nothing; the message says which and shows a line that works.
    """
    found: dict[str, Any] = {}
    # "end images 2, 4" is one part.
    for part in re.split(r"[,;\n]", re.sub(r"(\d)\s*[,+&]\s*(?=\d|last)", r"\1 ", line)):
        words = re.sub(r"[=:\s]+", " ", part).strip().lower().replace("authors'", "authors")
        if not words:
            continue
        name, _, value = words.rpartition(" ")
        if several := next((word for word in WORDS if word.several and words.startswith(word.names)), None):
            found[several.key] = clips(re.sub(rf"^({'|'.join(several.names)})", "", words))
            continue
        word = next((word for word in WORDS if name in word.names), None)
        if word is None:
            raise ValueError(
                f"SVI details hold {part.strip()!r}, which has no meaning here. For example, write: {EXAMPLE}"
            )
        if value in word.values:
            found[word.key] = word.values[value]
        elif word.number and re.fullmatch(r"[+-]?\d{1,9}", value):
            found[word.key] = int(value)
        else:
            choices = [*word.values, *(["a whole number"] if word.number else [])]
            raise ValueError(f"SVI details: {word.names[0]} is {value!r}, but it can only be {', '.join(choices)}")
    return found


def clips(value: Any) -> tuple[int, ...]:
    """Reads the numbers of some clips, in the order of the images that they are for.

    Args:
        value: text such as ``2 4`` or ``last``, a number, or a list of them.

    Raises:
        ValueError: anything else, or a clip twice.
    """
    words = re.split(r"[\s,;+&]+|\band\b", value) if isinstance(value, str) else value
    words = [str(word).strip().lower() for word in (words if isinstance(words, list | tuple) else [words])]
    words = [word for word in words if word]
    numbers = tuple(LAST if word in ("last", str(LAST)) else int(word) for word in words if _CLIP.fullmatch(word))
    if not numbers or len(numbers) != len(words) or len(set(numbers)) != len(numbers):
        raise ValueError(
            f"SVI details: end images is {' '.join(words)!r}, but it can only be numbers of clips, each once, like "
            "2 4, or last"
        )
    return numbers


def write(numbers: Mapping[str, Any]) -> str:
    """The line for some settings keys, empty for none; ``read`` gives them back."""
    parts = []
    for word in WORDS:
        if word.key in numbers:
            value = numbers[word.key]
            if word.several:
                parts.append(" ".join([word.names[0], *("last" if each == LAST else str(each) for each in value)]))
                continue
            # The first word of an equal value; True and 1 are equal, so the kind decides too.
            said = next(
                (text for text, each in word.values.items() if each is value or (word.number and each == value)), None
            )
            parts.append(f"{word.names[0]} {value if said is None else said}")
    return ", ".join(parts)
