"""Installs the runtime into a running WanGP: wraps functions of wgp.py, touches no file."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from . import checks, form, home, length, loras, metadata, notice, options, segment, settings, tab
from .checks import RefusalError
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
        say(f"off: this WanGP has no function {', '.join(missing) or ' or '.join(GENERATE)}; {home.remedy()}")
        return
    namespace[MARK] = True
    original = namespace[name]
    namespace[name] = _wrap_generate(namespace, original)
    namespace["get_function_arguments"] = _wrap_function_arguments(namespace["get_function_arguments"])
    if callable(namespace.get("validate_settings")):
        namespace["validate_settings"] = _wrap_validate(namespace, original, namespace["validate_settings"])
    notice.wrap(namespace)
    tab.wrap(namespace)
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
        # Profiles and tasks carry custom_settings for the releases that have them; older ones pass on what they get.
        own = (*options.KEYS, *options.HEADLESS_KEYS, options.PROOF, "custom_settings")
        keys = {key: kwargs.pop(key) for key in own if key in kwargs and key not in known}
        bound = signature.bind_partial(*args, **kwargs)
        try:
            run = _prepare(namespace, original, bound.arguments, keys)
        except RefusalError as refusal:
            say(f"not started: {refusal}")
            bound.arguments["send_cmd"]("error", f"SVI: {refusal}")
            return False
        except Exception as error:  # noqa: BLE001  (WanGP must generate, with or without SVI)
            say(f"off; WanGP carries on without it: {type(error).__name__}: {error}")
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


def _prepare(
    namespace: Namespace,
    generate: Callable[..., Any],
    arguments: MutableMapping[str, Any],
    keys: Mapping[str, Any],
) -> Run | ProRun | None:
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
    lengths = checks.lengths(namespace, generate, chosen, arguments)
    arrivals = checks.arrivals(chosen, lengths, str(architecture), arguments)
    lost = home.lost(lambda: missing_hooks(ROOT))
    if lost is not None:
        say(f"off; WanGP carries on without it: {lost} has lost a line of svi-install; {home.remedy()}")
        return None
    changed = {
        "video_length": lengths.wangp_frames,
        "sliding_window_overlap": lengths.overlap,
        "sliding_window_discard_last_frames": 0,
        "sliding_window_overlap_noise": 0,
        "sliding_window_color_correction_strength": 0,
    }
    arguments.update({name: value for name, value in changed.items() if name in arguments})
    active = arguments.get("activated_loras")
    part = _segment(keys, chosen.motion_frames)
    state = arguments.get("state")
    if part is not None and isinstance(state, dict) and not state.get("loras"):
        # WanGP up to 9.92 leaves out the chosen LoRAs while this list is empty, as it is in its headless mode.
        state["loras"] = list(active or [])
    names, keeps_head = loras.file_names(active), options.keeps_head(str(architecture))
    run = Run(chosen, lengths, names, __version__, segment=part, keeps_head=keeps_head, arrivals=arrivals)
    run.announce()
    # How many prompts there are for the clips, the first clip knows.
    for sentence in checks.advice(chosen, lengths, str(architecture), active, ()):
        say(sentence)
    images = dict(zip(arrivals, checks.end_images(arguments), strict=True))
    if images:
        # WanGP's window n takes the n-th; the run takes away what only fills a place. Last here: an error behind it
        # would leave the fillers to a video without SVI.
        filler = next(iter(images.values()))
        arguments["image_end"] = [images.get(clip, filler) for clip in range(1, max(images) + 1)]
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


def _wrap_validate(
    namespace: Namespace, generate: Callable[..., Any], original: Callable[..., Any]
) -> Callable[..., Any]:
    """WanGP's check of a request: says what SVI cannot do, and does not mind the overlap that SVI sets itself."""
    signature = inspect.signature(original)

    @functools.wraps(original)
    def validate_settings(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        inputs = bound.arguments["inputs"]
        silent = bool(bound.arguments.get("silent"))
        model_type = bound.arguments["model_type"]
        try:
            chosen = _of_inputs(namespace, model_type, inputs)
            if chosen is not None:
                checks.start(inputs)
                _look_for_hooks(silent)
        except RefusalError as refusal:
            return _refuse(namespace, str(refusal), silent)
        except Exception as error:  # noqa: BLE001  (WanGP must generate, with or without SVI)
            say(f"could not check these settings: {type(error).__name__}: {error}")
            chosen = None
        if chosen is None:
            return original(*args, **kwargs)
        asked = inputs.get("sliding_window_overlap")
        if asked is not None:
            inputs["sliding_window_overlap"] = metadata.stock_overlap(namespace, model_type)
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
        settled = {**inputs, **accepted, "model_type": model_type}
        try:
            lengths = checks.lengths(namespace, generate, chosen, settled)
            checks.arrivals(chosen, lengths, str(namespace["get_base_model_type"](model_type)), settled)
            if not silent:
                _tell(namespace, chosen, lengths, settled, result[1])
        except RefusalError as refusal:
            return _refuse(namespace, str(refusal), silent, len(result))
        except Exception as error:  # noqa: BLE001  (a newer WanGP that counts otherwise must generate all the same)
            say(f"could not check these settings: {type(error).__name__}: {error}")
        return result

    return validate_settings


def _look_for_hooks(silent: bool) -> None:
    """Somebody at the form is stopped before WanGP makes hours of video without SVI.

    Raises:
        RefusalError: a file has lost a line of svi-install.
    """
    lost = home.lost(lambda: missing_hooks(ROOT)) if notice.in_form() and not silent else None
    if lost is not None:
        remedy = home.remedy()
        raise RefusalError(
            f"{lost} has lost a line of svi-install, probably through an update. {remedy[0].upper()}{remedy[1:]} and "
            f"restart WanGP, or set {form.LABEL} to Off."
        )


def _tell(
    namespace: Namespace,
    chosen: options.Options,
    lengths: length.Lengths,
    settled: Mapping[str, Any],
    prompts: Any,
) -> None:
    """Before Generate goes on: one line about what comes, and what may be amiss with it."""
    architecture = str(namespace["get_base_model_type"](settled["model_type"]))
    active = settled.get("activated_loras")
    for_clips = prompts if isinstance(prompts, list) and _one_per_clip(settled) else ()
    notice.inform(namespace, checks.outlook(chosen, lengths, active, checks.frame_rate(namespace, settled)))
    for sentence in checks.advice(chosen, lengths, architecture, active, for_clips):
        notice.warn(namespace, sentence)


def _one_per_clip(settings: Mapping[str, Any]) -> bool:
    """Whether the prompts are for the windows of one video and not for videos of their own: 1, then "W" and "PW"."""
    kind = settings.get("multi_prompts_gen_type")
    return "W" in kind if isinstance(kind, str) else kind == 1


def _of_inputs(namespace: Namespace, model_type: Any, inputs: MutableMapping[str, Any]) -> options.Options | None:
    """The choice in a request; its fields are written anew, for WanGP refuses those that 0.1.0 had and this has not."""
    if str(inputs.get("mode") or "").startswith("edit_") or inputs.get("image_mode", 0) > 0:
        return None
    fields = inputs.get("custom_settings")
    fields = fields if isinstance(fields, dict) else None
    architecture = namespace["get_base_model_type"](model_type)
    chosen = _chosen(inputs, fields, architecture)
    if chosen is not None and settings.has_form_fields(namespace):
        others = {name: value for name, value in (fields or {}).items() if name not in options.FIELDS}
        inputs["custom_settings"] = {**others, **chosen.fields(str(architecture))}
    return chosen


def _refuse(namespace: Namespace, message: str, silent: bool, width: int | None = None) -> tuple[Any, ...]:
    """What WanGP's own check returns for a request that it refuses: Nones, then the message where it wants one."""
    if silent:
        say(f"not started: {message}")
    else:
        notice.refuse(namespace, message)
    if width is None:
        width = 5 if "silent" in inspect.signature(namespace["validate_settings"]).parameters else 4
    return (None,) * 4 + (f"SVI: {message}",) * (width - 4)


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
