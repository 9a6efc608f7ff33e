"""The table of precisions, its row of 32 bit: the benchmark that a person runs on a graphics card, on the processor."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .conftest import Tree
from .lab import tools

BENCHMARK = tools.FOLDER.parent.parent / "benchmarks/precision.py"

# tests/runtime/test_precision.py shows in seconds what a change of the runtime could break.
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def table(plain_tree: Tree, environment: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    tree, out = plain_tree("12.60"), tmp_path_factory.mktemp("precision") / "table.json"
    before = sorted(path for path in tree.rglob("*") if "__pycache__" not in path.parts)
    command = [str(tools.python_of(environment)), str(BENCHMARK), str(tree), "--cpu", "--exact", "--json", str(out)]
    done = subprocess.run(command, env=tools.variables(tree, environment), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert sorted(path for path in tree.rglob("*") if "__pycache__" not in path.parts) == before
    return {**json.loads(out.read_text("utf-8")), "printed": done.stdout}


def test_32_bit_keeps_the_limits(table: dict[str, Any]) -> None:
    (row,) = table["rows"]
    assert (row["transformer"], row["vae"]) == ("float32", {"bits": 32, "tile": 0, "tf32": False})
    assert 0 < row["conditioning"] <= 1e-5
    assert 0 < row["latents"] <= 2e-4
    assert 0 < row["frames"] <= 1e-3
    assert "kept" in table["printed"]


def test_mask_noise_and_time_steps_are_equal_in_every_clip(table: dict[str, Any]) -> None:
    (row,) = table["rows"]
    assert row["equal"] == row["clips"] == 5
