from __future__ import annotations

from pathlib import Path

import pytest

from svi_install.storyboard.trouble import explain, inactive, smaller


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
        (["one", "Traceback (most recent call last):", "KeyError: 'x'", "two"], 1, "wangp-failed"),
        ([], 3, "wangp-failed"),
    ],
)
def test_what_wangp_said_in_plain_words(said: list[str], code: int | None, expected: str) -> None:
    error = explain(said, code)
    assert error.code == expected
    assert "Finished segments stay" in error.message
    assert error.exit_code == 1


def test_only_what_is_worth_it_is_quoted() -> None:
    error = explain([*(f"line {i}" for i in range(50)), "ValueError: no", "KeyError: 'x'", "line"], 1)
    assert "KeyError: 'x'" in error.message
    assert "line 49" not in error.message
    alone = explain(["Traceback (most recent call last):", "  File x", "NameError: name 'y'", "exit"], 1)
    assert "NameError: name 'y'" in alone.message
    assert "Traceback" not in alone.message
    assert "exit code 1" in error.message


def test_nothing_worth_it() -> None:
    assert "line 2" in explain(["line 1", "line 2"], 1).message


def test_one_smaller_setting_at_a_time() -> None:
    """Each hint, followed, leads to the next one until there is none."""
    task: dict[str, object] = {"resolution": "1280x720", "video_length": 81}
    quality: str | None = None
    profile: float | None = None
    hints = []
    for _ in range(12):
        hint = smaller(task, quality, profile)
        hints.append(hint)
        option, _, value = hint.partition("add --")[2].partition(" ")
        if option == "resolution":
            task["resolution"] = value
        elif option == "quality":
            quality = {"auto": "Q6_K"}.get(value, value)
        elif option == "profile":
            profile = float(value)
        elif option == "clip-frames":
            task["video_length"] = int(value)
        else:
            break
    assert [hint.rpartition("--")[2] for hint in hints[:-1]] == [
        "resolution 832x480",
        "quality auto",
        "profile 5",
        "quality Q5_K_M",
        "quality Q4_K_M",
        "resolution 640x368",
        "clip-frames 49",
    ]
    assert "too small for this model" in hints[-1]


def test_made_without_svi(tmp_path: Path) -> None:
    log = tmp_path / "wangp.log"
    assert inactive(3, log).code == "svi-off"
    log.write_text("x\n[SVI Mode] off, WanGP goes on without it: a line is missing\ny\n")
    error = inactive(3, log)
    assert "segment 3" in error.message
    assert "a line is missing" in error.message
