"""What a finished video says about itself: the settings to make it again, and the proof of what was done."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from . import options, settings
from .run import ProRun, Run, current

Namespace = MutableMapping[str, Any]

# From 13.14 on WanGP refuses settings that it does not know; this module of its own holds the list.
SETTING_NAMES = "shared.utils.setting_names"


def wrap(namespace: Namespace) -> None:
    """Wraps the function in which WanGP prepares the metadata of a finished video."""
    original = namespace.get("prepare_inputs_dict")
    if callable(original):
        namespace["prepare_inputs_dict"] = _wrapper(namespace, original)


def allow_keys() -> None:
    """Lets settings files with SVI's keys pass where WanGP refuses unknown ones."""
    module: Any = sys.modules.get(SETTING_NAMES)
    if hasattr(module, "NON_SETTING_KEYS"):
        module.NON_SETTING_KEYS |= {*options.KEYS, *options.HEADLESS_KEYS, options.PROOF}


def stock_overlap(namespace: Namespace, model_type: Any) -> int:
    """The overlap that the form of this model accepts: SVI sets its own when it generates."""
    model_def = namespace["get_model_def"](model_type) or {}
    return int((model_def.get("sliding_window_defaults") or {}).get("overlap_default", 1))


def _wrapper(namespace: Namespace, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def prepare_inputs_dict(target: str, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        run = current()
        if target != "metadata" or run is None:
            return original(target, inputs, *args, **kwargs)
        model_type = inputs.get("model_type")
        result = original(target, inputs, *args, **kwargs)
        if isinstance(run, ProRun):
            _describe(namespace, result, {options.CLIP_SEEDS: True}, {options.CLIP_SEEDS: "on"}, run.proof())
        elif not run.broken:
            architecture = namespace["get_base_model_type"](model_type)
            _describe(namespace, result, run.options.keys(), run.options.fields(architecture), run.proof())
            _reusable(namespace, result, run, model_type)
        return result

    return prepare_inputs_dict


def _describe(
    namespace: Namespace,
    result: Namespace,
    keys: Mapping[str, Any],
    fields: Mapping[str, Any],
    proof: Mapping[str, Any],
) -> None:
    """A release that refuses unknown settings must be able to read its own videos after SVI is taken out again.

    It drops unknown entries of ``custom_settings`` without a word, so there the proof goes among them.
    """
    strict = SETTING_NAMES in sys.modules
    if settings.has_form_fields(namespace):
        own = {**(result.get("custom_settings") or {}), **fields}
        result["custom_settings"] = {**own, options.PROOF: dict(proof)} if strict else own
    if not strict:
        result.update({**keys, options.PROOF: dict(proof)})


def _reusable(namespace: Namespace, result: Namespace, run: Run, model_type: Any) -> None:
    """Lengths as a person would ask for them, instead of the ones that WanGP's window loop was given."""
    own = {
        "video_length": run.lengths.total or run.lengths.wangp_frames,
        "sliding_window_overlap": stock_overlap(namespace, model_type),
    }
    result.update({name: value for name, value in own.items() if name in result})
