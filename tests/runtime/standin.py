"""A WanGP that runs in milliseconds, for tests of the runtime: settings, queue, window loop and model with tiny tensors.

Flavours differ where releases do: ``old`` (9.x: no form fields, frames in floating point, one growing tensor),
``modern`` (10.80 to 12.60: form fields, uint8 frames in a list), and what the laboratory puts into the real 12.60, where
it is told what was read and where (tests/wangp/lab/flavours.py): ``13.0`` (declared defaults in every task, the plan of
the windows counts a shared frame, the model's method is decorated), ``13.14`` (unknown settings are refused, the
function that makes a video is decorated), ``17.17`` (the model is called through another function, frames become uint8
behind the tail).
"""

# ruff: noqa: E501 (the stand-in is written as densely as WanGP itself)

from __future__ import annotations

import inspect
import runpy
import sys
import types
from pathlib import Path
from typing import Any

import pytest

FLAVOURS = ("old", "modern", "13.0", "13.14", "17.17")
NEWER = FLAVOURS[2:]
WINDOW_PLAN = Path(__file__).resolve().parent.parent / "wangp/newer/shared/utils/window_plan.py"
HEIGHT = WIDTH = 8

SOURCE = '''
import functools, inspect, math
import torch

FLAVOUR = "{flavour}"
MODERN, NEWER, STRICT, NEWEST = FLAVOUR != "old", {newer}, {strict}, {newest}
{constants}
models_def = {{
    name: {{"architecture": name, "sliding_window_defaults": {{"overlap_min": 1, "overlap_max": 1, "overlap_default": 1}}}}
    for name in ("i2v", "i2v_2_2", "i2v_2_2_svi2pro", "t2v", "vace_14B")
}}
told, saved = [], []

class gr:
    @staticmethod
    def Info(message, title="", duration=10):
        told.append(message)

    @staticmethod
    def Warning(message, title="", duration=10):
        told.append("Warning: " + message)

    class Error(Exception):
        def __init__(self, message, duration=10, title="", print_exception=True):
            super().__init__(message)

def get_model_def(model_type):
    return models_def.get(model_type)

def get_base_model_type(model_type):
    return (models_def.get(model_type) or {{}}).get("architecture")

def get_model_settings(state, model_type):
    return state.setdefault("all_settings", {{}}).get(model_type)

def set_model_settings(state, model_type, settings):
    state.setdefault("all_settings", {{}})[model_type] = settings

def get_function_arguments(func, locals):
    return {{name: locals[name] for name in inspect.signature(func).parameters}}

def prepare_inputs_dict(target, inputs, model_type=None):
    inputs.pop("state", None)
    if MODERN:
        declared = [field["id"] for field in get_model_def(inputs["model_type"]).get("custom_settings", [])]
        given = inputs.get("custom_settings") or {{}}
        inputs["custom_settings"] = {{key: given[key] for key in declared if key in given}} or None
    return inputs if target != "metadata" else {{k: v for k, v in inputs.items() if v is not None}}

def save_inputs(target, state, **form):
    """What the form holds replaces what was stored."""
    set_model_settings(state, state["model_type"], prepare_inputs_dict(target, {{"state": state, "model_type": state["model_type"], **form}}))

def get_factory_settings(model_type):
    """From 13.0 on the default of every declared field is in them."""
    declared = get_model_def(model_type).get("custom_settings", []) if NEWER else []
    defaults = {{field["id"]: field["default"] for field in declared if "default" in field}}
    return {{"custom_settings": defaults}} if defaults else {{}}

def get_settings_from_file(state, configs, merge=True):
    stored = get_model_settings(state, state["model_type"])
    settings = stored if not MODERN else get_factory_settings(state["model_type"]) if NEWER else dict(stored or {{}})
    settings = {{}} if settings is None else settings
    settings.update(configs)
    settings["model_type"] = state["model_type"]
    return settings, False, False

def use_video_settings(state, configs):
    stored = get_factory_settings(state["model_type"]) if NEWER else get_model_settings(state, state["model_type"]) or {{}}
    stored.update(configs)
    set_model_settings(state, state["model_type"], stored)

def validate_settings(state, model_type, single_prompt, inputs{silent}):
    def err(text):
        told.append(text)
        return (None, None, None, None{error})
    if STRICT:
        import shared.utils.setting_names as names
        unknown = [key for key in inputs if key not in names.KNOWN and key not in names.NON_SETTING_KEYS]
        if unknown:
            return err("Unknown setting: " + unknown[0] + ". Model-specific options belong in custom_settings.")
    top = get_model_def(model_type)["sliding_window_defaults"]["overlap_max"]
    if MODERN and inputs["sliding_window_overlap"] > top:
        return err(f"Windows Frames Overlap must be at most {{top}}.")
    return (inputs, [inputs["prompt"]], inputs.get("image_start"), inputs.get("image_end"){error})

def get_computed_fps(*asked):
    return 16

def estimate_first_window_overlap_frames(image_start, video_source, keep_frames, fps):
    return 1 if image_start is not None else 0 if video_source is None else video_source.shape[1]

def decorated(wanted):
    def decorate(function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            inspect.signature(function).bind(*args, **kwargs)
            return function(*args, **kwargs)
        return call if wanted else function
    return decorate

def call_with_default_device(model_def, label, fn, *args, **kwargs):
    return fn(*args, **kwargs)

class WanAny2V:
    """Frames of clip n: noise from the clip's seed, all in one level, beginning with what the clip was given."""
    def __init__(self):
        self.calls, self.interrupt_at, self.skip_hooks = [], None, False

    @decorated(NEWER)
    def generate(self, *, input_video, window_no, seed, input_prompt, frame_num, shift=5.0, sampling_steps=2, sample_solver="euler",
                 prefix_frames_count=0, color_correction_strength=1, image_end=None, **bbargs):
        self.calls.append(dict(seed=seed, window_no=window_no, prompt=input_prompt, known=input_video.clone(), svi=bbargs.get("svi_wangp"),
                               prefix_frames_count=prefix_frames_count, image_end=image_end))
        if self.interrupt_at == window_no:
            return None
        count = input_video.shape[1]
        timesteps = torch.linspace(1000, 1, sampling_steps)
        sample_scheduler = None
        if "svi_wangp" in bbargs: timesteps = original_timesteps = bbargs["svi_wangp"].schedule(timesteps, sample_scheduler)
        enc = torch.cat([input_video, torch.zeros(3, frame_num - count, *input_video.shape[2:])], dim=1)
        if image_end is not None: enc[:, -1] = image_end
        clip_image_start = input_video[:, -1]
        if "svi_wangp" in bbargs and not self.skip_hooks: clip_image_start = bbargs["svi_wangp"].condition(enc)
        y = torch.ones(20, (frame_num - 1) // 4 + 1, 1, 1)
        overlapped_latents_frames_num = int(1 + (count-1) // 4)
        if "svi_wangp" in bbargs: overlapped_latents_frames_num = bbargs["svi_wangp"].first_frame_only(y)
        self.calls[-1].update(enc=enc, y=y, pinned=overlapped_latents_frames_num, clip=clip_image_start, timesteps=timesteps)
        latents = torch.randn(3, frame_num, *input_video.shape[2:], generator=torch.Generator().manual_seed(seed))
        if "svi_wangp" in bbargs: latents = bbargs["svi_wangp"].noise(latents)
        frames = latents.clamp_(-1, 1)
        return {{"x": frames if NEWEST or not MODERN else levels(frames)}}

def levels(frames):
    return frames.add(1).mul_(127.5).round_().to(torch.uint8)

wan_model = WanAny2V()

@decorated(STRICT)
def {generate}(task, send_cmd, model_type, prompt, seed, video_length, sliding_window_size, sliding_window_overlap,
                   image_start=None, image_end=None, image_prompt_type="S", image_mode=0, mode="", activated_loras=None, repeat_generation=1,
                   sliding_window_discard_last_frames=0, sliding_window_color_correction_strength=1, sliding_window_overlap_noise=0,
                   temporal_upsampling="", spatial_upsampling="", film_grain_intensity=0, sample_solver="euler", num_inference_steps=2,
                   video_source=None, source_overlap=None{parameters}, plugin_data=None{last}):
    prompts = prompt.split("\\n")
    requested = (video_length - 1) // 4 * 4 + 1
    if video_source is not None and not NEWER: requested += sliding_window_overlap - 1
    for repeat in range(repeat_generation):
        frames_already_processed = [] if MODERN else None
        window_no, generated, extra = 0, 0, task.get("extra_windows", 0) if repeat == 0 else 0
        prefix_video = image_start.unsqueeze(1) if video_source is None else video_source
        pre_video_guide = prefix_video if video_source is None else prefix_video[:, -(source_overlap or sliding_window_overlap):]
        reuse_frames = sliding_window_overlap
        if NEWER:
            there = estimate_first_window_overlap_frames(image_start, video_source, "", get_computed_fps())
            first = min(there, 1 if video_source is None else reuse_frames)
            plan = build_default_window_plan(total_frames=requested, window_size=sliding_window_size, default_overlap=reuse_frames, discard_last_frames=0,
                minimum=5, step=4, max_overlap=get_model_def(model_type)["sliding_window_defaults"]["overlap_max"], first_window_overlap=first,
                first_window_available_overlap=there, initial_shared_frames=min(1, first))
            counts = [each["frame_num"] for each in plan] + [sliding_window_size] * extra
            pre_video_guide = prefix_video[:, -max(1, plan[0]["overlap_frames"]):]
        windows = len(counts) if NEWER else 1 + max(0, math.ceil((requested - sliding_window_size) / (sliding_window_size - reuse_frames))) + extra
        sliding_window = NEWER or windows > 1
        while window_no < windows:
            window_no += 1
            left = requested + extra * (sliding_window_size - reuse_frames) - generated
            frame_num = counts[window_no - 1] if NEWER else min(sliding_window_size, (left + (reuse_frames if window_no > 1 else 0)) // 4 * 4 + 1)
            shared_overlap = pre_video_guide.shape[1]
            ends = image_end if isinstance(image_end, list) else [] if image_end is None else [image_end]
            image_end_tensor = ends[window_no - 1] if "E" in image_prompt_type and len(ends) >= window_no else None
            if globals().get("svi_wangp"): svi_wangp.attach(wan_model, prompts, prefix_video)
            samples = {call}input_prompt=prompts[min(window_no, len(prompts)) - 1], input_video=pre_video_guide, window_no=window_no, seed=seed,
                frame_num=frame_num, sampling_steps=num_inference_steps, shift=5.0, sample_solver=sample_solver, image_end=image_end_tensor)
            if samples is None:
                break
            sample = samples["x"][:, samples.get("post_decode_pre_trim", 0):]
            generated += frame_num
            pre_video_guide = sample[:, -reuse_frames:].to("cpu", copy=True)
            if pre_video_guide.dtype == torch.uint8:
                pre_video_guide = pre_video_guide.float().div_(127.5).sub_(1.0)
            if NEWEST: sample = levels(sample)
            if prefix_video is not None and window_no == 1:
                kept, led = (prefix_video, shared_overlap) if NEWER and prefix_video.shape[1] > 1 else (prefix_video[:, :-shared_overlap], 0)
                sample = torch.cat([kept.to(sample), sample[:, led:]], dim=1)
                prefix_video = None
            elif sliding_window and window_no > 1 and reuse_frames > 0:
                if globals().get("svi_wangp"): svi_wangp.stitch(frames_already_processed, sample, reuse_frames, temporal_upsampling or spatial_upsampling or film_grain_intensity)
                sample = sample[:, reuse_frames:]
                generated -= reuse_frames
            if MODERN:
                frames_already_processed.append(sample)
                video = torch.cat(frames_already_processed, dim=1)
            else:
                frames_already_processed = video = sample if frames_already_processed is None else torch.cat([frames_already_processed, sample], dim=1)
            inputs = get_function_arguments({generate}, locals())
            for key in ("task", "send_cmd", "plugin_data", "image_start", "image_end", "video_source"):
                inputs.pop(key)
            saved.append((video.clone(), prepare_inputs_dict("metadata", inputs, model_type)))
        seed += 1000
    return True

def process(params):
    """The queue's call: releases before 10.80 hand on every setting, later ones those in the signature."""
    task = {{"extra_windows": params.pop("extra_windows", 0)}}
    expected = inspect.signature({generate}).parameters
    if NEWER: # clean_settings, then the task: what it does not name comes from the factory settings
        params = {{**get_factory_settings(params["model_type"]), **{{key: value for key, value in params.items() if value is not None}}}}
    if MODERN:
        params = {{key: value for key, value in params.items() if key in expected}}
    errors = []
    result = {generate}(task, lambda command, data=None: errors.append((command, data)), **params)
    return result, errors
'''

MODERN_FORM = """
CUSTOM_SETTINGS_MAX, CUSTOM_SETTING_TYPES = 5, {types}
def get_model_custom_settings(model_def):
    return (model_def or {{}}).get("custom_settings", [])
"""


def wangp(flavour: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Starts a stand-in and installs the runtime into it as the hook at the end of wgp.py does.

    Returns:
        The globals of its main module.
    """
    from svi_install import runtime
    from svi_install.runtime import wgp

    modern, newer, strict, newest = (flavour in FLAVOURS[n:] for n in range(1, 5))
    form = MODERN_FORM.format(types='{"int", "float", "text", "dropdown"}' if newer else '{"int", "float", "text"}')
    source = SOURCE.format(
        flavour=flavour,
        newer=newer,
        strict=strict,
        newest=newest,
        constants=form if modern else "",
        generate="generate_media" if modern else "generate_video",
        silent=", silent=False" if modern else "",
        error=', ""' if modern else "",
        parameters=", custom_settings=None" if modern else "",
        last=", spatial_upsampler_parameters=None" if newer else "",
        call="call_with_default_device({}, model_type, wan_model.generate, " if newest else "wan_model.generate(",
    )
    if strict:
        names: Any = types.ModuleType("shared.utils.setting_names")
        names.NON_SETTING_KEYS = frozenset({"state"})
        for name, module in (
            ("shared", types.ModuleType("shared")),
            ("shared.utils", types.ModuleType("shared.utils")),
        ):
            monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setitem(sys.modules, names.__name__, names)
        monkeypatch.setattr(sys.modules["shared"], "utils", sys.modules["shared.utils"], raising=False)
        monkeypatch.setattr(sys.modules["shared.utils"], "setting_names", names, raising=False)
    for path, lines in wgp.HOOKS.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("\n".join(lines), "utf-8")
    monkeypatch.setattr(wgp, "ROOT", tmp_path)
    namespace: dict[str, Any] = {"__name__": "wgp", "svi_wangp": runtime}
    if newer:
        namespace["build_default_window_plan"] = runpy.run_path(str(WINDOW_PLAN))["build_default_window_plan"]
    exec(compile(source, "wgp.py", "exec"), namespace)
    if strict:
        names.KNOWN = frozenset(inspect.signature(namespace["generate_media"]).parameters)
    runtime.install(namespace)
    return namespace


DEFAULTS: dict[str, Any] = {
    "model_type": "i2v",
    "prompt": "one\ntwo\nthree",
    "seed": 7,
    "video_length": 49,
    "sliding_window_size": 17,
    "sliding_window_overlap": 1,
    "image_prompt_type": "S",
    "image_start": None,
    "activated_loras": [],
}


def request(**changes: Any) -> dict[str, Any]:
    """Settings of one generation with a start image of its own colour."""
    import torch

    start = torch.full((3, HEIGHT, WIDTH), 51 / 127.5 - 1)
    return {**DEFAULTS, "image_start": start, **changes}
