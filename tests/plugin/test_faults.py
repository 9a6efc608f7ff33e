"""Whatever is wrong with the plugin, its folder or this WanGP: WanGP starts and generates, and one line says why.

SVI_PLUGIN_FAULTS sets how many faults are injected; 1000 take half a minute.
"""

from __future__ import annotations

import builtins
import functools
import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from . import standin

FAULTS = int(os.environ.get("SVI_PLUGIN_FAULTS", "200"))
# What WanGP itself executes without a net, before anything of ours can catch an error. It never changes, so no update
# writes it; missing or empty it does no harm as long as handler.py is sound.
UNGUARDED = "__init__.py"
# What is read only when a person makes a film or measures a video.
LATER = {
    *("storyboard", "drift", "filming.py", "shelf.py", "wangp_queue.py", "lock.py", "process.py", "mp4.py"),
    *("storyboard_page.py", "drift_page.py", "state_page.py"),
}
MADE = "GENERATED ['custom_settings'"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = standin.write(tmp_path_factory.mktemp("sound") / "WanGP")
    ran = standin.run(root)
    assert ran.code == 0, ran.out
    assert "ready: the plugin" in ran.out
    assert ran.generated.startswith(MADE)
    return root


def pick(dice: random.Random, home: Path, ending: str = "") -> Path:
    files = sorted(
        path
        for path in home.rglob(f"*{ending}")
        if path.is_file() and path != home / UNGUARDED and path.suffix != ".pyc" and not LATER & {*path.parts}
    )
    return dice.choice(files)


def gone(dice: random.Random, root: Path, home: Path) -> None:
    path = dice.choice([pick(dice, home), home / UNGUARDED])
    path.unlink()


def empty(dice: random.Random, root: Path, home: Path) -> None:
    dice.choice([pick(dice, home), home / UNGUARDED]).write_bytes(b"")


def cut(dice: random.Random, root: Path, home: Path) -> None:
    path = pick(dice, home)
    data = path.read_bytes()
    path.write_bytes(data[: dice.randrange(len(data) + 1)])


def flipped(dice: random.Random, root: Path, home: Path) -> None:
    path = pick(dice, home)
    data = bytearray(path.read_bytes())
    for _ in range(dice.randrange(1, 9)):
        if data:
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    path.write_bytes(data)


def garbage(dice: random.Random, root: Path, home: Path) -> None:
    pick(dice, home).write_bytes(dice.randbytes(dice.randrange(1, 4000)))


def zeros(dice: random.Random, root: Path, home: Path) -> None:
    path = pick(dice, home)
    path.write_bytes(b"\0" * path.stat().st_size)


def folder(dice: random.Random, root: Path, home: Path) -> None:
    path = pick(dice, home)
    path.unlink()
    path.mkdir()


def mixed_up(dice: random.Random, root: Path, home: Path) -> None:
    """Half of an update: a module that is another one."""
    shutil.copyfile(pick(dice, home, ".py"), pick(dice, home, ".py"))


def raises(dice: random.Random, root: Path, home: Path) -> None:
    path = pick(dice, home, ".py")
    lines = path.read_text("utf-8").splitlines()
    error = dice.choice(
        ("ImportError('x')", "OSError(13, 'x')", "SystemExit(3)", "MemoryError()", "RecursionError('x')")
    )
    starts = [number for number, line in enumerate(lines) if line and not line[0].isspace()]
    lines.insert(dice.choice(starts), f"raise {error}")
    path.write_text("\n".join(lines), "utf-8")


def without_folder(dice: random.Random, root: Path, home: Path) -> None:
    shutil.rmtree(
        home / dice.choice(("svi_install", "svi_install/runtime", "svi_install/patching", "patches", "profiles"))
    )


def cache(dice: random.Random, root: Path, home: Path) -> None:
    found = sorted((home / "cache").iterdir())[0]
    data = bytearray(found.read_bytes())
    what = dice.randrange(4)
    if what == 0:
        found.write_bytes(data[: dice.randrange(len(data))])
    elif what == 1:
        data[dice.randrange(len(data))] ^= 255
        found.write_bytes(data)
    elif what == 2:
        shutil.rmtree(home / "cache")
        (home / "cache").write_text("a file")
    else:
        found.unlink()
        found.mkdir()


def other_wangp(dice: random.Random, root: Path, home: Path) -> None:
    """A release whose text the hooks do not fit, or that lacks what the runtime needs."""
    path = root / dice.choice(("wgp.py", "models/wan/any2video.py", "models/wan/modules/model.py"))
    old, new = dice.choice(
        (
            ("get_function_arguments", "get_arguments"),
            ("latents = torch.randn(", "latents  = torch.randn("),
            ("window_no > 1 and reuse_frames > 0", "window_no > 1 and 0 < reuse_frames"),
            ("preprocess_loras", "prepare_loras"),
            ("lat_y = self.vae.encode(", "lat_y =  self.vae.encode("),
            ("def get_base_model_type", "def get_base_type"),
            ("seed_g.manual_seed(seed)", "seed_g.manual_seed( seed)"),
        )
    )
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")


def strange_state(dice: random.Random, root: Path, home: Path) -> None:
    what = dice.randrange(4)
    if what == 0:  # hooks in one file alone
        path = root / "models/wan/modules/model.py"
        path.write_text(
            path.read_text("utf-8").replace("        first = next", "        pass  # svi-install\n        first = next")
        )
    elif what == 1:  # the runtime of an install that an update has wiped
        (root / "svi_wangp").mkdir()
        (root / "svi_wangp/__init__.py").write_text("raise RuntimeError('an old one')\n")
    elif what == 2:
        (root / "models/wan/wan_handler.py").write_text(
            (root / "models/wan/wan_handler.py")
            .read_text("utf-8")
            .replace("def load_model", "def load_it")
            .replace("from models.wan.any2video import WanAny2V\n", "pass\n")
            + "    load_model = staticmethod(lambda: __import__('models.wan.any2video', fromlist=['x']).WanAny2V())\n"
        )
    else:
        (home / "off").mkdir()


ON_DISK = (
    *(gone, empty, cut, flipped, garbage, zeros, folder, mixed_up, raises, without_folder, cache, other_wangp),
    strange_state,
)


def failing_reads(dice: random.Random) -> Callable[[], None]:
    """From one read on the disk refuses, the plugin's files or WanGP's."""
    left = dice.randrange(12)
    error = dice.choice((PermissionError(13, "planted"), OSError(5, "planted"), MemoryError("planted")))

    def plant() -> None:
        original = Path.read_bytes

        def read_bytes(self: Path) -> bytes:
            nonlocal left
            left -= 1
            if left < 0:
                raise error
            return original(self)

        Path.read_bytes = read_bytes  # type: ignore[method-assign]

    return plant


def failing_writes(dice: random.Random) -> Callable[[], None]:
    def plant() -> None:
        def refuse(*args: Any, **kwargs: Any) -> Any:
            raise OSError(28, "planted")

        setattr(Path, dice.choice(("write_bytes", "mkdir", "replace")), refuse)

    return plant


def failing_compile(dice: random.Random) -> Callable[[], None]:
    left = dice.randrange(8)

    def plant() -> None:
        original = builtins.compile

        def refuse(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0 and "importlib" not in sys._getframe(1).f_code.co_filename:
                name = sys._getframe(1).f_code.co_filename
                if "svi_install" in name:
                    raise MemoryError("planted")
            return original(*args, **kwargs)

        builtins.compile = refuse

    return plant


IN_MEMORY = (failing_reads, failing_writes, failing_compile)


@pytest.mark.parametrize("part", range(10))
def test_wangp_starts_and_generates(sound: Path, tmp_path: Path, part: int) -> None:
    root, felt = tmp_path / "WanGP", 0
    for number in range(part, FAULTS, 10):
        dice = random.Random(number)
        shutil.copytree(sound, root)
        home = next((root / "plugins").iterdir())
        done, before = [], []
        for _ in range(dice.choice((1, 1, 1, 2, 3))):
            if dice.random() < 0.15:
                before.append(dice.choice(IN_MEMORY)(dice))
                done.append("in memory")
                continue
            fault = dice.choice(ON_DISK)
            try:
                fault(dice, root, home)
            except (OSError, IndexError):
                continue  # another fault took what this one wanted
            done.append(fault.__name__)
        if dice.random() < 0.5:
            shutil.rmtree(home / "cache", ignore_errors=True)
        shutil.rmtree(home / "svi_install/plugin/__pycache__", ignore_errors=True)
        if not (home / UNGUARDED).is_file() or not (home / UNGUARDED).stat().st_size:
            # It guards handler.py; without it that one has to be sound.
            shutil.copyfile(sound / home.relative_to(root) / "handler.py", whole(home / "handler.py"))
        ran = standin.run(root, before=functools.partial(all_of, before))
        assert ran.code == 0, f"fault {number} ({', '.join(done)}):\n{ran.out}"
        assert ran.generated.startswith(MADE) or "GENERATED ['custom" in ran.generated, f"{number} {done}\n{ran.out}"
        if "ready: the plugin" not in ran.out and home.joinpath("plugin_info.json").is_file():
            quiet = not ran.said
            assert not quiet or _unheard(home), f"fault {number} ({', '.join(done)}) was not told:\n{ran.out}"
        assert len([line for line in ran.said if "off" in line]) <= 2, ran.out
        felt += "ready: the plugin" not in ran.out
        shutil.rmtree(root)
    # A fault that nobody feels proves nothing; some hit files that this start does not read.
    assert felt > FAULTS // 10 // 3


def whole(path: Path) -> Path:
    """Where a file belongs, with nothing there."""
    if path.is_dir():
        path.rmdir()
    return path


def all_of(plants: list[Callable[[], None]]) -> None:
    for plant in plants:
        plant()


def _unheard(home: Path) -> bool:
    """WanGP did not load the plugin at all, or loaded it and had nothing to ask."""
    import json

    try:
        stored = json.loads((home / "plugin_info.json").read_text("utf-8"))
        return stored.get("model_handlers") != [".handler"] or not stored.get("defaults") or not stored.get("profiles")
    except Exception:  # noqa: BLE001
        return True
