"""What a person should know before a second of GPU time is spent: what SVI refuses, advises against, and will make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import details, form, length, loras, options, windows

# Wan makes 16 frames a second.
FPS = 16.0
# Frames of a clip in the authors' training and tests.
TRAINED_FRAMES = 81
# Methods of WanGP's upsamplers that work inside the VAE, for releases that cannot be asked (before 12.22).
VAE_METHODS = ("vae",)


class RefusalError(Exception):
    """SVI cannot do what the settings ask for; the message is for the person."""


def continues_video(arguments: Mapping[str, Any]) -> bool:
    """Whether the settings ask for a video to be continued: a given one ("V") or the last one ("L")."""
    kinds = str(arguments.get("image_prompt_type") or "")
    return "V" in kinds or "L" in kinds


def start(arguments: Mapping[str, Any]) -> None:
    """Makes sure that there is something to start from, before WanGP puts a black picture in its place.

    Raises:
        RefusalError: there is nothing.
    """
    if not continues_video(arguments) and not _given(arguments.get("image_start")):
        raise RefusalError(
            f"{form.LABEL} needs a Start Image, or a video to continue. Add one, or set {form.LABEL} to Off."
        )


def lengths(
    namespace: Mapping[str, Any],
    generate: Callable[..., Any] | None,
    chosen: options.Options,
    arguments: Mapping[str, Any],
) -> length.Lengths:
    """Frame counts of the video that the settings ask for.

    Args:
        namespace: WanGP's globals.
        generate: its function that makes a video.
        chosen: the choice of SVI.
        arguments: settings of the generation.

    Raises:
        RefusalError: SVI cannot make that video; the message says what to change.
    """
    start(arguments)
    if in_the_vae(namespace, arguments.get("spatial_upsampling")):
        raise RefusalError(
            "SVI chains frames of the video's own size. Choose a Spatial Upsampling that does not use the VAE."
        )
    slashes = namespace.get("has_slash_commands")
    prompts = [line.strip() for line in str(arguments.get("prompt") or "").splitlines()]
    if callable(slashes) and slashes(prompts):
        raise RefusalError(
            f"SVI plans the windows itself. Remove the commands such as [/duration=5s] from the prompt, or set "
            f"{form.LABEL} to Off."
        )
    bad = loras.broken(namespace, arguments.get("model_type"), arguments.get("activated_loras"))
    if bad is not None:
        path, wrong = bad
        raise RefusalError(
            f"the LoRA {path.name} {wrong}. "
            f"Delete {path.absolute()} and apply the profile again; WanGP then downloads a new copy."
        )
    asked = (int(arguments["video_length"]), int(arguments["sliding_window_size"]), chosen.motion_frames)
    arithmetic = windows.of(namespace, generate, arguments)
    try:
        return length.plan(*asked, continues_video(arguments), arithmetic)
    except ValueError as error:
        raise RefusalError(f"{error}.") from None


def arrivals(
    chosen: options.Options, planned: length.Lengths, architecture: str, arguments: Mapping[str, Any]
) -> tuple[int, ...]:
    """The clips that arrive at an image, in the order of the End Images.

    Args:
        chosen: the choice of SVI.
        planned: the clips.
        architecture: WanGP's name of the model's architecture.
        arguments: settings of the generation.

    Raises:
        RefusalError: this model was not trained to arrive at an image, or there is no clip for an image.
    """
    images = end_images(arguments)
    if not images:
        if chosen.end_clips and planned.clips > 0:
            raise RefusalError(
                'SVI details name clips for End Images, but there is none. Tick "End Image(s)" and add the images, or '
                'remove "end images" from SVI details.'
            )
        return ()
    if architecture not in options.ARRIVING:
        raise RefusalError(
            'SVI on Wan 2.1 cannot end on an image, its model was not trained for that. Untick "End Image(s)", choose '
            f"Wan 2.2 Image2video with SVI-2.0, or set {form.LABEL} to Off."
        )
    wanted = tuple(planned.clips if clip == details.LAST else clip for clip in chosen.end_clips)
    clips = wanted or tuple(range(1, len(images) + 1))
    if len(clips) != len(images):
        raise RefusalError(
            f"There {_are(len(images), 'End Image')}, but SVI details name {_clips(len(clips))} for them. "
            'Name one clip for each, such as "end images 2 4".'
        )
    late = [clip for clip in clips if clip > planned.clips]
    if late or len(set(clips)) != len(clips):
        what = f"clip {late[0]}" if late else f"clip {clips[-1]} a second time"
        raise RefusalError(
            f"An End Image is for {what}, but the video has {_clips(planned.clips)}. Remove an End Image, raise the "
            "Number of Frames, or change SVI details."
        )
    return clips


def end_images(arguments: Mapping[str, Any]) -> list[Any]:
    """The End Images that settings bring; without "E" in the kinds WanGP leaves them out."""
    given = arguments.get("image_end")
    images = list(given) if isinstance(given, list | tuple) else [given]
    return [one for one in images if one is not None] if "E" in str(arguments.get("image_prompt_type") or "") else []


def advice(
    chosen: options.Options, planned: length.Lengths, architecture: str, active: Any, prompts: Sequence[str]
) -> list[str]:
    """What may go on, but will probably not be what the person wants; a sentence or two each.

    Args:
        chosen: the choice of SVI.
        planned: the clips.
        architecture: WanGP's name of the model's architecture.
        active: the chosen LoRAs as WanGP holds them.
        prompts: one for each clip.
    """
    said = []
    files = loras.svi_loras(active)
    wrong = loras.misfits(files, chosen.variant, architecture) if chosen.variant != options.CUSTOM else []
    if not files:
        said.append(
            "No SVI LoRA is active, so the video will drift. "
            f"Activate the LoRA of {chosen.label}, or apply an SVI profile."
        )
    elif wrong:
        made_for = loras.variant_of(wrong[0])
        belongs = (
            f"belongs to {loras.label_of(made_for)}"
            if made_for not in (None, chosen.variant)
            else "is for another model"
        )
        said.append(
            f"{form.LABEL} is set to {chosen.label}, but the active LoRA {wrong[0]} {belongs}. "
            f"Apply the profile again, or activate the LoRA of {chosen.label}."
        )
    if len(prompts) > planned.clips:
        rest = len(prompts) - planned.clips
        said.append(
            f"{len(prompts)} prompts, but only {_clips(planned.clips)}: the last {'one' if rest == 1 else rest} "
            "will not be used. Raise the Number of Frames, or remove prompts."
        )
    if planned.clip_frames != TRAINED_FRAMES:
        said.append(
            f"SVI was trained on clips of {TRAINED_FRAMES} frames; yours have {planned.clip_frames}. "
            f"A Sliding Window Size of {TRAINED_FRAMES} works best."
        )
    return said


def outlook(chosen: options.Options, planned: length.Lengths, active: Any, rate: float) -> str:
    """One line about what comes: variant, LoRAs, clips, seconds of film."""
    files = loras.svi_loras(active)
    using = f" with {' and '.join(files)}" if files else " without an SVI LoRA"
    behind = " behind the video" if planned.total is None else ""
    return (
        f"{chosen.label}{using}: {_clips(planned.clips)} of {planned.clip_frames} frames, "
        f"{planned.new_frames / rate:.1f} seconds{behind}"
    )


def in_the_vae(namespace: Mapping[str, Any], method: Any) -> bool:
    """Whether an upsampling happens while the VAE decodes, so that a clip's frames are larger than the video."""
    ask = getattr(namespace.get("upsampler_api"), "is_vae_upsampling", None)
    if callable(ask) and ask(method):
        return True
    return str(method or "").lower().startswith(VAE_METHODS)


def frame_rate(namespace: Mapping[str, Any], arguments: Mapping[str, Any]) -> float:
    """Frames of the video in a second."""
    ask = namespace.get("get_computed_fps")
    try:
        asked = [arguments.get(name) for name in ("force_fps", "model_type", "video_guide", "video_source")]
        return float(ask(asked[0] or "", *asked[1:])) if callable(ask) else FPS
    except Exception:  # noqa: BLE001  (only for a line of text)
        return FPS


def _are(number: int, what: str) -> str:
    return f"is 1 {what}" if number == 1 else f"are {number} {what}s"


def _clips(number: int) -> str:
    return f"{number} clip" if number == 1 else f"{number} clips"


def _given(image: Any) -> bool:
    """Releases hold one image, a list of them, or nothing."""
    return any(one is not None for one in image) if isinstance(image, list | tuple) else image is not None
