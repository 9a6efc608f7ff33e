"""Python imports this by itself in every process that has the folder on PYTHONPATH, so `wgp.py` runs unmodified.

It changes modules right after WanGP imports them (AFTER) and replaces third-party packages that are not installed
by inert ones.

LAB_TREE    the WanGP tree: only its own missing imports are replaced
LAB_TINY    1 or "parity": tiny model sizes and no downloads (tiny_model.py), the LoRAs too (tiny_loras.py)
LAB_CALLS   file that gets one JSON line per video window and per saved file (recorder.py)
LAB_PARITY  official weights and inputs, everything in float32 (parity_hooks.py)
LAB_LORAS   file that gets what LoRAs do to the weights (lora_probe.py)
LAB_CONDITIONING  folder that gets what each window was conditioned on (conditioning.py)
LAB_DRIFT   how far a decoder that drifts on purpose goes in each clip (drifting.py)
LAB_STUBS   file that gets the name of each replaced package
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path

AFTER: dict[str, list[Callable[[types.ModuleType], object]]] = {}


def after(name: str, function: Callable[[types.ModuleType], object]) -> None:
    """Has function called with the module of that name as soon as it is imported."""
    AFTER.setdefault(name, []).append(function)


class Loader(importlib.abc.Loader):
    def __init__(self, inner, functions):
        self.inner, self.functions = inner, functions

    def create_module(self, spec):
        return self.inner.create_module(spec)

    def exec_module(self, module):
        self.inner.exec_module(module)
        for function in self.functions:
            function(module)

    def __getattr__(self, name):
        return getattr(self.inner, name)


class AfterFinder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        functions = AFTER.pop(name, None)
        spec = functions and importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec:
            spec.loader = Loader(spec.loader, functions)
        return spec or None


class TorchvisionFinder(importlib.abc.MetaPathFinder):
    """Declares two operators before torchvision is imported.

    The published torchvision is built for CUDA: beside a CPU torch they are missing and its import fails, although
    WanGP uses only its Python part.
    """

    library = None

    def find_spec(self, name, path=None, target=None):
        if name == "torchvision" and self.library is None:
            import torch

            self.library = torch.library.Library("torchvision", "FRAGMENT")
            if not hasattr(torch.ops.torchvision, "nms"):
                for operator in ("nms", "qnms"):
                    self.library.define(operator + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


class Inert(types.ModuleType):
    __path__: list[str] = []  # noqa: RUF012 - a package's search path, by Python's own rule

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        from unittest.mock import MagicMock

        value = MagicMock(name=f"{self.__name__}.{name}")
        setattr(self, name, value)
        return value


class InertFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands last on sys.meta_path: sees only what is not installed."""

    # Finding one of these switches a feature on, so they must stay absent. svi_wangp belongs to the tree: a tree
    # without it must see it missing.
    ABSENT = frozenset(
        (
            *("torch_xla", "torch_generic_nms", "triton", "msvcrt", "llamacpp_gguf_cuda", "prompt_toolkit", "nunchaku"),
            *("sageattention", "sageattn3", "sageattn", "flash_attn", "flash_attn_interface", "xformers"),
            *("spas_sage_attn", "lightx2v_kernel", "gradio_rangeslider", "svi_wangp"),
        )
    )

    def __init__(self, tree: str, log: str | None) -> None:
        self.tree, self.log = tree, log
        self.replaced: set[str] = set()

    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top not in self.replaced:
            if top in self.ABSENT or top != name or not self.asked_by_tree():
                return None
            self.replaced.add(top)
            if self.log:
                with Path(self.log).open("a", encoding="utf-8") as out:
                    out.write(top + "\n")
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def asked_by_tree(self) -> bool:
        frame = sys._getframe(2)
        while frame and ("importlib" in frame.f_code.co_filename or frame.f_code.co_filename == __file__):
            frame = frame.f_back
        return frame is not None and str(Path(frame.f_code.co_filename).absolute()).startswith(self.tree + os.sep)

    def create_module(self, spec):
        return Inert(spec.name)

    def exec_module(self, module):
        pass


def begin() -> None:
    """Puts in what the variables ask for; of modules that were imported before, only torch is ready already."""
    if "torch" not in sys.modules:
        import cuda_on_cpu

        after("torch", cuda_on_cpu.apply)
        sys.meta_path[:0] = [AfterFinder(), TorchvisionFinder()]
    parts = {"TINY": "tiny_model", "PARITY": "parity_hooks", "CALLS": "recorder", "LORAS": "lora_probe"}
    parts |= {"COST": "cost", "CONDITIONING": "conditioning", "DRIFT": "drifting"}
    for variable, module in (*parts.items(), ("TINY", "tiny_loras")):
        if os.environ.get(f"LAB_{variable}"):
            importlib.import_module(module).install(after)
    for name in sys.modules.keys() & AFTER.keys():
        for function in AFTER.pop(name):
            function(sys.modules[name])
    sys.meta_path.append(InertFinder(str(Path(os.environ["LAB_TREE"]).absolute()), os.environ.get("LAB_STUBS")))


if os.environ.get("LAB_TREE"):
    begin()
