"""What a person asks for: an image, shots in the order of the film, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import EXIT_USAGE, SviError

FPS = 16
CLIP_FRAMES = 81
DEFAULT_SEED = 7
SEED_STRIDE = 42
# Beyond these a number is a slip, and everything behind it takes forever.
MOST_SECONDS = 24 * 60 * 60
MOST_SHOTS = 2000
MOST_SEGMENTS = 5000
MOST_STEPS = 1000
MOST_CLIP_FRAMES = 1001
LORAS = "activated_loras"
# WanGP's settings that name files.
FILES = (
    *("image_refs", "image_guide", "image_mask", "video_guide", "video_guide2", "video_mask", "video_source"),
    *("audio_guide", "audio_guide2", "audio_source", "custom_guide"),
)


@dataclass(frozen=True)
class Lora:
    """A LoRA beside those of the variant.

    Args:
        name: file name in WanGP's LoRA folder, or an address.
        strength: as WanGP writes it, such as ``0.8`` or ``1;0`` for the two experts of Wan 2.2.
    """

    name: str
    strength: str = "1"


@dataclass(frozen=True)
class Shot:
    """One prompt and how long it lasts.

    Args:
        prompt: what is to be seen.
        frames: length, rounded to whole clips; None for one clip.
        seed: of its first clip; None to go on counting from the story's.
        steps: denoising steps, None for those of the story.
        end_image: last frame; SVI 2 Pro only.
        image: image from which a new scene starts; None for the story's.
        loras: further LoRAs for this shot.
        new_shot: starts anew from the image instead of going on where the shot before ended.
        settings: further WanGP settings for this shot.
    """

    prompt: str
    frames: int | None = None
    seed: int | None = None
    steps: int | None = None
    end_image: Path | None = None
    image: Path | None = None
    loras: tuple[Lora, ...] = ()
    new_shot: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Story:
    """A film to be.

    Args:
        image: start image and, for all of a scene, its anchor.
        shots: at least one.
        variant: key of `variants.VARIANTS`, or the name of one of the package's profiles.
        seed: of the first clip; each further clip adds 42, as SVI's authors advise.
        steps: denoising steps, None for those of the variant.
        resolution: width x height, None for the variant's.
        clip_frames: frames of a clip.
        negative_prompt: what is not to be seen.
        loras: LoRAs for every shot beside those of the variant.
        settings: further WanGP settings, which win over the variant's.
    """

    image: Path
    shots: tuple[Shot, ...]
    variant: str = "shot"
    seed: int = DEFAULT_SEED
    steps: int | None = None
    resolution: str | None = None
    clip_frames: int = CLIP_FRAMES
    negative_prompt: str | None = None
    loras: tuple[Lora, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


def absolute(settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return settings in which a file is named by its whole path: WanGP runs in another folder."""

    def whole(value: Any) -> Any:
        if isinstance(value, list):
            return [whole(each) for each in value]
        return str(folder.absolute() / value) if isinstance(value, str) and value else value

    return {name: whole(value) if name in FILES else value for name, value in settings.items()}


def is_list_of_names(value: Any) -> bool:
    """Tell whether a setting such as ``activated_loras`` is what WanGP takes it for."""
    return value is None or (isinstance(value, list) and all(isinstance(each, str) for each in value))


def usage(message: str, hint: str = "") -> SviError:
    """Return the error for a story that cannot be read."""
    return SviError("story", message, hint, EXIT_USAGE)
