"""How the choice of SVI travels through WanGP's settings: file -> form -> queue, and when it is dropped."""

from __future__ import annotations

import functools
from collections.abc import Callable, MutableMapping
from typing import Any

from . import options
from .console import say
from .loras import svi_loras

Namespace = MutableMapping[str, Any]
Settings = MutableMapping[str, Any]

FORM_TARGETS = ("state", "edit_state", "settings")


def wrap(namespace: Namespace) -> None:
    """Wraps the functions of WanGP that read and write settings; those that a release lacks are left out."""
    for name, wrapper in (
        ("get_settings_from_file", _from_file),
        ("use_video_settings", _from_video),
        ("prepare_inputs_dict", _from_form),
    ):
        original = namespace.get(name)
        if callable(original):
            namespace[name] = wrapper(namespace, original)


def has_form_fields(namespace: Namespace) -> bool:
    """Whether this release can show SVI's fields in its form (10.80 and later)."""
    return callable(namespace.get("get_model_custom_settings"))


def _from_file(namespace: Namespace, original: Callable[..., Any]) -> Callable[..., Any]:
    """A file says whether SVI is on; one that says nothing keeps it only while an SVI LoRA stays chosen."""

    @functools.wraps(original)
    def get_settings_from_file(state: Any, *args: Any, **kwargs: Any) -> Any:
        stored = _stored(namespace, state)
        before = _take(stored)
        result = original(state, *args, **kwargs)
        configs = result[0] if isinstance(result, tuple) and result else None
        if not isinstance(configs, dict):
            _give_back(stored, before)
            return result
        _settle(namespace, configs, before)
        if configs is not stored:
            # The caller may look at the file without applying it.
            _give_back(stored, before)
        return result

    return get_settings_from_file


def _from_video(namespace: Namespace, original: Callable[..., Any]) -> Callable[..., Any]:
    """The settings of a finished video say whether it was made with SVI; nothing of before may shine through."""

    @functools.wraps(original)
    def use_video_settings(state: Any, *args: Any, **kwargs: Any) -> Any:
        stored = _stored(namespace, state)
        before = _take(stored)
        result = original(state, *args, **kwargs)
        after = _stored(namespace, state)
        if after is stored and after is not None and not _says_svi(after):
            # Nothing was chosen in the gallery, or a video without SVI whose LoRAs decide.
            _settle(namespace, after, before)
        elif after is not None:
            _settle(namespace, after, {})
        return result

    return use_video_settings


def _from_form(namespace: Namespace, original: Callable[..., Any]) -> Callable[..., Any]:
    """Releases whose form has no field for SVI drop its keys here: they are kept while an SVI LoRA is chosen."""

    @functools.wraps(original)
    def prepare_inputs_dict(target: str, inputs: Settings, *args: Any, **kwargs: Any) -> Any:
        kept: Settings = {}
        if target in FORM_TARGETS and not has_form_fields(namespace):
            state = inputs.get("state")
            source = (_edited(state) if target == "edit_state" else _stored(namespace, state)) or {}
            kept = {key: value for key, value in source.items() if key in options.KEYS}
            if kept.get(options.MODE) and not svi_loras(inputs.get("loras_choices") or inputs.get("activated_loras")):
                say("off: no SVI LoRA is chosen any more")
                _take(source)
                kept = {}
        result = original(target, inputs, *args, **kwargs)
        if kept and isinstance(result, dict):
            result.update(kept)
        return result

    return prepare_inputs_dict


def _stored(namespace: Namespace, state: Any) -> Settings | None:
    """The settings that WanGP keeps for the model that is chosen in the form."""
    if not isinstance(state, dict):
        return None
    # WanGP's Edit tab has a model of its own.
    model_type = state.get("model_type" if state.get("active_form", "add") == "add" else "edit_model_type")
    settings = namespace["get_model_settings"](state, model_type) if "get_model_settings" in namespace else None
    return settings if isinstance(settings, dict) else None


def _edited(state: Any) -> Settings | None:
    """The settings of the queued task that is open in WanGP's Edit tab."""
    if not isinstance(state, dict):
        return None
    queue = (state.get("gen") or {}).get("queue") or []
    for task in queue:
        if task.get("id") == state.get("editing_task_id"):
            params = task.get("params")
            return params if isinstance(params, dict) else None
    return None


def _take(settings: Settings | None) -> dict[str, Any]:
    """Takes everything of SVI out of some settings and returns it."""
    if settings is None:
        return {}
    taken = {key: settings.pop(key) for key in (*options.KEYS, options.PROOF) if key in settings}
    fields = settings.get("custom_settings")
    if isinstance(fields, dict) and any(key in fields for key in options.FIELDS):
        taken["custom_settings"] = fields
        settings["custom_settings"] = {key: value for key, value in fields.items() if key not in options.FIELDS} or None
    return taken


def _give_back(settings: Settings | None, taken: dict[str, Any]) -> None:
    if settings is not None:
        settings.update(taken)


def _says_svi(settings: Settings) -> bool:
    fields = settings.get("custom_settings")
    keys = (options.MODE, options.VARIANT, options.CLIP_SEEDS)
    return any(key in settings or (isinstance(fields, dict) and key in fields) for key in keys)


def _settle(namespace: Namespace, settings: Settings, before: dict[str, Any]) -> None:
    """Writes the choice of SVI into settings, in the one channel that this release has.

    Args:
        namespace: WanGP's globals.
        settings: what a file and the stored settings came to; changed in place.
        before: what was taken out of the stored settings before.
    """
    model_type = settings.get("model_type")
    architecture = namespace["get_base_model_type"](model_type) if model_type else None
    if not _says_svi(settings) and svi_loras(settings.get("activated_loras")):
        _give_back(settings, before)
    taken = _take(settings)
    fields = taken.pop("custom_settings", None)
    if architecture not in options.ARCHITECTURES:
        if architecture == options.PRO_ARCHITECTURE and options.clip_seeds_wanted(taken, fields):
            _write(namespace, settings, {options.CLIP_SEEDS: True}, {options.CLIP_SEEDS: "on"})
        return
    try:
        chosen = options.resolve(taken, fields, architecture)
    except ValueError as error:
        say(f"off: {error}")
        return
    if chosen is not None:
        _write(namespace, settings, chosen.keys(), chosen.fields(architecture))


def _write(namespace: Namespace, settings: Settings, keys: dict[str, Any], fields: dict[str, Any]) -> None:
    if has_form_fields(namespace):
        settings["custom_settings"] = {**(settings.get("custom_settings") or {}), **fields}
    else:
        settings.update(keys)
