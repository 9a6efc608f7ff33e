"""What the plugin adds to a start of WanGP: the first one after an update, and every other one.

    python benchmarks/plugin_start.py GIT

GIT is a bare clone of WanGP's history; the newest known release is taken. Measured is processor time of a Python that
does what the plugin does when WanGP starts, beside one that compiles WanGP's own wgp.py once, which every start does.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
ROUNDS = 5
OWN = "compile(open(sys.argv[2] + '/wgp.py', 'rb').read(), 'wgp.py', 'exec')"
PLUGIN = """
import importlib
from pathlib import Path
home, root = Path(sys.argv[1], "wan2gp-endless"), Path(sys.argv[2])
sys.path.insert(0, sys.argv[1])
start = importlib.import_module("wan2gp-endless.svi_install.plugin.start")
start.placed.codes(home, start.placed.read(root))
start._load_runtime(home)
"""
# WanGP has imported these long before it asks for plugins.
AROUND = """
import sys, time
import ast, inspect, dis, json, hashlib, marshal, re, importlib.util, pathlib, threading, warnings, fractions, decimal
begun = time.process_time()
{}
print(time.process_time() - begun)
"""


def seconds(code: str, plugins: Path, root: Path) -> float:
    """Return the processor time of some code in a Python of its own."""
    command = [sys.executable, "-I", "-S", "-c", AROUND.format(code), str(plugins), str(root)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main(git: str) -> None:
    """Measure in turns and print the best of each."""
    from svi_install.checkout.plugin import NAME
    from svi_install.package_data import PATCHED
    from svi_install.patching import patchset
    from svi_install.plugin import build

    version, commit = list(patchset.load().commits.items())[-1]
    with tempfile.TemporaryDirectory() as temporary:
        plugins, root = Path(temporary, "plugins"), Path(temporary, "WanGP")
        for path, data in build.files().items():
            (plugins / NAME / path).parent.mkdir(parents=True, exist_ok=True)
            (plugins / NAME / path).write_bytes(data)
        for path in PATCHED:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shown = subprocess.run(["git", "-C", git, "show", f"{commit}:{path}"], capture_output=True, check=True)
            (root / path).write_bytes(shown.stdout)
        seconds(PLUGIN, plugins, root)  # Python's own caches
        first, further, own = [], [], []
        for _ in range(ROUNDS):
            for kept in (plugins / NAME / "cache").iterdir():
                kept.unlink()
            first.append(seconds(PLUGIN, plugins, root))
            further.append(seconds(PLUGIN, plugins, root))
            own.append(seconds(OWN, plugins, root))
    print(f"WanGP {version}, best of {ROUNDS}, processor time")
    print(f"  WanGP compiles its wgp.py          {min(own):6.3f} s")
    for name, taken in (("the plugin, first start", first), ("the plugin, every other", further)):
        print(f"  {name:<33}  {min(taken):6.3f} s  {min(taken) / min(own):5.2f}x")


if __name__ == "__main__":
    main(sys.argv[1])
