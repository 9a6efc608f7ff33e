from __future__ import annotations

import json
from pathlib import Path

import pytest

from svi_install.runtime import options, png
from svi_install.runtime.segment import BEGUN, DONE, FRAMES, Segment, of_keys


def left(folder: Path, count: int) -> Path:
    """A folder as a clip leaves it, with frames whose number is their colour."""
    folder.mkdir()
    for back in range(1, count + 1):
        png.write(folder / f"tail-{back:03d}.png", png.Picture(4, 2, bytes([count - back]) * 24))
    (folder / DONE).write_text("{}")
    return folder


def test_an_ordinary_task_is_none() -> None:
    assert of_keys({}) is None
    assert of_keys({options.SEGMENT_BEFORE: "x", options.SEGMENT_OUT: None}) is None


def test_keys(tmp_path: Path) -> None:
    keys = {options.SEGMENT_OUT: str(tmp_path)}
    assert of_keys(keys) == Segment(None, tmp_path)
    assert of_keys({**keys, options.SEGMENT_BEFORE: "before"}) == Segment(Path("before"), tmp_path)


def test_headless_keys_are_in_no_form_and_no_metadata() -> None:
    assert not set(options.HEADLESS_KEYS) & set(options.KEYS)
    chosen = options.Options("shot", 1, -1)
    assert not set(options.HEADLESS_KEYS) & {*chosen.keys(), *chosen.fields("i2v")}


def test_the_clip_before_must_be_finished(tmp_path: Path) -> None:
    before = left(tmp_path / "before", 5)
    segment = Segment(before, tmp_path)
    segment.check(5)
    segment.check(1)
    with pytest.raises(ValueError, match=r"tail-006\.png is missing"):
        segment.check(6)
    (before / DONE).unlink()
    with pytest.raises(ValueError, match="not finished"):
        segment.check(1)
    with pytest.raises(ValueError, match="does not exist"):
        Segment(None, tmp_path / "missing").check(1)
    Segment(None, tmp_path).check(5)


def test_a_clip_that_is_taken_says_so(tmp_path: Path) -> None:
    """Only a clip that can begin: whoever waits stops at once where there is no mark."""
    before, out = left(tmp_path / "before", 1), tmp_path / "out"
    out.mkdir()
    with pytest.raises(ValueError, match="not finished"):
        Segment(before, out).check(2)
    assert not (out / BEGUN).exists()
    Segment(before, out).check(1)
    assert (out / BEGUN).exists()


def test_frames_in_the_order_of_time(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs torch (the WanGP laboratory has it)")
    segment = Segment(left(tmp_path / "before", 5), tmp_path)
    frames = segment.motion_frames(3)
    assert frames is not None
    assert tuple(frames.shape) == (3, 3, 2, 4)
    assert frames[0, :, 0, 0].tolist() == [2, 3, 4]
    assert Segment(None, tmp_path).motion_frames(3) is None
    assert Segment(None, tmp_path).latents() is None


def test_what_a_clip_leaves_is_what_the_next_one_gets(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs torch (the WanGP laboratory has it)")
    levels = torch.arange(3 * 7 * 2 * 4, dtype=torch.uint8).view(3, 7, 2, 4)
    latents = torch.randn(1, 16, 1, 2, 2)
    Segment(None, tmp_path).save(levels, levels[:, -2:], {"seed": 3}, latents)
    after = Segment(tmp_path, tmp_path)
    after.check(2)
    assert torch.equal(after.motion_frames(2), levels[:, -2:])
    assert torch.equal(after.latents(), latents)
    assert json.loads((tmp_path / DONE).read_text()) == {
        "frames": 7,
        "width": 4,
        "height": 2,
        "motion_frames": 2,
        "seed": 3,
    }
    raw = torch.frombuffer(bytearray((tmp_path / FRAMES).read_bytes()), dtype=torch.uint8)
    assert torch.equal(raw.view(7, 2, 4, 3).permute(3, 0, 1, 2), levels)
    assert not (tmp_path / f"{DONE}.part").exists()
