from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from svi_install.runtime import png
from svi_install.storyboard.script.story import Shot, Story

from . import standin

SIZE = "64x32"
# The stand-in has no LoRA files.
NO_LORAS = {"activated_loras": [], "loras_multipliers": ""}


TRIED: Counter[str] = Counter()
SURVIVED: Counter[str] = Counter()


@contextmanager
def fault(kind: str, count: int = 1) -> Iterator[None]:
    """Counts faults that are tried in the block; those after which nothing in it failed are printed as survived."""
    TRIED[kind] += count
    yield
    SURVIVED[kind] += count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for kind, count in TRIED.items():
        terminalreporter.write_line(f"{kind}: {count} tried, {SURVIVED[kind]} survived")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "start.png"
    png.write(path, png.Picture(64, 32, bytes(range(256)) * 24))
    return path


@pytest.fixture
def story(image: Path) -> Callable[..., Story]:
    """Makes a story of three tiny clips; keyword arguments replace its values."""

    def make(*prompts: str, **values: object) -> Story:
        shots = tuple(Shot(prompt) for prompt in prompts or ("one", "two", "three"))
        defaults: dict[str, object] = {
            "shots": shots,
            "resolution": SIZE,
            "steps": 3,
            "clip_frames": 9,
            "settings": NO_LORAS,
        }
        return Story(image, **{**defaults, **values})  # type: ignore[arg-type]

    return make


@pytest.fixture
def ffmpeg_program() -> Path:
    found = shutil.which("ffmpeg")
    if found is None:
        pytest.skip("needs ffmpeg")
    return Path(found)


@pytest.fixture(params=["api", "process"])
def wangp_root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return standin.make(tmp_path / "WanGP", request.param)
