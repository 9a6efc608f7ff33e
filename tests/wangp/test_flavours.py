"""The trees that behave like newer releases: what they are made of, and that SVI goes in and comes out."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from .conftest import Tree
from .lab import flavours, installer, trees

KNOWN = {"minimum": 5, "step": 4, "discard_last_frames": 0}


@pytest.mark.parametrize("flavour", flavours.FLAVOURS)
def test_svi_goes_in_and_comes_out(fresh_tree: Tree, flavour: str) -> None:
    tree = fresh_tree(flavour)
    before = trees.contents(tree)
    installer.install(tree)
    patched = (tree / "wgp.py").read_text("utf-8")
    called = patched.index(".attach(wan_model")
    assert flavour in installer.svi_install("status", tree)["checkout"]["version"]
    assert ("wan_model.generate,\n" in patched[called : called + 250]) is (flavour == "17.17")
    installer.revert(tree)
    assert trees.contents(tree) == before


@pytest.mark.parametrize("flavour", flavours.FLAVOURS)
def test_a_module_is_there_from_its_release_on(fresh_tree: Tree, flavour: str) -> None:
    tree = fresh_tree(flavour)
    assert {module for module in flavours.MODULES if (tree / module).exists()} == {
        module for module, releases in flavours.MODULES.items() if flavour in releases
    }
    assert {file.relative_to(flavours.ADDED).as_posix() for file in flavours.ADDED.rglob("*.py")} == set(
        flavours.MODULES
    )


def test_what_is_not_there_once_is_an_error(fresh_tree: Tree, tmp_path: Path) -> None:
    tree = fresh_tree("13.0")
    with pytest.raises(ValueError, match="is there 0 times"):
        flavours.apply(tree, "13.0")
    file = tmp_path / "file.py"
    file.write_text("one\none\n")
    with pytest.raises(ValueError, match="is there 2 times"):
        flavours.replace(file, "one", "two")
    assert file.read_text() == "one\none\n"
    with pytest.raises(ValueError, match="none of"):
        flavours.apply(tree, "12.60")


def module(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_plan_without_a_shared_frame_is_that_of_12_60(plain_tree: Tree) -> None:
    """Frame by frame where the length is one that the model can make; it has no other word for a length than up."""
    old = module(plain_tree("12.60") / "shared/utils/frame_scheduler.py").build_default_window_plan
    new = module(flavours.ADDED / "shared/utils/window_plan.py").build_default_window_plan
    keys = ("output_frames", "overlap_frames", "discard_last_frames", "trim_last_frames", "frame_num")
    compared = 0
    for total in range(5, 400, 4):
        for window in (17, 33, 81):
            for overlap in (1, 5, 9):
                asked = {**KNOWN, "total_frames": total, "window_size": window, "default_overlap": overlap}
                plans = [[[one[key] for key in keys] for one in plan(**asked)] for plan in (old, new)]
                assert plans[0] == plans[1], asked
                compared += len(plans[0])
    assert compared > 5000


@pytest.mark.parametrize(
    ("total", "motion", "there", "frames"),
    [
        (49, 1, 1, [17, 17, 17]), (41, 5, 1, [17, 17, 17]), (17, 5, 1, [17]), (13, 1, 1, [13]),
        (25, 5, 20, [17, 17]), (13, 5, 20, [17]), (17, 1, 20, [17]), (33, 1, 20, [17, 17]), (25, 5, 3, [17, 13]),
    ],
)  # fmt: skip
def test_one_frame_of_the_first_window_counts(total: int, motion: int, there: int, frames: list[int]) -> None:
    plan = module(flavours.ADDED / "shared/utils/window_plan.py").build_default_window_plan
    first = min(there, motion) if there > 1 else 1
    windows = plan(
        **KNOWN,
        total_frames=total,
        window_size=17,
        default_overlap=motion,
        max_overlap=1,
        first_window_overlap=first,
        first_window_available_overlap=there,
        initial_shared_frames=1,
    )
    assert [one["frame_num"] for one in windows] == frames
    assert sum(one["output_frames"] for one in windows) == total - 1
