"""Gives a tree of the real 12.60 the behaviour of a newer WanGP, wherever that behaviour meets SVI.

No copy of WanGP after 12.60 was to be had that is complete enough to run, but single files of 13.0, 13.14, 13.141 and
17.17 were to be read. Each change below says what was read and where. The words put in are our own: of WanGP only the
short anchors are here, and an anchor that is not in the tree exactly once is an error. Modules that are added lie in
tests/wangp/newer.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

FLAVOURS = ("13.0", "13.14", "17.17")
BASE = "12.60"
ADDED = Path(__file__).resolve().parent.parent / "newer"
ALL, FROM_13_14, NEWEST = FLAVOURS, FLAVOURS[1:], FLAVOURS[2:]


class Change(NamedTuple):
    """In a file of the tree, an anchor that is there exactly once becomes another text, for some flavours."""

    path: str
    anchor: str
    text: str
    flavours: tuple[str, ...] = ALL


def insert_after(path: str, anchor: str, text: str, flavours: tuple[str, ...] = ALL) -> Change:
    return Change(path, anchor, anchor + text, flavours)


def insert_before(path: str, anchor: str, text: str, flavours: tuple[str, ...] = ALL) -> Change:
    return Change(path, anchor, text + anchor, flavours)


WGP, MODEL = "wgp.py", "models/wan/any2video.py"

# Declared defaults. Read: wgp.py 13.0, 13.14 and 17.17, apply_custom_settings_defaults (before
# get_custom_setting_slider_bounds) and get_factory_settings, whose second step it is. That is enough: clean_settings,
# _process_tasks, use_video_settings and get_settings_from_file begin with the factory settings in 12.60 too, and so
# every task that does not name custom_settings gets the default of every declared field.
DECLARED_DEFAULTS = """
def apply_custom_settings_defaults(model_def, ui_defaults):
    declared = {field["id"]: field["default"] for field in get_model_custom_settings(model_def) if "default" in field}
    if declared:
        given = ui_defaults.get("custom_settings")
        ui_defaults["custom_settings"] = {**copy.deepcopy(declared), **(given if isinstance(given, dict) else {})}

"""
DEFAULTS = (
    insert_before(WGP, "def get_custom_setting_slider_bounds(", DECLARED_DEFAULTS.lstrip("\n")),
    insert_after(
        WGP,
        "    ui_defaults = copy.deepcopy(primary_settings)\n",
        "    apply_custom_settings_defaults(model_def, ui_defaults)\n",
    ),
)

# Unknown settings are refused. Read: wgp.py 13.14 and 17.17, validate_settings: the first thing that it does, before it
# looks at the model. 13.0 does not know it.
UNKNOWN = (
    insert_after(
        WGP,
        "        return None, None, None, None, error\n",
        "\n    if strange := unknown_settings_error(inputs):\n        return err(strange)\n",
        FROM_13_14,
    ),
)

# The plan of the windows. Read: wgp.py 13.0, 13.14 and 17.17, generate_media, all three alike: nothing is added to the
# length of a continued video; window 1 overlaps a start image by one frame and a video by as many as the later windows
# (12.60: by one, outside of the plan); a single window that overlaps counts as sliding; what was asked for is the sum
# of what the windows bring. estimate_first_window_overlap_frames is 12.60's own. See newer/shared/utils/window_plan.py.
FIRST_WINDOW = """,
            first_window_available_overlap=(there := estimate_first_window_overlap_frames(
                None if fake_start_image else image_start, video_source, keep_frames_video_source, fps)),
            first_window_overlap=(shared := min(there, 1 if video_source is None else max(1, default_reuse_frames))),
            initial_shared_frames=min(1, shared),
            preserve_exact_output_frames=model_def.get("image_end_frame_position", False),
            output_frame_policy=model_def.get("frame_scheduler_output_policy"))"""
WINDOWS = (
    Change(
        WGP,
        "    if test_any_sliding_window(model_type) and video_source is not None:"
        " current_video_length +=  sliding_window_overlap - 1\n",
        "",
    ),
    Change(
        WGP,
        'max_overlap=sliding_window_defaults.get("overlap_max"))',
        f'max_overlap=sliding_window_defaults.get("overlap_max"){FIRST_WINDOW}',
    ),
    Change(
        WGP,
        "default_windows_template]\n    seed",
        "default_windows_template]\n    if not scheduler_active:\n"
        '        sliding_window = default_windows[0]["overlap_frames"] > 0 or len(default_windows) > 1\n    seed',
    ),
    Change(
        WGP,
        "default_requested_frames_to_generate = current_video_length\n",
        'default_requested_frames_to_generate = sum(window["output_frames"] for window in default_windows)\n',
    ),
    Change(
        WGP,
        "sliding_window = len(default_windows) > 1\n",
        "sliding_window = reuse_frames > 0 or len(default_windows) > 1\n",
    ),
)

# Decorators. Read: any2video.py 13.0 and 17.0x (generation_progress stands above generate), wgp.py 13.14 and 17.17
# (generation_downloads stands above generate_media; with a second argument in 13.14; not in 13.0). In all three
# plugin_data is followed by one more parameter.
DECORATORS = (
    insert_before(MODEL, "    def generate(self,\n", "    @generation_progress\n"),
    insert_before(
        MODEL, "from mmgp import safetensors2\n", "from shared.utils.phase_progress import generation_progress\n"
    ),
    insert_before(
        WGP, "def generate_media(\n", "@generation_downloads(get_gen_info, lambda: offloadobj)\n", ("13.14",)
    ),
    insert_before(WGP, "def generate_media(\n", "@generation_downloads(get_gen_info)\n", NEWEST),
    Change(WGP, "    plugin_data=None,\n):\n", "    plugin_data=None,\n    spatial_upsampler_parameters=None,\n):\n"),
)

# The call into the model. Read: wgp.py 13.14 (still a direct call) and 17.17 (through another function, in the same
# thread; the keyword lines behind it are the same); 13.141 brought it (commit a6765123).
CALL = (
    Change(
        WGP,
        "samples = wan_model.generate(\n",
        "samples = call_with_default_device(model_def, model_type, wan_model.generate,\n",
        NEWEST,
    ),
)

# Where frames are. Read: wgp.py 17.17, generate_media, between the call and the seam: only sound, pictures and HDR go
# to main memory at once; the tail is copied there; a video follows when it is uint8, before the seam. 13.14 does as
# 12.60.
DEVICE = (
    Change(
        WGP,
        "                if samples is not None:\n",
        "                if samples is not None and (sample_is_hdr or is_image or audio_only):\n",
        NEWEST,
    ),
    Change(WGP, "sample = samples.cpu()", "sample = samples", NEWEST),
    Change(
        WGP,
        "pre_video_guide = sample[:, -next_overlap_frames:].clone()",
        'pre_video_guide = sample[:, -next_overlap_frames:].to("cpu", copy=True)',
        NEWEST,
    ),
    Change(
        WGP,
        "sample[:, max_source_video_frames:].clone()",
        'sample[:, max_source_video_frames:].to("cpu", copy=True)',
        NEWEST,
    ),
    Change(
        WGP,
        "sample = convert_video_tensor_to_uint8_chunked(sample)",
        'sample = convert_video_tensor_to_uint8_chunked(sample, max_buffer_mb=64).to("cpu")',
        NEWEST,
    ),
)

# LoRA folders. Read: wgp.py 13.0 and 17.17, get_lora_dir, and shared/cli_args.py of 17.x: --lora-config instead of the
# --lora-dir options. There a handler returns the key; here it returns the folder below the root, which has its name.
LORAS = (
    Change(
        "shared/cli_args.py",
        "    _register_family_lora_args(parser, family_handlers, default_lora_root)\n",
        "    from shared.lora_paths import load_lora_config\n"
        '    add("--lora-config", type=load_lora_config, default={})\n',
    ),
    Change(
        WGP,
        "lora_dir = get_dir(base_model_type, args, lora_root)",
        "lora_dir = resolve_lora_dir("
        "os.path.relpath(get_dir(base_model_type, args, lora_root), lora_root), lora_root, args.lora_config)",
    ),
)

# A module that a release does not have must be missing: the runtime looks for one of them.
MODULES = {
    "shared/lora_paths.py": ALL,
    "shared/utils/window_plan.py": ALL,
    "shared/utils/phase_progress.py": ALL,
    "shared/utils/generation_downloads.py": FROM_13_14,
    "shared/utils/setting_names.py": FROM_13_14,
    "shared/utils/default_device.py": NEWEST,
}
IMPORTS = "from shared.cli_args import parse_wgp_args\n"
JOINTS = (
    insert_after(WGP, IMPORTS, "from shared.lora_paths import resolve_lora_dir\n"),
    insert_after(WGP, IMPORTS, "from shared.utils.download import generation_downloads\n", FROM_13_14),
    insert_after(WGP, IMPORTS, "from shared.utils.setting_names import unknown_settings_error\n", FROM_13_14),
    insert_after(WGP, IMPORTS, "from shared.utils.default_device import call_with_default_device\n", NEWEST),
    # The later definition of a name counts.
    insert_before(
        "shared/utils/frame_scheduler.py",
        "def clone_loras_slists(",
        "from shared.utils.window_plan import build_default_window_plan\n\n\n",
    ),
    insert_before(
        "shared/utils/download.py",
        "def progress_hook(",
        "from shared.utils.generation_downloads import generation_downloads\n\n",
        FROM_13_14,
    ),
)

CHANGES = (*DEFAULTS, *UNKNOWN, *WINDOWS, *DECORATORS, *CALL, *DEVICE, *LORAS, *JOINTS)


def apply(tree: Path, flavour: str) -> None:
    """Changes a fresh tree of 12.60.

    Raises:
        ValueError: a text to be replaced is not in its file exactly once.
    """
    if flavour not in FLAVOURS:
        raise ValueError(f"{flavour!r} is none of {', '.join(FLAVOURS)}")
    version = Change(WGP, f'WanGP_version = "{BASE}"', f'WanGP_version = "{flavour}"')
    for change in (version, *CHANGES):
        if flavour in change.flavours:
            replace(tree / change.path, change.anchor, change.text)
    for module, flavours in MODULES.items():
        if (tree / module).exists():
            raise ValueError(f"{tree / module} is there already")
        if flavour in flavours:
            shutil.copyfile(ADDED / module, tree / module)


def replace(file: Path, anchor: str, text: str) -> None:
    content = file.read_bytes().decode("utf-8")
    if content.count(anchor) != 1:
        raise ValueError(f"{file}: {anchor!r} is there {content.count(anchor)} times")
    file.write_bytes(content.replace(anchor, text).encode("utf-8"))
