"""Whatever is wrong with the plugin, the real WanGP starts, says one line and makes the video that it makes without it.

tests/plugin/test_faults.py injects a thousand such faults into a stand-in. Here each kind is tried once.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from svi_install.checkout.plugin import NAME
from svi_install.package_data import PATCHED

from . import scenes
from .conftest import Run, Tree
from .lab import installer

Fault = Callable[[Path, Path], None]
# What the console says: why it is off, that it works all the same, or nothing where WanGP does not load it at all.
OFF, READY, NOTHING = "[SVI Mode] off: ", "[SVI Mode] ready: ", ""
FAULTS: dict[str, tuple[Fault, str]] = {}
ALWAYS = ("a module is cut", "a release that the hooks do not fit")


def fault(name: str, said: str = OFF) -> Callable[[Fault], Fault]:
    def add(function: Fault) -> Fault:
        FAULTS[name] = function, said
        return function

    return add


def written(path: str, data: bytes) -> Fault:
    """A file of the plugin that holds something else."""
    return lambda tree, home: (home / path).write_bytes(data) and None


def gone(path: str) -> Fault:
    def remove(tree: Path, home: Path) -> None:
        shutil.rmtree(home / path) if (home / path).is_dir() else (home / path).unlink()

    return remove


def raising(path: str, error: str) -> Fault:
    """A module of the plugin that fails when it is imported."""

    def write(tree: Path, home: Path) -> None:
        text = (home / path).read_text("utf-8")
        head, mark, tail = text.partition("from __future__ import annotations\n")
        (home / path).write_text(f"{head}{mark}raise {error}\n{tail}" if mark else f"raise {error}\n{text}", "utf-8")

    return write


def cut(path: str) -> Fault:
    def write(tree: Path, home: Path) -> None:
        data = (home / path).read_bytes()
        (home / path).write_bytes(data[: len(data) * 2 // 3])

    return write


def unreadable(path: str) -> Fault:
    """For whoever may read everything, too."""

    def link(tree: Path, home: Path) -> None:
        (home / path).unlink()
        (home / path).symlink_to(home / path)

    return link


def at_first(plant: Fault) -> Fault:
    """Before anything is remembered of this WanGP."""

    def write(tree: Path, home: Path) -> None:
        shutil.rmtree(home / "cache")
        plant(tree, home)

    return write


def other_release(path: str, anchor: str) -> Fault:
    """A file of WanGP that does the same in other words."""

    def write(tree: Path, home: Path) -> None:
        text = (tree / path).read_bytes()
        assert anchor.encode() in text
        (tree / path).write_bytes(text.replace(anchor.encode(), f"{anchor}  # in other words".encode()))

    return write


FAULTS |= {
    "a module is cut": (cut("svi_install/plugin/start.py"), OFF),
    "the door is empty": (written("handler.py", b""), OFF),
    "the door is cut": (cut("handler.py"), OFF),
    "the door ends Python": (raising("handler.py", "SystemExit(3)"), OFF),
    "the guard is gone": (gone("__init__.py"), READY),
    "zeros instead of a module": (written("svi_install/plugin/code.py", bytes(5000)), OFF),
    "half of an update, a module is missing": (gone("svi_install/plugin/code.py"), OFF),
    "half of an update, all modules are missing": (gone("svi_install"), OFF),
    "an import error": (raising("svi_install/plugin/placed.py", "ImportError('planted')"), OFF),
    "no memory": (at_first(raising("svi_install/patching/known.py", "MemoryError()")), OFF),
    "a module cannot be read": (at_first(unreadable("svi_install/patching/patchset.py")), OFF),
    "the runtime is gone": (gone("svi_install/runtime"), OFF),
    "the runtime fails": (raising("svi_install/runtime/__init__.py", "RuntimeError('planted')"), OFF),
    "the runtime is garbage": (written("svi_install/runtime/options.py", b"\xff\xfe\x00garbage"), OFF),
    "no patches": (gone("patches"), OFF),
    "patches that cannot be read": (unreadable("patches/diffs.json"), OFF),
    "patches of wrong bytes": (written("patches/diffs.json", b'{"wgp.py": 7}'), OFF),
    "patches that are cut": (cut("patches/diffs.json"), OFF),
    "no profiles": (gone("profiles"), READY),
    "a description of nothing": (written("plugin_info.json", b"{"), NOTHING),
    "a release that the hooks do not fit": (
        other_release("models/wan/any2video.py", "seed_g.manual_seed(seed)"),
        OFF,
    ),
    "another release of wgp.py": (other_release("wgp.py", "samples = wan_model.generate("), OFF),
}


@fault("the cache is a file", READY)
def _(tree: Path, home: Path) -> None:
    shutil.rmtree(home / "cache")
    (home / "cache").write_bytes(b"")


@fault("the cache has wrong bytes", READY)
def _(tree: Path, home: Path) -> None:
    (kept,) = (home / "cache").iterdir()
    data = bytearray(kept.read_bytes())
    data[len(data) // 2] ^= 255
    kept.write_bytes(data)


@fault("the cache is cut", READY)
def _(tree: Path, home: Path) -> None:
    (kept,) = (home / "cache").iterdir()
    kept.write_bytes(kept.read_bytes()[:-100])


@fault("the cache is another Python's", READY)
def _(tree: Path, home: Path) -> None:
    (kept,) = (home / "cache").iterdir()
    kept.rename(kept.with_name(f"{'0' * 32}.bin"))


@fault("it is switched off by a folder")
def _(tree: Path, home: Path) -> None:
    (home / "off").mkdir()


@fault("hooks in one file alone")
def _(tree: Path, home: Path) -> None:
    path = tree / "models/wan/modules/model.py"
    path.write_bytes(path.read_bytes() + b"\n# svi-install\n")


@fault("what an update has left of another install", READY)
def _(tree: Path, home: Path) -> None:
    (tree / "svi_wangp").mkdir()
    (tree / "svi_wangp/__init__.py").write_text("raise RuntimeError('an old one')\n", "utf-8")


@fault("a module is another one")
def _(tree: Path, home: Path) -> None:
    shutil.copyfile(home / "svi_install/plugin/code.py", home / "svi_install/plugin/placed.py")


@dataclass(frozen=True)
class Place:
    """A WanGP with a plugin that has been started once, and what it makes without one."""

    tree: Path
    sound: Path
    stock: dict[str, bytes]
    task: dict[str, Any]
    md5: str


@pytest.fixture(scope="module")
def place(fresh_tree: Tree, run_wangp: Run, start_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    tree, sound = fresh_tree("12.60"), tmp_path_factory.mktemp("sound") / NAME
    task = scenes.video(start_image, video_length=5, num_inference_steps=1, prompt="a boat")
    without = run_wangp(tree, [task])
    assert without.ok, without.why()
    home = installer.put_plugin(tree)
    first = run_wangp(tree, [task])
    assert first.ok, first.why()
    assert [line.startswith(READY) for line in first.svi_lines] == [True]
    assert first.generations[0].md5 == without.generations[0].md5
    shutil.copytree(home, sound, ignore=shutil.ignore_patterns("__pycache__"))
    stock = {path: (tree / path).read_bytes() for path in PATCHED}
    return Place(tree, sound, stock, task, without.generations[0].md5)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.long) for name in FAULTS]
)
def test_wangp_starts_and_generates(place: Place, run_wangp: Run, name: str) -> None:
    home = place.tree / "plugins" / NAME
    shutil.rmtree(home)
    shutil.copytree(place.sound, home)
    plant, said = FAULTS[name]
    try:
        plant(place.tree, home)
        report = run_wangp(place.tree, [place.task])
    finally:
        shutil.rmtree(place.tree / "svi_wangp", ignore_errors=True)
        for path, data in place.stock.items():
            (place.tree / path).write_bytes(data)
    assert report.ok, report.why()
    assert report.generations[0].md5 == place.md5
    assert [line.startswith(said) for line in report.svi_lines] == ([True] if said else []), report.svi_lines
