"""What a person asks for: an image, shots in the order of the film, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import EXIT_USAGE, SviError

FPS = 16
CLIP_FRAMES = 81
DEFAULT_SEED = 7
SEED_STRIDE = 42
# Far from 42 and its multiples, so that a new take never meets another segment's seed.
TAKE_STRIDE = 1_000_003
SEEDS = 2**31
MOST_TAKES = 99
# Beyond these a number is a slip, and everything behind it takes forever.
MOST_SECONDS = 24 * 60 * 60
MOST_SHOTS = 2000
MOST_SEGMENTS = 5000
# A scene that begins like an earlier one is to look different; it counts from beyond all clips of that one.
SCENE_STRIDE = SEED_STRIDE * MOST_SEGMENTS
MOST_STEPS = 1000
MOST_CLIP_FRAMES = 1001
LORAS = "activated_loras"
# In the place of a variant's name: the accelerated profile of the variant that fits the prompts.
FAST = "fast"
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
        end_image: last frame; Wan 2.2 only.
        image: image from which a new scene starts; None for the story's.
        loras: further LoRAs for this shot.
        new_shot: starts anew from the image instead of going on where the shot before ended.
        settings: further WanGP settings for this shot.
        style: what its prompt begins with instead of the story's style; None for the story's.
        takes: how many takes of each of its clips are wanted; None for as many as of the story's.
        take: which take of each of its clips is in the film, in their order; the last one also holds for the clips
            behind it. Empty for what was picked by command.
        line: of the story file, None where there is none.
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
    style: str | None = None
    takes: int | None = None
    take: tuple[int, ...] = ()
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Story:
    """A film to be.

    Args:
        image: start image and, for all of a scene, its anchor.
        shots: at least one.
        variant: key of `variants.VARIANTS`, or the name of one of the package's profiles; see `with_variant`.
        seed: of the first clip of each scene; each further clip adds 42, as SVI's authors advise.
        steps: denoising steps, None for those of the variant.
        resolution: width x height, None for the variant's.
        clip_frames: frames of a clip.
        negative_prompt: what is not to be seen.
        loras: LoRAs for every shot beside those of the variant.
        settings: further WanGP settings, which win over the variant's.
        style: what every prompt begins with.
        takes: how many takes of each clip are wanted.
        chosen: what nobody has named and was chosen: may be ``variant`` or ``resolution``.
        fps: frames a second of the file to publish, None for none of its own.
        audio: music of the file to publish.
        scale: size of the file to publish, see `sizes.scaled`.
        video: a video that the first scene goes on from, None where it begins at the image.
        handed: address of the frames that are taken out of this video, None until they are.
        end_image: last frame of the film, None for that of its last shot; Wan 2.2 only.
        loop: the film comes back to the image that it begins with; Wan 2.2 only.
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
    style: str = ""
    takes: int = 1
    chosen: tuple[str, ...] = field(default=(), compare=False)
    fps: int | None = None
    audio: Path | None = None
    scale: str | None = None
    video: Path | None = None
    handed: str | None = field(default=None, compare=False)
    end_image: Path | None = None
    loop: bool = False


def with_variant(story: Story, named: str | None = None) -> Story:
    """Choose the variant where nobody has named one: SVI-Shot repeats one prompt, SVI-2.0 is for several.

    Args:
        named: what a person has named last, None for what the story says; ``fast`` is the accelerated profile.
    """
    name = named or story.variant
    if name not in ("", FAST):
        return replace(story, variant=name, chosen=tuple(each for each in story.chosen if each != "variant"))
    usual = "2.0" if len({shot.prompt for shot in story.shots}) > 1 else "shot"
    return replace(story, variant=f"{usual}-{FAST}" if name else usual, chosen=(*story.chosen, "variant"))


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
