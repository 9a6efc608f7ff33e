from __future__ import annotations

from pathlib import Path

import pytest

from svi_install.package_data import RUNTIME_FOLDER
from svi_install.runtime.wgp import HOOKS
from svi_install.storyboard.headless.failures import explain, smaller, without_svi

from . import standin


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return standin.make(tmp_path / "Wan GP")


@pytest.mark.parametrize(
    ("said", "code", "expected"),
    [
        (["torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."], None, "card-full"),
        (["it is likely that you have unsufficient VRAM and you should therefore reduce"], 0, "card-full"),
        (["it is likely that you have unsufficient RAM and / or Reserved RAM"], 0, "ram-full"),
        (["RuntimeError: CUDA error: out of memory"], None, "ram-full"),
        (["[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"], 1, "ram-full"),
        (["Loading Model"], -9, "ram-full"),
        (["Loading Model"], 137, "ram-full"),
        (["OSError: [Errno 28] No space left on device"], 1, "disk-full"),
        (["Incorrect version of mmgp (3.7.0), version 3.8.1 is needed."], 0, "wangp-packages"),
        (["[SVI Mode] not started: it needs a Start Image.", "[ERROR] SVI"], None, "svi-off"),
        (["[Errno 2] No such file or directory: '/WanGP/start.png'"], None, "input-lost"),
        (["one", "Traceback (most recent call last):", "KeyError: 'x'", "two"], 1, "wangp-failed"),
        ([], 3, "wangp-failed"),
    ],
)
def test_what_wangp_said_in_plain_words(root: Path, said: list[str], code: int | None, expected: str) -> None:
    error = explain(said, code, root)
    assert error.code == expected
    assert "Finished segments are kept" in error.message
    assert error.exit_code == 1


def test_only_what_is_worth_it_is_quoted(root: Path) -> None:
    error = explain([*(f"line {i}" for i in range(50)), "ValueError: no", "KeyError: 'x'", "line"], 1, root)
    assert "KeyError: 'x'" in error.message
    assert "line 49" not in error.message
    alone = explain(["Traceback (most recent call last):", "  File x", "NameError: name 'y'", "exit"], 1, root)
    assert "NameError: name 'y'" in alone.message
    assert "Traceback" not in alone.message
    assert "exit code 1" in error.message


def test_nothing_worth_it(root: Path) -> None:
    assert "line 2" in explain(["line 1", "line 2"], 1, root).message


def test_one_smaller_setting_at_a_time() -> None:
    """Each hint, followed, leads to the next one until there is none."""
    task: dict[str, object] = {"resolution": "1280x720", "video_length": 81}
    quality: str | None = None
    hints = []
    for _ in range(12):
        hint = smaller(task, quality)
        hints.append(hint)
        option, _, value = hint.partition("add --")[2].partition(" ")
        if option == "resolution":
            task["resolution"] = value
        elif option == "quality":
            quality = "Q3_K_M"
        elif option == "clip-frames":
            task["video_length"] = int(value)
        else:
            break
    assert [hint.rpartition("--")[2] for hint in hints[:-1]] == [
        "resolution 832x480",
        "quality auto",
        "resolution 640x368",
        "clip-frames 49",
    ]
    assert "too large for this computer" in hints[-1]


@pytest.mark.parametrize(
    "prompt",
    [
        "CUDA out of memory",
        "No space left on device",
        "Incorrect version of mmgp",
        "[SVI Mode] off: x",
        "[SKIP] failed",
    ],
)
def test_a_prompt_is_no_reason(root: Path, prompt: str) -> None:
    said = [f"[Task 1/2] {prompt}...", f'[SVI Mode] clip 1/1: seed 7, prompt "{prompt}"', "KeyError: 'x'"]
    error = explain(said, None, root)
    assert error.code == "wangp-failed"
    assert prompt not in error.message


OFF = "[SVI Mode] off: this WanGP has no function x; run svi-install again"


def test_what_is_installed_is_not_to_be_installed(root: Path) -> None:
    """All of SVI is there: the advice of the runtime would lead in a circle."""
    for said in ([], [OFF]):
        error = without_svi("WanGP made segment 3 without SVI", root, said)
        assert error.code == "svi-off"
        assert error.message.startswith("WanGP made segment 3 without SVI, although SVI is fully installed in it.")
        assert error.hint == f'svi-install doctor "{root}"'
        assert "run svi-install again" not in error.message
    assert "this WanGP has no function x" in error.message


def test_svi_that_refuses(root: Path) -> None:
    error = without_svi("x", root, ["[SVI Mode] not started: it needs a Start Image.", "[ERROR] SVI"])
    assert "It said: [SVI Mode] not started: it needs a Start Image." in error.message
    assert "svi-install" not in error.hint


def test_svi_that_was_lost_meanwhile(root: Path) -> None:
    text = (root / "wgp.py").read_text()
    (root / "wgp.py").write_text(text.replace(HOOKS["wgp.py"][0], ""))
    error = without_svi("WanGP made segment 3 without SVI", root, [OFF])
    assert "svi-install's lines are gone from wgp.py" in error.message
    assert str(root) in error.hint


def test_an_svi_of_another_version(root: Path) -> None:
    (root / RUNTIME_FOLDER / "version.py").write_text('__version__ = "0.0.9"\n')
    error = without_svi("WanGP made segment 3 without SVI", root, [OFF])
    assert "version 0.0.9, which does not match this svi-install" in error.message
    assert error.hint == f'svi-install "{root}"'
