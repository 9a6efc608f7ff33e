"""What a person waits for, against a yardstick in the same run: ``python benchmarks/start.py [ROUNDS]``.

Two numbers each: time on the clock, and time of the processor, which other programs on the machine disturb less.
Starting: ``--version`` against ``python -I -c pass``, ``status`` and ``fetch --list`` against ``python -c "import
click"``. Working: a whole install against patch-package applying the same diffs, brought by npm where that is on the
PATH; where WanGP's history is (WANGP_GIT), on the real 12.60 and on one that nobody knows. The runs alternate, and the
best of each counts.

All of it runs in an environment that is made for it as ``install.sh`` makes one, with the newest pip. The start script
of older ones imports `re` before anything of ours; it is measured, too, and so is what it takes without anything of
ours. Nobody meets it who starts by ``install.sh`` or ``install.bat``: they run the module.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from svi_install.history import gitcall  # noqa: E402
from svi_install.patching import patchset  # noqa: E402
from svi_install.patching.placement import place  # noqa: E402
from svi_install.patching.unified import unified  # noqa: E402
from tests import miniature  # noqa: E402
from tests.wangp.lab.checkout import git_directory  # noqa: E402

Run = Callable[[], None]
NEVER = float("inf")
RELEASE = "12.60"


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
    print(f"{name:20} {clock:7.1f} ms ({busy:.0f})   {other}   {ratios} (goal {goal})")


def nothing() -> None:
    """Undo nothing."""


def release(folder: Path, git: Path) -> Path:
    """Write the real WanGP 12.60 out of its history; nothing of it is part of this repository."""
    folder.mkdir()
    packed = gitcall.git(git, "archive", patchset.load().commits[RELEASE], "wgp.py", "models/wan", "profiles")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    return folder


def unknown(folder: Path) -> Path:
    """Make a release that nobody knows: another version, and a function of its own in all three files."""
    for path in patchset.load().paths:
        text = (folder / path).read_bytes()
        at = min(found for found in (text.find(b"\ndef "), text.find(b"\nclass ")) if found >= 0) + 1
        own = b"def _of_its_own():\n    return 'a release that nobody knows'\n\n\n"
        text = text[:at] + own + text[at:]
        (folder / path).write_bytes(text.replace(f'"{RELEASE}"'.encode(), b'"12.60.1"', 1))
    return folder


def node_package(folder: Path, source: Path) -> Path:
    """Make a node project whose one dependency is a WanGP, with the same changes as its patch."""
    target = shutil.copytree(source, folder / "node_modules" / "wangp")
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


def old_script(programs: Path, entry: str = "svi_install.__main__:main") -> Path:
    """Write the start script that pip made until version 25: it imports `re` before anything of ours.

    Args:
        programs: where to.
        entry: what it starts, as in ``[project.scripts]``.
    """
    module, _, function = entry.partition(":")
    script = programs / f"svi-install-old-{function}.py"
    script.write_text(
        f"import re\nimport sys\nfrom {module} import {function} as main\nif __name__ == '__main__':\n"
        "    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])\n    sys.exit(main())\n",
        "utf-8",
    )
    return script


def sources(folder: Path) -> Mapping[str, tuple[Path, float]]:
    """Return the WanGP folders to install into, with the goal for each: real ones where WanGP's history is."""
    git = git_directory()
    if git is None:
        print("WanGP's history is not here (WANGP_GIT): install is measured on a miniature of a few lines")
        return {"install": (miniature.write(folder / "miniature"), 1.0)}
    known, new = release(folder / "known", git), unknown(release(folder / "unknown", git))
    return {f"install {RELEASE}": (known, 0.7), "install unknown": (new, 1.5)}


def main() -> int:
    """Run every comparison and print one line for each."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    # A shell may keep Python from storing what it compiled; nobody's installation is like that.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs = environment(folder / "environment")
        script, python = programs / "svi-install", programs / "python"
        bare = (command(python, "-I", "-c", "pass"), nothing)
        version = (command(script, "--version"), nothing)
        compare({"--version": version, "python -I -c pass": bare}, rounds, 1.5)
        older = (command(python, old_script(programs), "--version"), nothing)
        compare({"--version, older pip": older, "python -I -c pass": bare}, rounds, 1.5)
        idle = (command(python, old_script(programs, "sys:exit")), nothing)
        compare({"--version, older pip": older, "that script, alone": idle}, rounds, 1.1)
        click = (command(python, "-c", "import click"), nothing)
        found = sources(folder)
        root = next(iter(found.values()))[0]
        command(script, "--no-lora", "--quiet", root)()
        status = (command(script, "status", root), nothing)
        compare({"status": status, 'python -c "import click"': click}, rounds, 1.3)
        loras = (command(script, "fetch", "--list", root), nothing)
        compare({"fetch --list": loras, 'python -c "import click"': click}, rounds, 2.0)
        command(script, "--revert", "--quiet", root)()
        tool = patch_package(folder / "npm")
        if tool is None:
            print("install: there is no npm to bring patch-package, so there is nothing to compare with")
            return 0
        for number, (what, (root, goal)) in enumerate(found.items()):
            install = (command(script, "--no-lora", "--quiet", root), command(script, "--revert", "--quiet", root))
            app = node_package(folder / f"app{number}", root)
            other = (command(tool, cwd=app), command(tool, "--reverse", cwd=app))
            compare({what: install, "patch-package": other}, max(3, rounds // 4), goal)
    return 0


if __name__ == "__main__":
    sys.exit(main())
