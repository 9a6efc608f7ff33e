"""A WanGP of a few hundred lines, written for these tests: it parses, starts, and has every line a hook holds on to.

Flavours: ``base`` is shaped like 12.60, ``old`` like 9.x, ``newer`` like 13.x (decorators above functions, tail frames
copied to the CPU, samples that stay on the GPU, ``plugin_data`` not last), ``newest`` like 17.17 (besides, the model is
called through another function), ``renamed`` has a function name
that nobody has seen yet, ``broken`` does not compile, ``conflict`` holds an unfinished merge.
"""

from __future__ import annotations

from pathlib import Path

from . import text

WGP = "wgp.py"
ANY2VIDEO = "models/wan/any2video.py"
MODEL = "models/wan/modules/model.py"
FLAVOURS = ("base", "old", "newer", "newest", "renamed", "broken", "conflict")


def files(flavour: str = "base") -> dict[str, bytes]:
    """Return the miniature's files that matter to placing, by path, with LF newlines."""
    old, newest = flavour == "old", flavour == "newest"
    newer = newest or flavour == "newer"
    function = {"old": "generate_video", "renamed": "generate_clip"}.get(flavour, "generate_media")
    wgp = text.WGP.format(
        version={"old": "9.91", "newer": "13.141", "newest": "17.17"}.get(flavour, "12.60"),
        function=function,
        decorators='@tracked("media")\n@tracked(\n    name="outer",\n)\n' if newer else "",
        more_parameters="\n    custom_settings=None," if not old else "",
        parameters_after="\n    project=None,\n    scheduler=(\n        None\n    )," if newer else "",
        before_generate="samples = None" if old else "overridden_inputs = None",
        call="call_with_default_device(model_def, model_type, wan_model.generate," if newest else "wan_model.generate(",
        to_cpu=".float()" if newer else ".cpu()",
        tail='sample[:, -reuse_frames:].to("cpu", copy=True)' if newer else "sample[:, -reuse_frames:].clone()",
    )
    any2video = text.ANY2VIDEO.format(
        decorators="    @timed\n" if newer else "",
        encode=text.ENCODE_OLD if old else text.ENCODE_NEW,
        after_noise=text.NOISE_OLD if old else text.NOISE_NEW,
    )
    if flavour == "broken":
        wgp = wgp.replace("    wan_model = WanAny2V()\n", "      wan_model = WanAny2V()\n    prompts == (\n")
    if flavour == "conflict":
        mine = '<<<<<<< HEAD\nWanGP_version = "12.60"\n=======\nWanGP_version = "12.61"\n>>>>>>> upstream/main\n'
        wgp = wgp.replace('WanGP_version = "12.60"\n', mine)
    return {WGP: wgp.encode(), ANY2VIDEO: any2video.encode(), MODEL: text.MODEL.encode()}


def write(root: Path, flavour: str = "base", newline: str = "\n") -> Path:
    """Write a miniature WanGP with the other files and folders that a checkout has.

    Args:
        root: the folder to fill; made if missing.
        flavour: one of FLAVOURS.
        newline: what ends the lines of the sources.

    Returns:
        The folder.
    """
    others = {
        ".gitignore": b".*\n!.gitignore\n/loras/\n/ckpts/\n/finetunes/\n__pycache__/\n",
        "models/__init__.py": b"",
        "models/wan/__init__.py": b"",
        "models/wan/modules/__init__.py": b"",
        "defaults/i2v.json": b'{"model": {"name": "Wan2.1 Image2video 14B", "architecture": "i2v"}}\n',
        "profiles/wan_i2v/FusioniX - 10 Steps.json": b'{"num_inference_steps": 10}\n',
        "profiles/wan_2_2/Lightning - 4 Steps.json": b'{"num_inference_steps": 4}\n',
        "loras/wan_i2v/.keep": b"",
        "requirements.txt": b"torch\n",
    }
    for path, data in {**files(flavour), **others}.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data.replace(b"\n", newline.encode()) if path.endswith(".py") else data)
    return root
