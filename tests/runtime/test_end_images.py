"""End Images in a WanGP that runs in milliseconds: each comes to its own clip and to no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from svi_install.runtime import notice

from . import standin
from .test_wgp import clip_frames, generate

torch = pytest.importorskip("torch", reason="the runtime's tests need torch (the WanGP laboratory has it)")

WAN22 = {"model_type": "i2v_2_2", "svi_mode": True, "svi_variant": "2.0", "video_length": 49, "image_prompt_type": "SE"}
NONE, FIRST, LAST = [0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1]


@pytest.fixture(params=standin.FLAVOURS)
def wangp(request: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    return standin.wangp(request.param, monkeypatch, tmp_path)


@pytest.fixture
def in_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice, "in_form", lambda: True)


def picture(level: int) -> Any:
    return torch.full((3, 8, 8), level / 127.5 - 1)


def arrived(calls: list[Any]) -> list[int | None]:
    """The level of the End Image that each clip of the model was given."""
    ends = [call["image_end"] for call in calls]
    return [None if end is None else round((float(end.mean()) + 1) * 127.5) for end in ends]


def proof(wangp: dict[str, Any]) -> dict[str, Any]:
    settings = wangp["saved"][-1][1]
    found: dict[str, Any] = settings.get("svi") or settings["custom_settings"]["svi"]
    return found


@pytest.mark.parametrize(
    ("levels", "named", "expected"),
    [
        ([10], None, [10, None, None]),
        ([10, 20], None, [10, 20, None]),
        ([10], "2", [None, 10, None]),
        ([10], "last", [None, None, 10]),
        ([10, 20], "3 1", [20, None, 10]),
    ],
)
def test_each_image_comes_to_its_clip_and_no_other(
    wangp: dict[str, Any], levels: list[int], named: str | None, expected: list[int | None]
) -> None:
    keys = {} if named is None else {"svi_end_clips": named}
    _, errors, calls = generate(wangp, **WAN22, **keys, image_end=[picture(level) for level in levels])
    assert not errors
    assert arrived(calls) == expected
    assert proof(wangp)["end_images"] == [clip for clip, level in enumerate(expected, 1) if level is not None]
    start = standin.request()["image_start"]
    for call, level in zip(calls, expected, strict=True):
        mask = call["y"][:4, :, 0, 0].T.tolist()
        assert mask == [FIRST, NONE, NONE, NONE, NONE if level is None else LAST]
        padding = call["enc"][:, 1:] if level is None else call["enc"][:, 1:-1]
        assert torch.equal(padding, start.unsqueeze(1).expand(-1, padding.shape[1], -1, -1))
        if level is not None:
            # By the levels of the official program, like the start image.
            assert float((call["enc"][:, -1] - picture(level)).abs().max()) < 0.02
        assert call["pinned"] == 0


def test_clips_before_and_beside_are_what_they_were(wangp: dict[str, Any]) -> None:
    plain = {**WAN22, "image_prompt_type": "S"}
    _, _, without = generate(wangp, **plain)
    assert "end_images" not in proof(wangp)
    count = len(without)
    _, _, calls = generate(wangp, **WAN22, svi_end_clips="3", image_end=[picture(10)])
    for before, now in zip(without[:2], calls[count:], strict=False):
        assert now["image_end"] is None
        for name in ("enc", "y", "known", "timesteps", "clip"):
            assert torch.equal(before[name], now[name])


def test_a_list_that_the_task_holds_stays_as_it_was(wangp: dict[str, Any]) -> None:
    asked = [picture(10)]
    generate(wangp, **WAN22, svi_end_clips="2", image_end=asked)
    assert len(asked) == 1


def test_without_the_letter_the_image_is_left_out(wangp: dict[str, Any]) -> None:
    """As in WanGP itself: an image in a gallery that is hidden."""
    _, errors, calls = generate(wangp, **{**WAN22, "image_prompt_type": "S"}, image_end=[picture(10)])
    assert not errors
    assert arrived(calls) == [None, None, None]
    assert "end_images" not in proof(wangp)


@pytest.mark.parametrize(
    ("model", "count", "named", "said"),
    [
        ("i2v", 1, None, "SVI on Wan 2.1 cannot end on an image"),
        ("i2v_2_2", 4, None, "An End Image is for clip 4, but the video has 3 clips"),
        ("i2v_2_2", 1, "2 3", "There is 1 End Image, but SVI details name 2 clips"),
        ("i2v_2_2", 0, "2", "SVI details name clips for End Images, but there is none"),
        ("i2v_2_2", 1, "soon", "it can only be numbers of clips"),
    ],
)
@pytest.mark.usefixtures("in_the_form")
def test_refused_before_any_work(wangp: dict[str, Any], model: str, count: int, named: str | None, said: str) -> None:
    keys = {} if named is None else {"svi_end_clips": named}
    ends = [picture(10)] * count or None
    wanted = standin.request(**{**WAN22, "model_type": model}, **keys, image_end=ends)
    assert wangp["validate_settings"]({}, model, True, dict(wanted))[0] is None
    assert any(said in message for message in wangp["told"])
    result, errors = wangp["process"](wanted)
    assert result is False
    assert [command for command, _ in errors] == ["error"]
    assert said in errors[0][1]
    assert not wangp["wan_model"].calls


class TestSteppingAside:
    """A video that goes on without SVI shows the images of the person and never what only filled a place."""

    def test_error_before_the_start(
        self, wangp: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from svi_install.runtime import checks

        def fail(*args: Any) -> None:
            raise OSError("planted")

        monkeypatch.setattr(checks, "advice", fail)
        result, errors, calls = generate(wangp, **WAN22, svi_end_clips="3", image_end=[picture(10)])
        assert (result, errors) == (True, [])
        assert "OSError: planted" in capsys.readouterr().out
        # WanGP's own rule: the first image is for the first window. Nothing in the second and third.
        assert arrived(calls) == [10, None, None]

    def test_hook_that_does_not_run(self, wangp: dict[str, Any]) -> None:
        wangp["wan_model"].skip_hooks = True
        _, errors, calls = generate(wangp, **WAN22, svi_end_clips="3", image_end=[picture(10)])
        assert not errors
        assert [call["svi"] is None for call in calls] == [False, True, True]
        assert arrived(calls) == [None, None, 10]
        assert torch.equal(calls[2]["enc"][:, -1], picture(10))

    def test_error_in_the_runtime(self, wangp: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        from svi_install.runtime import run

        def fail(*args: Any) -> None:
            raise RuntimeError("planted")

        monkeypatch.setattr(run.Run, "_prepare", fail)
        _, errors, calls = generate(wangp, **WAN22, svi_end_clips="2", image_end=[picture(10)])
        assert not errors
        assert arrived(calls) == [None, 10, None]


def test_several_videos_of_one_prompt_end_alike(wangp: dict[str, Any]) -> None:
    _, _, calls = generate(wangp, **WAN22, svi_end_clips="last", image_end=[picture(10)], repeat_generation=2)
    assert arrived(calls) == [None, None, 10] * 2


def test_metadata_makes_the_same_video_again(wangp: dict[str, Any]) -> None:
    generate(wangp, **WAN22, svi_end_clips="2", image_end=[picture(10)])
    video, settings = wangp["saved"][-1]
    kept = {key: value for key, value in settings.items() if key not in ("image_start", "image_end")}
    again = {**standin.request(image_end=[picture(10)]), **kept}
    result, errors = wangp["process"](again)
    assert (result, errors) == (True, [])
    assert arrived(wangp["wan_model"].calls)[3:] == [None, 10, None]
    assert torch.equal(wangp["saved"][-1][0], video)
    assert torch.equal(video[:, :17], clip_frames(7, video))
