"""A story as the values of a story file, as they are kept in a film, and back."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...checkout.mp4 import comment
from ...errors import SviError
from ..script import yamlfile, yamltree
from ..script.story import FILES, Lora, Shot, Story, usage
from .store import digest, regular

# What story files may hold is far less; anything beyond was not written by `render`.
LARGEST = 4 * 1024 * 1024
STORY, IMAGES = "story", "images"
_TOP = ("image", "video", "shots")


def data_of(story: Story, folder: Path) -> dict[str, Any]:
    """Return a story as a story file in a folder would have it.

    Args:
        folder: paths in it are named from here; a file elsewhere only by its name, because a film gets about and a
            path tells who its maker is.
    """
    top: dict[str, Any] = {} if story.video is None else {"video": _name(story.video, folder)}
    if story.image != story.video:
        top["image"] = _name(story.image, folder)
    changed = _changed(story, folder)
    top.update({name: changed.pop(name) for name in ("end_image", "loop") if name in changed})
    # What was chosen for a person is said too: another version may choose otherwise.
    top["defaults"] = {"variant": story.variant, **changed}
    return {**top, "shots": [_shot(shot, folder) for shot in story.shots]}


def of_film(path: Path) -> Story:
    """Read the story that a film was rendered from.

    Images are looked for under their names and, by their hashes, in the folder that lies beside the film.

    Raises:
        SviError: the file cannot be read, or there is no story in it.
    """
    found = kept_in(path)
    if found is None:
        raise usage(
            f"There is no story in {path}, and there are no prompts. Nothing was started.",
            'svi-install render IMAGE "walking | running"',
        )
    name = f"the story in {path.name}"
    # With all the limits of a story file.
    values, _ = yamltree.values_of(json.dumps(found[STORY], ensure_ascii=False).encode("utf-8", "replace"), name)
    story = yamlfile.parse(values, path.absolute().parent, name)
    hashes = found.get(IMAGES)
    known = {path.absolute().parent / name: value for name, value in hashes.items()} if isinstance(hashes, dict) else {}

    def there(image: Path | None) -> Path | None:
        wanted = known.get(image) if image is not None else None
        if image is None or not isinstance(wanted, str) or not wanted.isalnum() or _has(image, wanted):
            return image
        copies = sorted(path.absolute().with_suffix(".svi").joinpath(IMAGES).glob(f"{wanted[:16]}.*"))
        return next((copy for copy in copies if _has(copy, wanted)), image)

    shots = (
        dataclasses.replace(shot, image=there(shot.image), end_image=there(shot.end_image)) for shot in story.shots
    )
    return dataclasses.replace(
        story, image=there(story.image) or story.image, end_image=there(story.end_image), shots=tuple(shots)
    )


def kept_in(path: Path) -> Mapping[str, Any] | None:
    """Return what `render` has left in a film: its ``story``, and the hash of each image by its name; None without.

    Raises:
        SviError: the file cannot be read.
    """
    text = comment(path)
    if not text or len(text) > LARGEST:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    svi = found.get("svi") if isinstance(found, dict) else None
    return svi if isinstance(svi, dict) and isinstance(svi.get(STORY), dict) else None


def hashes_of(images: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the hash of each image by the name that a story in a folder has for it."""
    return {_name(Path(path), folder): found for path, found in images.items()}


def _changed(value: Story | Shot, folder: Path) -> dict[str, Any]:
    """Everything that is not as it would be if nothing had been said."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        now = getattr(value, field.name)
        usual = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
        if field.name not in _TOP and field.compare and now != usual:
            found[field.name] = _plain(field.name, now, folder)
    return found


def _shot(shot: Shot, folder: Path) -> dict[str, Any]:
    found = _changed(shot, folder)
    return {
        "prompt": shot.prompt,
        **{name: value for name, value in found.items() if name != "prompt"},
        **_own(shot, folder),
    }


def _own(shot: Shot, folder: Path) -> dict[str, Any]:
    return {} if shot.image is None else {"image": _name(shot.image, folder)}


def _plain(name: str, value: Any, folder: Path) -> Any:
    if isinstance(value, Path):
        return _name(value, folder)
    if isinstance(value, Lora):
        return value.name if value.strength == "1" else {value.name: value.strength}
    if isinstance(value, Mapping):
        return {key: _plain(key, each, folder) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(name, each, folder) for each in value]
    return _name(Path(value), folder) if name in FILES and isinstance(value, str) and value else value


def _name(path: Path, folder: Path) -> str:
    with contextlib.suppress(ValueError):
        return path.absolute().relative_to(folder.absolute()).as_posix()
    return path.name


def _has(path: Path, wanted: str) -> bool:
    with contextlib.suppress(OSError, SviError):
        return regular(path) is not None and digest(path) == wanted
    return False
