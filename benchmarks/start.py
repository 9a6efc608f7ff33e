"""What a person waits for, against a yardstick in the same run: ``python benchmarks/start.py [ROUNDS]``.

Two numbers each: time on the clock, and time of the processor, which other programs on the machine disturb less.
Starting: ``--version`` against ``python -I -c pass``, ``status`` against ``python -c "import click"``. Working: a whole
install against patch-package applying the same diffs, brought by npm where that is on the PATH. The runs alternate, and
the best of each counts.

All of it runs in an environment that is made for it as ``install.sh`` makes one, with the newest pip: the start scripts
of older ones import `re` before anything of ours, and a checkout that is installed in place may have no compiled
modules.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from svi_install.patching import patchset  # noqa: E402
from svi_install.patching.placement import place  # noqa: E402
from svi_install.patching.unified import unified  # noqa: E402
from tests import miniature  # noqa: E402

Run = Callable[[], None]
NEVER = float("inf")


def command(*words: str | Path, cwd: Path | None = None) -> Run:
    """Return a call that runs a command silently."""

    def run() -> None:
        subprocess.run(words, cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    return run


def spent() -> float:
    """Return the seconds of processor time that finished children have taken; always 0 on Windows."""
    if sys.platform == "win32":
        return 0.0
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def best(pairs: Mapping[str, tuple[Run, Run]], rounds: int) -> dict[str, tuple[float, float]]:
    """Return the best times of each run in milliseconds, clock and processor; the second of a pair undoes the first."""
    found = dict.fromkeys(pairs, (NEVER, NEVER))
    for _ in range(rounds):
        for name, (run, undo) in pairs.items():
            start, busy = time.perf_counter(), spent()
            run()
            clock, busy = 1000 * (time.perf_counter() - start), 1000 * (spent() - busy)
            found[name] = (min(found[name][0], clock), min(found[name][1], busy))
            undo()
    return found


def compare(runs: Mapping[str, tuple[Run, Run]], rounds: int, goal: float) -> None:
    """Measure two runs in turn, ours first, and print one line."""
    name, yardstick = runs
    times = best(runs, rounds)
    (clock, busy), (other_clock, other_busy) = times[name], times[yardstick]
    ratios = f"ratio {clock / other_clock:.2f}" + (f", processor {busy / other_busy:.2f}" if other_busy else "")
    other = f"{yardstick}: {other_clock:.1f} ms ({other_busy:.0f})"
    print(f"{name:10} {clock:7.1f} ms ({busy:.0f})   {other}   {ratios} (goal {goal})")


def nothing() -> None:
    """Undo nothing."""


def node_package(folder: Path) -> Path:
    """Make a node project whose one dependency is the miniature WanGP, with the same changes as its patch."""
    target = miniature.write(folder / "node_modules" / "wangp")
    (target / "package.json").write_text(json.dumps({"name": "wangp", "version": "1.0.0"}), "utf-8")
    project = {"name": "app", "version": "1.0.0", "dependencies": {"wangp": "1.0.0"}}
    (folder / "package.json").write_text(json.dumps(project), "utf-8")
    (folder / "package-lock.json").write_text("{}", "utf-8")
    (folder / "patches").mkdir()
    patches = patchset.load()
    parts = []
    for path in patches.paths:
        before = (target / path).read_bytes()
        parts.append(unified(f"node_modules/wangp/{path}", before, place(patches.variants[path], path, before).after))
    (folder / "patches" / "wangp+1.0.0.patch").write_bytes(b"".join(parts))
    return folder


def environment(folder: Path) -> Path:
    """Make a Python environment with the package in it; return the folder of its programs."""
    subprocess.run([sys.executable, "-I", "-m", "venv", folder], check=True)
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    pip = [programs / "python", "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--upgrade", "pip"], check=True)
    subprocess.run([*pip, ROOT], check=True)
    return programs


def patch_package(folder: Path) -> Path | None:
    """Install patch-package into a folder; return the program, None without npm."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    folder.mkdir()
    arguments = ["install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, "patch-package"]
    subprocess.run([npm, *arguments], check=True)
    return folder / "node_modules" / ".bin" / ("patch-package.cmd" if sys.platform == "win32" else "patch-package")


def main() -> int:
    """Run every comparison and print one line for each."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs = environment(folder / "environment")
        script, python = programs / "svi-install", programs / "python"
        root = miniature.write(folder / "Wan2GP")
        install = command(script, "--no-lora", "--quiet", root)
        revert = command(script, "--revert", "--quiet", root)
        version = (command(script, "--version"), nothing)
        bare = (command(python, "-I", "-c", "pass"), nothing)
        compare({"--version": version, "python -I -c pass": bare}, rounds, 1.5)
        install()
        status = (command(script, "status", root), nothing)
        click = (command(python, "-c", "import click"), nothing)
        compare({"status": status, 'python -c "import click"': click}, rounds, 1.3)
        revert()
        tool = patch_package(folder / "npm")
        if tool is None:
            print("install: there is no npm to bring patch-package, so there is nothing to compare with")
            return 0
        app = node_package(folder / "app")
        other = (command(tool, cwd=app), command(tool, "--reverse", cwd=app))
        compare({"install": (install, revert), "patch-package": other}, max(3, rounds // 4), 1.0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
