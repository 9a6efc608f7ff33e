"""Something of ours or of WanGP is not as it should be: WanGP generates, and one line on the console says why."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from . import scenes
from .conftest import Ahead, Run, Runs, Tree
from .lab import installer, media
from .lab.generate import Report, place_loras

VERSION = "12.60"


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text, f"{old!r} is not in {file}"
    file.write_text(text.replace(old, new), "utf-8")


def without_line(file: Path, part: str) -> None:
    lines = file.read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if part not in line]
    assert len(kept) == len(lines) - 1
    file.write_text("".join(kept), "utf-8")


def no_runtime(tree: Path) -> None:
    shutil.rmtree(tree / "svi_wangp")


def runtime_that_does_not_load(tree: Path) -> None:
    (tree / "svi_wangp/run.py").write_text("raise RuntimeError('no such luck')\n", "utf-8")


def lost_hook(tree: Path) -> None:
    without_line(tree / "models/wan/any2video.py", '"].condition(')


def renamed_function(tree: Path) -> None:
    edit(tree / "wgp.py", "generate_media", "generate_film")


def error_before_a_clip(tree: Path) -> None:
    line = '        number = arguments["window_no"]\n        known'
    edit(tree / "svi_wangp/run.py", line, f"        raise RuntimeError('no such luck')\n{line}")


def error_within_a_clip(tree: Path) -> None:
    head = "        room = frames.shape[1]"
    edit(tree / "svi_wangp/clip.py", head, f"        raise RuntimeError('no such luck')\n{head}")


SPOILED: dict[str, tuple[Callable[[Path], None], str]] = {
    "no runtime": (no_runtime, "No module named 'svi_wangp'"),
    "runtime that does not load": (runtime_that_does_not_load, "no such luck"),
    "error before a clip": (error_before_a_clip, "no such luck"),
    "error within a clip": (error_within_a_clip, "no such luck"),
    "lost hook": (lost_hook, "any2video.py has lost a line"),
    "renamed function": (renamed_function, "generate_media"),
}
Reports = Callable[[str], Report]


@pytest.fixture(scope="session")
def spoiled(
    ahead: Ahead[Report], fresh_tree: Tree, run_wangp: Run, start_image: Path, request: pytest.FixtureRequest
) -> Reports:
    """SVI-Shot in an installed tree of which one thing was spoiled; a clip that failed is begun again without SVI."""

    def run(how: str) -> Report:
        tree = fresh_tree(VERSION)
        installer.install(tree)
        SPOILED[how][0](tree)
        return run_wangp(tree, [scenes.svi(start_image, 1, video_length=49)])

    return ahead(request, "how", run)


@pytest.mark.parametrize("version", [VERSION])
@pytest.mark.parametrize("how", SPOILED)
def test_wangp_generates_without_svi(spoiled: Reports, unpatched: Runs, version: str, how: str) -> None:
    report = spoiled(how)
    assert report.ok, report.why()
    said = [line for line in report.svi_lines if SPOILED[how][1] in line]
    assert said, report.why()
    assert "off" in said[0]
    assert len(said) == 1
    assert report.generations[-1].md5 == unpatched(version).report.generations[0].md5


@pytest.mark.parametrize("how", ["no runtime", "runtime that does not load"])
def test_loras_load_without_a_runtime(
    fresh_tree: Tree, run_wangp: Run, start_image: Path, tmp_path: Path, how: str
) -> None:
    tree, lora = fresh_tree(VERSION), tmp_path / "style.safetensors"
    installer.install(tree)
    SPOILED[how][0](tree)
    media.write_lora(lora, "diffusion_model")
    place_loras(tree, [lora])
    report = run_wangp(tree, [scenes.video(start_image, video_length=5, activated_loras=[lora.name])])
    assert report.ok, report.why()
    assert [loaded["kept"] for loaded in report.loras] == [40]
