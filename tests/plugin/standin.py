"""A WanGP of a few hundred lines that loads plugins as 12.60 does, and a way to run it in a fork of the tests' Python.

It asks plugins of models for their handlers while wgp.py is still being executed, without a net (wgp.py of 12.60, lines
2638 to 2736), looks for ffmpeg before anything else (13724), and loads the page's part of a plugin with a net
(shared/utils/plugins.py, load_plugins_from_directory).
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import runpy
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from svi_install.checkout.plugin import NAME
from svi_install.plugin import build

from .. import miniature

TORCH = """
class Frames:
    shape = (3, 9)

    def __getitem__(self, place):
        return self

    def __getattr__(self, name):
        return lambda *args, **kwargs: self


class torch:
    float32 = None
    Generator = ones = concat = randn = staticmethod(lambda *args, **kwargs: Frames())
"""
PLUGINS = """
import importlib
import json
from shared.ffmpeg_setup import download_ffmpeg

family_handlers = ["models.wan.wan_handler"]
model_profile_roots_by_architecture = {}
SAFE_MODE = False
calls = []


def discover():
    for name in sorted(os.listdir("plugins")):
        try:
            with open(os.path.join("plugins", name, "plugin_info.json"), encoding="utf-8") as reader:
                metadata = json.load(reader)
        except Exception:
            metadata = None
        if not isinstance(metadata, dict) or not metadata.get("defaults") or not metadata.get("profiles"):
            continue
        for path in metadata.get("model_handlers", []):
            family_handlers.append(name + path)


def map_family_handlers():
    types = {}
    for path in family_handlers:
        handler = importlib.import_module(path).family_handler
        for model_type in handler.query_supported_types():
            types[model_type] = handler
            model_profile_roots_by_architecture[model_type] = ["profiles"]
        dict().update(handler.query_family_infos())
        first, second = handler.query_family_maps()
    return types


sys.path.insert(0, os.path.abspath("plugins"))
if os.path.isdir("plugins"):
    discover()
model_types_handlers = map_family_handlers()
models_def = {"i2v": {"architecture": "i2v"}}


def get_model_def(model_type):
    return models_def.get(model_type)


def get_base_model_type(model_type):
    return (get_model_def(model_type) or {}).get("architecture")


def load_model():
    return model_types_handlers["i2v"].load_model()


"""
MAIN = """def main():
    global SAFE_MODE
    SAFE_MODE = "--safe" in sys.argv
    download_ffmpeg()
    model_types_handlers["i2v"].fix_settings({})
    done = generate_media(
        None, lambda *args: calls.append(args), "a\\nb", 7, 18, 9, 1, None, None, 0, custom_settings=None
    )
    print("GENERATED", sorted(done or []), [name for name, _ in calls], calls if not done else "")
    return 0
"""
HANDLER = """
class family_handler:
    @staticmethod
    def query_supported_types():
        return ["i2v"]

    @staticmethod
    def query_family_infos():
        return {}

    @staticmethod
    def query_family_maps():
        return {}, {}

    @staticmethod
    def fix_settings(settings):
        return settings

    @staticmethod
    def load_model():
        from models.wan.any2video import WanAny2V

        return WanAny2V()
"""


def write(root: Path, flavour: str = "base") -> Path:
    """Writes the stand-in and the plugin in it."""
    miniature.write(root, flavour)
    wgp = (root / "wgp.py").read_text("utf-8")
    wgp = wgp.replace("from models.wan.any2video import WanAny2V\n", "")
    # Hooks look for exact lines; only what stands around them is changed.
    head, _, tail = wgp.partition("\n\ndef tracked(name):")
    wgp = f"{head}\n{PLUGINS}\ndef tracked(name):{tail}".replace("wan_model = WanAny2V()", "wan_model = load_model()")
    before, _, _ = wgp.partition("def main():")
    (root / "wgp.py").write_text(f'{before}{MAIN}\nif __name__ == "__main__":\n    sys.exit(main())\n', "utf-8")
    any2video = root / "models/wan/any2video.py"
    text = any2video.read_text("utf-8").replace("torch = None\n", TORCH)
    text = (
        text.replace("self.model = None", "pass")
        .replace('{"x": self.model.frames,', '{"x": Frames(),')
        .replace('device = "cpu"', "device = vae = Frames()")
    )
    any2video.write_text(text, "utf-8")
    (root / "models/wan/wan_handler.py").write_text(HANDLER, "utf-8")
    (root / "shared").mkdir()
    (root / "shared/ffmpeg_setup.py").write_text("def download_ffmpeg():\n    pass\n", "utf-8")
    put(root)
    return root


def put(root: Path) -> Path:
    """Writes the plugin into a WanGP, returns its folder."""
    home = root / "plugins" / NAME
    for path, data in build.files().items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_bytes(data)
    return home


class Ran(NamedTuple):
    """What a start of the stand-in did; ``code`` is None when it ended in an error of its own."""

    code: int | None
    out: str

    @property
    def said(self) -> list[str]:
        return [line for line in self.out.splitlines() if line.startswith("[SVI Mode]")]

    @property
    def generated(self) -> str:
        return next((line for line in self.out.splitlines() if line.startswith("GENERATED")), "")


def run(root: Path, *options: str, before: Callable[[], object] = lambda: None) -> Ran:
    """Starts the stand-in in a fork and generates.

    Args:
        options: of its command line.
        before: is called in the fork first.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code, out = None, io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                code = _start(root, options, before)
        except BaseException:  # noqa: BLE001
            out.write(traceback.format_exc())
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(pickle.dumps((code, out.getvalue())))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    return Ran(*pickle.loads(data)) if data else Ran(None, "the process died")


def _start(root: Path, options: tuple[str, ...], before: Callable[[], object]) -> int | None:
    os.chdir(root)
    sys.argv = ["wgp.py", *options]
    for name in [name for name in sys.modules if name.split(".")[0] in ("models", "shared", "svi_wangp")]:
        del sys.modules[name]
    before()
    try:
        runpy.run_path(str(root / "wgp.py"), run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0
