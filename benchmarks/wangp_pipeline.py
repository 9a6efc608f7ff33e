"""WanGP's own pipeline with weights that are made instead of loaded, for the benchmarks that run on a graphics card.

Runs in WanGP's Python environment and only reads the WanGP folder: svi-install's lines are placed in memory.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import subprocess
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PIPELINE = "models/wan/any2video.py"
_PLACE = """
import sys
sys.path.insert(0, sys.argv[1])
from svi_install.patching import patchset, placement
variants, text = patchset.load().variants[sys.argv[2]], sys.stdin.buffer.read()
place = lambda: placement.place(variants, sys.argv[2], text).after
sys.stdout.buffer.write(place() if sys.argv[3] else placement.remove_hooks(variants, sys.argv[2], text))
"""
CONFIG = "models/wan/configs/i2v.json"

# Gives a model that has no memory yet its weights: the model, and the number type where no layer insists on another.
Fill = Callable[[Any, Any], None]


def pipelines(tree: Path, text: type, image: type, **options: Any) -> tuple[Any, Any]:
    """WanGP's pipeline as it came and with svi-install's lines, over the same weights; see ``pipeline_of``."""
    stock, svi = (module_of(tree, name, hooked) for name, hooked in (("plain", False), ("svi", True)))
    first = pipeline_of(stock, tree, text, image, **options)
    second = object.__new__(svi.WanAny2V)
    second.__dict__.update(first.__dict__)
    return first, second


def module_of(tree: Path, name: str, hooked: bool) -> Any:
    """A module of WanGP's package ``models.wan``: any2video.py of the tree, with or without svi-install's lines."""
    text = _placed(tree, hooked)
    if str(tree) not in sys.path:
        sys.path.insert(0, str(tree))
        from mmgp import offload

        offload.shared_state["_attention"] = "sdpa"
        importlib.import_module("models.wan.configs")
    module = types.ModuleType(f"models.wan.any2video_{name}")
    module.__package__, module.__file__ = "models.wan", str(tree / PIPELINE)
    sys.modules[module.__name__] = module
    exec(compile(text, f"any2video_{name}", "exec"), module.__dict__)
    return module


def _placed(tree: Path, hooked: bool) -> bytes:
    """Return any2video.py with or without svi-install's lines.

    The patch set is read with unidiff, which WanGP's Python lacks; so svi-install's own one does it: the environment
    that install.sh made, or that of the tests.
    """
    from svi_install import bootstrap

    home = bootstrap.data_folder(sys.platform, os.environ, Path.home())
    pythons = [bootstrap.interpreter(folder / name) for folder, name in ((ROOT, ".venv-test"), (home, "venv"))]
    for python in (*filter(Path.exists, pythons), Path(sys.executable)):
        words = [str(python), "-c", _PLACE, str(ROOT), PIPELINE, "hooked" if hooked else ""]
        done = subprocess.run(words, input=(tree / PIPELINE).read_bytes(), capture_output=True, check=False)
        if done.returncode == 0:
            return done.stdout
    sys.exit(f"No Python here can place the hooks; run ./install.sh first. {done.stderr.decode(errors='replace')}")


def pipeline_of(
    module: Any,
    tree: Path,
    text: type,
    image: type,
    *,
    fill: Fill,
    dtype: Any,
    vae: Any,
    sizes: Mapping[str, int] | None = None,
) -> Any:
    """WanGP's pipeline object for Wan 2.1 image-to-video.

    Args:
        module: from ``module_of``.
        tree: the WanGP folder.
        text: stands for the text encoder.
        image: stands for the image encoder.
        fill: makes the weights.
        dtype: number type of the transformer.
        vae: number type of the VAE.
        sizes: widths and depths of the transformer other than those of 14B.
    """
    stand_ins(fill, sizes or {})
    module.T5EncoderModel, module.CLIPModel = text, image
    module.fl.locate_file = module.fl.locate_folder = lambda path, *_, **__: str(path)
    wanted = {
        "config": sys.modules["models.wan.configs"].WAN_CONFIGS["i2v-14B"],
        **{"checkpoint_dir": "", "model_filename": ["random"], "submodel_no_list": [1], "model_type": "i2v"},
        "model_def": {"i2v_class": True, "config_file": str(tree / CONFIG)},
        **{"base_model_type": "i2v", "text_encoder_filename": "random", "dtype": dtype, "VAE_dtype": vae},
    }
    known = inspect.signature(module.WanAny2V).parameters
    made = module.WanAny2V(**{name: value for name, value in wanted.items() if name in known})
    made._interrupt = False
    made.model.cache = None
    return made


def stand_ins(fill: Fill, sizes: Mapping[str, int]) -> None:
    """Has WanGP's loader make the weights instead of reading files."""
    import torch
    from mmgp import offload

    def load_model(_: Any, modelClass: Any, defaultConfigPath: str, pre_load_callback: Any, **rest: Any) -> Any:  # noqa: N803
        config = {**json.loads(Path(defaultConfigPath).read_text("utf-8")), **sizes}
        with torch.device("meta"):
            model = modelClass(**{name: value for name, value in config.items() if not name.startswith("_")})
        pre_load_callback(model)
        fill(model, rest["default_dtype"])
        model._model_dtype = rest["default_dtype"]
        return model.eval()

    def load_data(model: Any, *_: Any, **__: Any) -> None:
        fill(model, torch.float32)

    offload.fast_load_transformers_model, offload.load_model_data = load_model, load_data


def assign(model: Any, dtype: Any, make: Callable[[str, Any, Any], Any]) -> None:
    """Replaces every weight of a model without memory.

    Args:
        model: made on torch's device "meta".
        dtype: where no layer insists on another, see WanGP's ``lock_layers_dtypes``.
        make: from the weight's full name, the empty weight and the number type.
    """
    import torch

    for path, module in model.named_modules():
        wanted = getattr(module, "_lock_dtype", None) or dtype
        for name, empty in list(module.named_parameters(recurse=False)):
            made = make(f"{path}.{name}" if path else name, empty, wanted)
            setattr(module, name, torch.nn.Parameter(made, requires_grad=False))
        for name, empty in list(module.named_buffers(recurse=False)):
            if empty.is_meta:
                setattr(module, name, torch.zeros(empty.shape, dtype=empty.dtype, device="cuda"))


def svi_run(variant: str, clips: int, frames: int) -> Any:
    """The runtime's state of one video, as an installed WanGP makes it: with the official noise schedule."""
    from svi_install.runtime import length, options, run

    chosen = options.resolve({options.VARIANT: variant, options.SIGMAS: "on"}, None, "i2v")
    assert chosen is not None
    total = clips * frames - (clips - 1) * chosen.motion_frames
    return run.Run(chosen, length.plan(total, frames, chosen.motion_frames, False), [], "benchmark")


def arguments(width: int, height: int, frames: int, steps: int, guidance: float) -> dict[str, Any]:
    """What every clip is called with, however it is made: everything off that the official program does not have."""
    return {
        **{"frame_num": frames, "height": height, "width": width, "shift": 5.0, "sample_solver": "euler"},
        **{"guide_scale": guidance, "sampling_steps": steps, "cfg_star_switch": False, "color_correction_strength": 0},
        **{"callback": lambda *_, **__: None, "set_header_text": lambda _: None, "VAE_tile_size": 0},
        **{"loras_slists": {"phase1": [], "phase2": [], "phase3": [], "shared": []}, "model_type": "i2v"},
        # Everything stays on the card, so that no transfer of mmgp's hides a cost.
        **{"offloadobj": types.SimpleNamespace(unload_all=lambda: None), "fps": 16, "joint_pass": True},
    }
