"""The films beside WanGP's other videos, and what was asked for: kept in a film's folder, so that it goes on later."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import SviError
from ..storyboard.archive import decided, images, story_data
from ..storyboard.archive.store import read_json, regular, write_json
from ..storyboard.film import film
from ..storyboard.film.request import VIDEO, Request, story_of, target_of
from ..storyboard.script import yamlfile, yamltree
from ..storyboard.script.story import CLIP_FRAMES, DEFAULT_SEED, FPS, Story, with_variant

FORM = "page.json"
_YAML = re.compile(r"^shots\s*:", re.MULTILINE)


class Asked(NamedTuple):
    """What a person has filled in; nothing, 0 and what is usual leave a value to the story or to the profile."""

    image: str | None = None
    text: str = ""
    profile: str = ""
    seconds: float | None = None
    seed: float | None = None
    clip_frames: float | None = None
    steps: float | None = None
    resolution: str = ""


def names(folder: Path) -> list[str]:
    """Return the names of the films in a folder, the latest first."""
    try:
        found = [path for path in folder.glob("*.svi") if path.is_dir()]
        return [path.stem for path in sorted(found, key=lambda path: (-path.stat().st_mtime, path.name))]
    except OSError:
        return []


def target(folder: Path, name: str, asked: Asked) -> Path:
    """Return the video to be, beside WanGP's other videos; without a name it has that of the image.

    Raises:
        SviError: the name is none.
    """
    name = (name or "").strip().removesuffix(VIDEO)
    if not name:
        if not asked.image:
            raise SviError("no-image", "There is no start image yet. Nothing was started.")
        return folder / target_of(Request(Path(asked.image))).name
    if Path(name).name != name or name in (".", ".."):
        raise SviError("name", f"{name} cannot be the name of a film: it must be a name without a folder.")
    return folder / f"{name}{VIDEO}"


def story(asked: Asked, path: Path) -> Story:
    """Return the story that a person has filled in, as `svi-install render` would have it.

    Args:
        path: the video to be.

    Raises:
        SviError: something is missing, or means nothing.
    """
    if not asked.image:
        raise SviError("no-image", "There is no start image yet. Nothing was started.")
    if not asked.text.strip():
        raise SviError("no-prompt", "There is no prompt yet: write one on each line. Nothing was started.")
    wanted = Request(
        Path(asked.image),
        # Never the name of a file.
        f"{asked.text}\n",
        path,
        variant=asked.profile or None,
        seed=_unusual(asked.seed, DEFAULT_SEED),
        steps=_unusual(asked.steps, 0),
        resolution=asked.resolution.strip() or None,
        clip_frames=_unusual(asked.clip_frames, CLIP_FRAMES),
        seconds=asked.seconds or None,
    )
    found = _written(asked, wanted) if _YAML.search(asked.text) else story_of(wanted)
    return decided.decide(found, decided.begun_with(film.store_of(path)), None)[0]


def _written(asked: Asked, wanted: Request) -> Story:
    """The story of a text in the form of a story file; the image of the page is its image."""
    try:
        values, lines = yamltree.values_of(asked.text.encode("utf-8", "replace"), "the story")
    except ImportError as error:
        raise SviError(
            "no-yaml",
            "A story in YAML cannot be read here, because WanGP's Python has no yaml. Write one prompt per line.",
        ) from error
    if isinstance(values, dict):
        values = {**values, "image": str(wanted.source)}
    read = yamlfile.parse(values, wanted.source.parent, "the story", lines)
    keys = ("seed", "steps", "resolution", "clip_frames")
    named = {name: value for name in keys if (value := getattr(wanted, name)) is not None}
    if wanted.seconds:
        frames = max(1, round(wanted.seconds * FPS))
        named["shots"] = tuple(shot if shot.frames else replace(shot, frames=frames) for shot in read.shots)
    return with_variant(replace(read, **named), wanted.variant)


def keep(path: Path, asked: Asked, hashes: Mapping[str, str]) -> None:
    """Remember what was asked for a film.

    Args:
        hashes: hash of each image of the film by its path.

    Raises:
        SviError: the disk refuses.
    """
    write_json(film.store_of(path).root / FORM, {**asked._asdict(), "known": hashes.get(str(Path(asked.image or "")))})


def kept(path: Path) -> Asked | None:
    """Return what was asked for a film on this page, None for one that was begun elsewhere."""
    store = film.store_of(path)
    found: dict[str, Any] = read_json(store.root / FORM) or {}
    asked = Asked(**{name: found[name] for name in Asked._fields if name in found})
    words = (asked.text, asked.profile, asked.resolution)
    numbers = (asked.seconds, asked.seed, asked.clip_frames, asked.steps)
    if not isinstance(asked.image, str) or not all(isinstance(each, str) for each in words):
        return None
    if not all(each is None or (isinstance(each, (int, float)) and not isinstance(each, bool)) for each in numbers):
        return None
    known = found.get("known")
    if regular(Path(asked.image)) is not None and (known is None or images.address(Path(asked.image)) == known):
        return asked
    copy = images.copy_of(store, known) if isinstance(known, str) else None
    return None if copy is None else asked._replace(image=str(copy))


def begun(path: Path) -> Story:
    """Return the story of a film that was begun here or elsewhere.

    Raises:
        SviError: there is no such film, or its story is not known.
    """
    asked = kept(path)
    if asked is not None:
        return story(asked, path)
    if regular(path) is None:
        raise SviError(
            "no-film",
            f"The film {path.stem} cannot go on by itself. Give its image and its prompts, and press Make film.",
        )
    try:
        return story_data.of_film(path)
    except ImportError as error:
        raise SviError(
            "no-yaml", f"The story in {path.name} cannot be read here, because WanGP's Python has no yaml."
        ) from error


def _unusual(number: float | None, usual: int) -> int | None:
    return None if number is None or number == usual else int(number)
