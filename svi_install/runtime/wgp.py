"""Installs the runtime into a running WanGP: wraps functions of wgp.py, touches no file."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from . import form, length, metadata, options, segment, settings
from .console import say
from .run import ProRun, Run, begin
from .version import __version__

Namespace = MutableMapping[str, Any]

GENERATE = ("generate_media", "generate_video")
NEEDED = ("get_function_arguments", "get_model_def", "get_base_model_type")
MARK = "_svi_installed"
# WanGP's folder: the runtime lies in svi_wangp inside of it.
ROOT = Path(__file__).resolve().parent.parent

# What each file must still hold for SVI to be what it says; checked when a generation with SVI starts.
HOOKS = {
    "wgp.py": ("svi_wangp.attach(", "svi_wangp.stitch("),
    "models/wan/any2video.py": (
        'bbargs["svi_wangp"].condition(',
        'bbargs["svi_wangp"].first_frame_only(',
        'bbargs["svi_wangp"].schedule(',
        'bbargs["svi_wangp"].noise(',
    ),
}


class RefusalError(Exception):
    """SVI cannot do what the settings ask for; the message is for the person."""


def install(namespace: Namespace) -> None:
    """Hook at the end of wgp.py.

    WanGP imports wgp.py a second time under another name in releases before 10.80: each copy is wrapped once.

    Args:
        namespace: the module's globals; functions in it are replaced by wrappers.
    """
    if namespace.get(MARK):
        return
    name = next((name for name in GENERATE if callable(namespace.get(name))), None)
    missing = [needed for needed in NEEDED if not callable(namespace.get(needed))]
    if name is None or missing:
        say(f"off: this WanGP has no function {', '.join(missing) or ' or '.join(GENERATE)}; run svi-install again")
        return
    namespace[MARK] = True
    namespace[name] = _wrap_generate(namespace, namespace[name])
    namespace["get_function_arguments"] = _wrap_function_arguments(namespace["get_function_arguments"])
    if callable(namespace.get("validate_settings")):
        namespace["validate_settings"] = _wrap_validate(namespace, namespace["validate_settings"])
    settings.wrap(namespace)
    metadata.wrap(namespace)
    if settings.has_form_fields(namespace):
        _add_fields(namespace)
    metadata.allow_keys()


def missing_hooks(root: Path) -> str | None:
    """The first file that has lost one of svi-install's lines, None when all are there."""
    for path, lines in HOOKS.items():
        text = (root / path).read_text("utf-8", "replace")
        if any(line not in text for line in lines):
            return path
    return None


def _wrap_generate(namespace: Namespace, original: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)

    @functools.wraps(original)
    def generate(*args: Any, **kwargs: Any) -> Any:
        known = signature.parameters
        own = (*options.KEYS, *options.HEADLESS_KEYS, options.PROOF)
        keys = {key: kwargs.pop(key) for key in own if key in kwargs and key not in known}
        bound = signature.bind_partial(*args, **kwargs)
        try:
            run = _prepare(namespace, bound.arguments, keys)
        except RefusalError as refusal:
            say(f"not started: {refusal}")
            bound.arguments["send_cmd"]("error", f"SVI: {refusal}")
            return False
        except Exception as error:  # noqa: BLE001  (WanGP must generate, with or without SVI)
            say(f"off, WanGP goes on without it: {type(error).__name__}: {error}")
            run = None
        if run is None:
            return original(*args, **kwargs)
        begin(run)
        try:
            return original(*bound.args, **bound.kwargs)
        finally:
            begin(None)

    # WanGP drops every setting that is not a parameter of this function.
    generate.__signature__ = _with_keys(signature)  # type: ignore[attr-defined]
    generate.svi_original = original  # type: ignore[attr-defined]
    return generate


def _with_keys(signature: inspect.Signature) -> inspect.Signature:
    parameters = list(signature.parameters.values())
    rest = [parameters.pop()] if parameters and parameters[-1].kind is inspect.Parameter.VAR_KEYWORD else []
    added = [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=None)
        for key in (*options.KEYS, *options.HEADLESS_KEYS)
        if key not in signature.parameters
    ]
    return signature.replace(parameters=[*parameters, *added, *rest])


def _prepare(namespace: Namespace, arguments: MutableMapping[str, Any], keys: Mapping[str, Any]) -> Run | ProRun | None:
    """Decides on SVI for one generation and changes WanGP's arguments for it.

    Raises:
        RefusalError: SVI is on, but cannot do this.
    """
    if str(arguments.get("mode") or "").startswith("edit_") or arguments.get("image_mode", 0) > 0:
        return None
    architecture = namespace["get_base_model_type"](arguments.get("model_type"))
    fields = arguments.get("custom_settings")
    fields = fields if isinstance(fields, dict) else None
    if architecture == options.PRO_ARCHITECTURE:
        try:
            return ProRun(__version__, _segment(keys, 0)) if options.clip_seeds_wanted(keys, fields) else None
        except ValueError as error:
            raise RefusalError(f"{error}.") from None
    chosen = _chosen(keys, fields, architecture)
    if chosen is None:
        return None
    lengths = check(namespace, chosen, arguments)
    lost = missing_hooks(ROOT)
    if lost is not None:
        say(f"off, WanGP goes on without it: {lost} has lost a line of svi-install; run svi-install again")
        return None
    changed = {
        "video_length": lengths.wangp_frames,
        "sliding_window_overlap": lengths.overlap,
        "sliding_window_discard_last_frames": 0,
        "sliding_window_overlap_noise": 0,
        "sliding_window_color_correction_strength": 0,
    }
    arguments.update({name: value for name, value in changed.items() if name in arguments})
    loras = arguments.get("activated_loras")
    part = _segment(keys, chosen.motion_frames)
    state = arguments.get("state")
    if part is not None and isinstance(state, dict) and not state.get("loras"):
        # WanGP up to 9.92 leaves out the chosen LoRAs while this list is empty, as it is in its headless mode.
        state["loras"] = list(loras or [])
    names, keeps_head = settings.file_names(loras), options.keeps_head(str(architecture))
    run = Run(chosen, lengths, names, __version__, segment=part, keeps_head=keeps_head)
    run.announce()
    if not settings.svi_loras(loras):
        say("no LoRA with SVI in its name is chosen; without one the video drifts")
    return run


def _segment(keys: Mapping[str, Any], motion_frames: int) -> segment.Segment | None:
    """The files of a film that this task belongs to, None for an ordinary task.

    Raises:
        RefusalError: the clip before has not left what this one continues.
    """
    found = segment.of_keys(keys)
    try:
        if found is not None:
            found.check(motion_frames)
    except ValueError as error:
        raise RefusalError(f"{error}.") from None
    return found


def check(namespace: Namespace, chosen: options.Options, arguments: Mapping[str, Any]) -> length.Lengths:
    """Frame counts of the video that the settings ask for.

    Raises:
        RefusalError: SVI cannot make that video; the message says what to change.
    """
    kinds = str(arguments.get("image_prompt_type") or "")
    continues = "V" in kinds or "L" in kinds
    if "E" in kinds and _given(arguments.get("image_end")):
        raise RefusalError("it cannot end on an image. Remove the End Image, or set SVI to off.")
    if not continues and not _given(arguments.get("image_start")):
        raise RefusalError("it needs a Start Image, or a video to continue.")
    if str(arguments.get("spatial_upsampling") or "").startswith("vae"):
        raise RefusalError("it chains frames of the video's own size. Choose a Spatial Upsampling without VAE.")
    slashes = namespace.get("has_slash_commands")
    prompts = [line.strip() for line in str(arguments.get("prompt") or "").splitlines()]
    if callable(slashes) and any(line.startswith("/") for line in prompts) and slashes(prompts):
        raise RefusalError(
            "it plans the windows itself. Remove the lines' commands that start with /, or set SVI to off."
        )
    try:
        return length.plan(
            int(arguments["video_length"]), int(arguments["sliding_window_size"]), chosen.motion_frames, continues
        )
    except ValueError as error:
        raise RefusalError(f"{error}.") from None


def _given(image: Any) -> bool:
    """Releases hold one image, a list of them, or nothing."""
    return any(one is not None for one in image) if isinstance(image, list | tuple) else image is not None


def _chosen(
    keys: Mapping[str, Any], fields: Mapping[str, Any] | None, architecture: str | None
) -> options.Options | None:
    if architecture not in options.ARCHITECTURES:
        return None
    try:
        return options.resolve(keys, fields, architecture)
    except ValueError as error:
        raise RefusalError(f"{error}.") from None


def _wrap_function_arguments(original: Callable[..., Any]) -> Callable[..., Any]:
    """WanGP looks up every parameter of its function among that function's local variables, which lack ours."""

    @functools.wraps(original)
    def get_function_arguments(func: Any, local_variables: Mapping[str, Any]) -> Any:
        return original(getattr(func, "svi_original", func), local_variables)

    return get_function_arguments


def _wrap_validate(namespace: Namespace, original: Callable[..., Any]) -> Callable[..., Any]:
    """WanGP's check of a request: says what SVI cannot do, and does not mind the overlap that SVI sets itself."""
    signature = inspect.signature(original)

    @functools.wraps(original)
    def validate_settings(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        inputs = bound.arguments["inputs"]
        silent = bool(bound.arguments.get("silent"))
        try:
            chosen = _of_inputs(namespace, bound.arguments["model_type"], inputs)
        except RefusalError as refusal:
            return _refuse(namespace, str(refusal), silent)
        except Exception as error:  # noqa: BLE001  (WanGP must generate, with or without SVI)
            say(f"could not check these settings: {type(error).__name__}: {error}")
            chosen = None
        if chosen is None:
            return original(*args, **kwargs)
        asked = inputs.get("sliding_window_overlap")
        if asked is not None:
            inputs["sliding_window_overlap"] = metadata.stock_overlap(namespace, bound.arguments["model_type"])
        try:
            result = original(*args, **kwargs)
        finally:
            if asked is not None:
                inputs["sliding_window_overlap"] = asked
        accepted = result[0] if isinstance(result, tuple) and result else None
        if asked is not None and isinstance(accepted, dict) and "sliding_window_overlap" in accepted:
            accepted["sliding_window_overlap"] = asked
        if accepted is None:
            return result
        try:
            lengths = check(namespace, chosen, {**inputs, **accepted})
        except RefusalError as refusal:
            return _refuse(namespace, str(refusal), silent, len(result))
        if not silent:
            _tell(namespace, f"SVI: {lengths.describe()}")
        return result

    return validate_settings


def _of_inputs(namespace: Namespace, model_type: Any, inputs: Mapping[str, Any]) -> options.Options | None:
    if str(inputs.get("mode") or "").startswith("edit_") or inputs.get("image_mode", 0) > 0:
        return None
    fields = inputs.get("custom_settings")
    fields = fields if isinstance(fields, dict) else None
    return _chosen(inputs, fields, namespace["get_base_model_type"](model_type))


def _refuse(namespace: Namespace, message: str, silent: bool, width: int | None = None) -> tuple[Any, ...]:
    """What WanGP's own check returns for a request that it refuses: Nones, then the message where it wants one."""
    say(f"not started: {message}")
    if not silent:
        _tell(namespace, f"SVI: {message}")
    if width is None:
        width = 5 if "silent" in inspect.signature(namespace["validate_settings"]).parameters else 4
    return (None,) * 4 + (f"SVI: {message}",) * (width - 4)


def _tell(namespace: Namespace, message: str) -> None:
    gradio = namespace.get("gr")
    if gradio is not None:
        gradio.Info(message)


def _add_fields(namespace: Namespace) -> None:
    """Declares SVI's form fields in all model definitions, and again whenever WanGP makes new ones."""
    dropdowns = "dropdown" in (namespace.get("CUSTOM_SETTING_TYPES") or ())
    room = int(namespace.get("CUSTOM_SETTINGS_MAX") or 0)

    def declare_all() -> None:
        for model_def in (namespace.get("models_def") or {}).values():
            form.declare(model_def, dropdowns, room)

    def again(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def with_fields(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            declare_all()
            return result

        return with_fields

    declare_all()
    for name in ("refresh_model_defs", "init_model_def"):
        if callable(namespace.get(name)):
            namespace[name] = again(namespace[name])
