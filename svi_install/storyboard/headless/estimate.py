"""What a film will cost before its first clip is made: time from a table of cards, disk from its start image."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from .hardware import Card

TABLE = Path(__file__).with_name("clip_times.json")
# Wan's transformer of 14 billion weights (any2video's configuration i2v-14B).
WIDTH, INNER, LAYERS, CONTEXT = 5120, 13824, 40, 512 + 257
# The VAE shrinks 8 times in each direction and 4 times in time, the transformer's patches twice more in each direction.
PATCH, FRAMES = 16, 4
TFLOP = 1e12
# A card of another maker, a slower bus, another program on it: what lies within is no surprise.
LEAST, MOST = 0.7, 1.5
_SIZE = re.compile(r"(\d{2,5})x(\d{2,5})")


class Share(NamedTuple):
    """How much of a card's peak a clip gets; ``basis`` is ``measured``, ``derived`` from that, or ``reported``."""

    share: float
    basis: str
    source: str


class Speed(NamedTuple):
    """A class of cards: its peak in TFLOPS of 16 bit products, and what of it a clip gets."""

    name: str
    tflops: float
    share: Share
    source: str

    @property
    def effective(self) -> float:
        """TFLOPS that a clip gets."""
        return self.tflops * self.share.share


@dataclass(frozen=True)
class Cost:
    """Time for one clip on a card, in seconds.

    Args:
        seconds: the likeliest.
        speed: the class of cards that it was computed for.
    """

    seconds: float
    speed: Speed

    @property
    def span(self) -> tuple[float, float]:
        """What is to be expected, from and to."""
        return self.seconds * LEAST, self.seconds * MOST


@cache
def table() -> Mapping[str, Any]:
    """Return the table of times."""
    found: dict[str, Any] = json.loads(TABLE.read_text("utf-8"))
    return found


@cache
def speeds() -> tuple[Speed, ...]:
    """Return all classes of cards, those with the longest names first."""
    shares = {name: Share(**values) for name, values in table()["shares"].items()}
    cards = [Speed(each["name"], each["tflops"], shares[each["share"]], each["source"]) for each in table()["cards"]]
    return tuple(sorted(cards, key=lambda each: -len(each.name)))


def speed_of(card: Card | None) -> Speed | None:
    """Return the class of a card, None for one that the table does not know."""
    name = "" if card is None else card.name.casefold()
    # "RTX 4070 Ti SUPER" is faster than "RTX 4070", never slower: the estimate is on the safe side.
    return next((each for each in speeds() if re.search(rf"\b{re.escape(each.name.casefold())}\b", name)), None)


def clip(task: Mapping[str, Any], card: Card | None) -> Cost | None:
    """Estimate how long a clip takes, without the load of the model.

    Args:
        task: its WanGP settings.
        card: that makes it.

    Returns:
        The time, None for a card that the table does not know or for settings that mean nothing.
    """
    speed, pixels = speed_of(card), size_of(task)
    steps, frames = task.get("num_inference_steps"), task.get("video_length")
    if speed is None or pixels is None or type(steps) is not int or type(frames) is not int:
        return None
    transformer = passes(task) * work(*pixels, frames) / speed.effective
    return Cost(transformer + decode(*pixels, frames, speed), speed)


def passes(task: Mapping[str, Any]) -> float:
    """Return how often the transformer runs for a clip: twice a step where a guidance is above 1."""
    guidances = [task.get("guidance_scale", 5)]
    if task.get("guidance_phases", 1) == 2:
        guidances.append(task.get("guidance2_scale", guidances[0]))
    twice = [2.0 if isinstance(each, (int, float)) and each > 1 else 1.0 for each in guidances]
    return float(task["num_inference_steps"] * sum(twice) / len(twice))


def work(width: int, height: int, frames: int) -> float:
    """Return what one pass of the transformer computes for a clip, in TFLOP; a product and a sum are two."""
    tokens = (width // PATCH) * (height // PATCH) * ((frames - 1) // FRAMES + 1)
    # Four matrices of the attention to itself, two of the attention to text and image, two of the inner layer.
    weights = 6 * WIDTH * WIDTH + 2 * WIDTH * INNER
    attention = 2 * WIDTH * (tokens + CONTEXT)
    return 2 * LAYERS * tokens * (weights + attention) / TFLOP


def decode(width: int, height: int, frames: int, speed: Speed) -> float:
    """Return the seconds of a clip beside the transformer's, nearly all the VAE's, from the card that was measured."""
    measured = table()["decode"]
    pixels = measured["frames"] * measured["width"] * measured["height"]
    known = next(each for each in speeds() if each.name == measured["card"])
    return float(measured["seconds"] * width * height * frames / pixels * known.effective / speed.effective)


def size_of(task: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return width and height of a task's pictures, None where its resolution means nothing."""
    found = _SIZE.fullmatch(str(task.get("resolution", "")))
    return (int(found[1]), int(found[2])) if found else None


@dataclass(frozen=True)
class Rates:
    """How well a film's pictures compress, in bytes for each pixel.

    Args:
        video: of a compressed frame.
        picture: of a lossless one.
        known: from segments of this film, not from its start image.
    """

    video: float
    picture: float
    known: bool = False


# The middle of what `python benchmarks/film_size.py` prints for moving pictures.
USUAL = Rates(0.05, 1.3)
# A still picture's size and that of the same scene in motion, from the same table: noise moves as it stands.
MOVING, NOISY = 0.17, 0.4


def rates_of(still: int, lossless: int, pixels: int) -> Rates:
    """Judge a film by its start image.

    Args:
        still: bytes of the image compressed as one frame of a segment.
        lossless: bytes of the image compressed as a frame that is handed on.
        pixels: of the image.
    """
    rate = still / pixels
    return Rates(rate if rate > NOISY else MOVING * math.sqrt(rate), lossless / pixels)


@dataclass(frozen=True)
class Disk:
    """Bytes that a film still needs: when it is finished, and at most while it is made."""

    finished: int
    most: int


def disk(clips: int, missing: int, frames: int, pixels: int, *, motion: int, rates: Rates) -> Disk:
    """Estimate what a film still needs on the disk.

    Args:
        clips: segments of the whole film.
        missing: of these, still to be made.
        frames: of a clip.
        pixels: of a frame.
        motion: frames that a clip hands on, without loss.
        rates: how well its pictures compress.
    """
    part = frames * pixels * rates.video
    kept = missing * (part + motion * pixels * rates.picture)
    # The film is a copy of all parts; before that, the frames of the segment that has just been made lie uncompressed.
    return Disk(int(kept + clips * part), int(kept + max(clips * part, frames * pixels * 3)))
