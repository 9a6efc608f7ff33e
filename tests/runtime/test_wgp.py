"""The runtime inside a WanGP that runs in milliseconds: every corner where a person will take it."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from svi_install.runtime import notice

from . import standin

torch = pytest.importorskip("torch", reason="the runtime's tests need torch (the WanGP laboratory has it)")

SHOT = {"svi_mode": True, "svi_num_motion_frames": 1, "svi_ref_pad_num": -1}
TWO = {"svi_mode": True, "svi_num_motion_frames": 5, "svi_ref_pad_num": -1}


@pytest.fixture(params=standin.FLAVOURS)
def wangp(request: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    return standin.wangp(request.param, monkeypatch, tmp_path)


def generate(wangp: dict[str, Any], **changes: Any) -> tuple[Any, list[Any], list[Any]]:
    """Returns WanGP's answer, the errors it was sent and the calls of its model."""
    result, errors = wangp["process"](standin.request(**changes))
    return result, errors, wangp["wan_model"].calls


def clip_frames(seed: int, like: Any, frames: int = 17) -> Any:
    """The stand-in's clip for a seed, in the number type of ``like``."""
    noise = torch.randn(3, frames, 8, 8, generator=torch.Generator().manual_seed(seed)).clamp_(-1, 1)
    return noise if like.is_floating_point() else noise.add(1).mul_(127.5).round_().to(torch.uint8)


@pytest.mark.parametrize(("keys", "motion"), [(SHOT, 1), (TWO, 5), ({**SHOT, "svi_num_motion_frames": 3}, 3)])
def test_seam_keeps_the_regenerated_head(wangp: dict[str, Any], keys: dict[str, Any], motion: int) -> None:
    generate(wangp, **keys, video_length=17 + 2 * (17 - motion))
    video, settings = wangp["saved"][-1]
    clips = [clip_frames(seed, video) for seed in (7, 49, 91)]
    official = torch.cat([*(clip[:, :-motion] for clip in clips[:-1]), clips[-1]], dim=1)
    assert video.shape[1] == 17 + 2 * (17 - motion)
    assert torch.equal(video, official)
    assert settings["video_length"] == video.shape[1]


def test_clip_by_clip(wangp: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    _, _, calls = generate(wangp, **TWO, video_length=41)
    start = standin.request()["image_start"]
    assert [call["seed"] for call in calls] == [7, 49, 91]
    assert [call["prompt"] for call in calls] == ["one", "two", "three"]
    assert [call["known"].shape[1] for call in calls] == [1, 5, 5]
    for call, motion in zip(calls, (1, 5, 5), strict=True):
        assert torch.equal(call["enc"][:, motion:], start.unsqueeze(1).expand(-1, 17 - motion, -1, -1))
        assert torch.equal(call["clip"], call["known"][:, 0])
        assert call["y"][:4, 0].eq(1).all()
        assert call["y"][:4, 1:].eq(0).all()
        assert call["y"][4:].eq(1).all()
        assert call["pinned"] == 0
    tail = clip_frames(7, torch.zeros(1))[:, -5:]
    levels = (calls[1]["known"] + 1) * 127.5
    assert torch.allclose(levels, levels.round(), atol=1e-3)
    assert (levels - (tail + 1) * 127.5).abs().max() <= 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert (
        lines[0] == "[SVI Mode] on: SVI-2.0, 5 motion frames, reference padding all, 3 clips of 17 frames = 41 frames"
    )
    assert lines[-1] == '[SVI Mode] clip 3/3: seed 91, prompt "three"'


@pytest.mark.parametrize(("padding", "expected"), [(0, 0), (4, 4), (-1, 16), (99, 16)])
def test_padding(wangp: dict[str, Any], padding: int, expected: int) -> None:
    _, _, calls = generate(wangp, **{**SHOT, "svi_ref_pad_num": padding})
    for call in calls:
        known = call["enc"][:, 1:].eq(call["enc"][:, 0:1] * 0).all(dim=0).all(dim=-1).all(dim=-1)
        assert int((~known).sum()) == expected


def test_off_changes_nothing(wangp: dict[str, Any]) -> None:
    generate(wangp, svi_mode=False, svi_num_motion_frames=5)
    generate(wangp)
    with_key, without = wangp["saved"][2], wangp["saved"][5]
    assert torch.equal(with_key[0], without[0])
    assert with_key[1] == without[1]
    calls = wangp["wan_model"].calls
    assert all(call["svi"] is None and call["seed"] == 7 for call in calls)
    assert "generate" not in vars(wangp["wan_model"])
    assert "svi" not in without[1]


@pytest.mark.parametrize("model_type", ["t2v", "vace_14B", "i2v_2_2_svi2pro"])
def test_other_models_are_left_alone(wangp: dict[str, Any], model_type: str) -> None:
    _, errors, calls = generate(wangp, **TWO, model_type=model_type)
    assert not errors
    assert all(call["svi"] is None and call["seed"] == 7 for call in calls)
    assert wangp["saved"][-1][0].shape[1] == 49


def test_wan22_has_one_motion_frame(wangp: dict[str, Any]) -> None:
    _, _, calls = generate(wangp, model_type="i2v_2_2", svi_mode=True, svi_variant="2.0")
    assert [call["known"].shape[1] for call in calls] == [1, 1, 1]


def test_clip_seeds_for_wangps_own_pro(wangp: dict[str, Any]) -> None:
    _, _, calls = generate(wangp, model_type="i2v_2_2_svi2pro", svi_clip_seeds=True)
    assert [call["seed"] for call in calls] == [7, 49, 91]
    assert all(call["svi"] is None for call in calls)
    proof = wangp["saved"][-1][1]
    assert (proof.get("svi") or proof["custom_settings"]["svi"])["seeds"] == [7, 49, 91]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"image_prompt_type": "SE", "image_end": ["end"]}, "Wan 2.1 cannot end on an image"),
        ({"image_start": None}, "Start Image"),
        ({"spatial_upsampling": "vae2"}, "Spatial Upsampling"),
        ({"svi_ref_pad_num": "many"}, "whole number"),
        ({"svi_num_motion_frames": 0}, "at least 1"),
        ({"sliding_window_size": 5, "svi_num_motion_frames": 5}, "too short"),
        ({"svi_variant": "shoot"}, "shoot"),
    ],
)
def test_what_svi_cannot_do_is_said_before_it_starts(
    wangp: dict[str, Any], changes: dict[str, Any], word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notice, "in_form", lambda: True)
    wanted = {**standin.request(**SHOT), **changes}
    accepted = wangp["validate_settings"]({}, "i2v", True, dict(wanted))
    assert accepted[0] is None
    assert any(word in message for message in wangp["told"])
    result, errors = wangp["process"](wanted)
    assert result is False
    assert [command for command, _ in errors] == ["error"]
    assert word in errors[0][1]
    assert not wangp["wan_model"].calls


def test_validation_does_not_mind_the_overlap(wangp: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice, "in_form", lambda: True)
    inputs = standin.request(**TWO, sliding_window_overlap=5, video_length=41)
    accepted = wangp["validate_settings"]({}, "i2v", True, inputs)
    assert accepted[0] is inputs
    assert inputs["sliding_window_overlap"] == 5
    assert wangp["told"][0] == "SVI-2.0 without an SVI LoRA: 3 clips of 17 frames, 2.6 seconds"
    assert [line.split(",")[0].split(";")[0] for line in wangp["told"][1:]] == [
        "Warning: No SVI LoRA is active",
        "Warning: SVI was trained on clips of 81 frames",
    ]
    plain = wangp["validate_settings"]({}, "i2v", True, standin.request(sliding_window_overlap=5))
    assert (plain[0] is None) is (wangp["FLAVOUR"] != "old")


@pytest.mark.parametrize("name", ["get_lora_dir", "build_default_window_plan", "get_computed_fps"])
def test_a_function_of_wangps_that_changed_stops_no_generation(
    wangp: dict[str, Any], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def changed(*args: Any, **kwargs: Any) -> Any:
        raise TypeError("not as it was")

    wangp[name] = changed
    inputs = standin.request(**TWO, sliding_window_overlap=5, video_length=41)
    assert wangp["validate_settings"]({}, "i2v", True, inputs)[0] is inputs
    said = capsys.readouterr().out
    assert ("could not check these settings: TypeError: not as it was" in said) is (name != "get_computed_fps")


def test_abort_keeps_the_finished_clips(wangp: dict[str, Any]) -> None:
    wangp["wan_model"].interrupt_at = 3
    generate(wangp, **TWO, video_length=41)
    assert [video.shape[1] for video, _ in wangp["saved"]] == [17, 29]


def test_one_more_window(wangp: dict[str, Any]) -> None:
    _, _, calls = generate(wangp, **TWO, video_length=17, extra_windows=1)
    assert [call["seed"] for call in calls] == [7, 49]
    assert wangp["saved"][-1][0].shape[1] == 29


def test_prompts_begin_again(wangp: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    _, _, calls = generate(wangp, **SHOT, prompt="one\ntwo", video_length=65)
    assert [call["prompt"] for call in calls] == ["one", "two", "one", "two"]
    _, _, calls = generate(wangp, **SHOT, prompt="one\ntwo\nthree", video_length=33)
    assert [call["prompt"] for call in calls[4:]] == ["one", "two"]
    said = capsys.readouterr().out
    assert said.count("are not used") == 1
    assert "[SVI Mode] 3 prompts for 2 clips of 17 frames = 33 frames: those after the last clip are not used" in said


def test_several_videos_of_one_prompt(wangp: dict[str, Any]) -> None:
    _, _, calls = generate(wangp, **SHOT, repeat_generation=2)
    assert [call["seed"] for call in calls] == [7, 49, 91, 1007, 1049, 1091]
    assert [settings["seed"] for _, settings in wangp["saved"]] == [7] * 3 + [1007] * 3


def test_same_seed_same_video(wangp: dict[str, Any]) -> None:
    generate(wangp, **TWO, video_length=29)
    generate(wangp, **TWO, video_length=29)
    assert len(wangp["saved"]) == 4
    assert torch.equal(wangp["saved"][1][0], wangp["saved"][3][0])


@pytest.mark.parametrize("shared", [5, 1])
def test_continue_video(wangp: dict[str, Any], shared: int) -> None:
    source = torch.stack([torch.full((3, 8, 8), level / 127.5 - 1) for level in range(10, 20)], dim=1)
    asked = {"image_prompt_type": "V", "video_source": source, "source_overlap": shared, "image_start": None}
    _, errors, calls = generate(wangp, **TWO, **asked, video_length=25)
    assert not errors
    assert torch.equal(calls[0]["known"], source[:, -5:])
    assert torch.equal(calls[0]["enc"][:, 5:], source[:, :1].expand(-1, 12, -1, -1))
    video = wangp["saved"][-1][0]
    clips = [clip_frames(seed, video) for seed in (7, 49)]
    # From 13.0 on the plan decides how many frames are shared, and they stay those of the video.
    before, head = (source, 5) if wangp["FLAVOUR"] in standin.NEWER else (source[:, :-shared], 5 - shared)
    assert torch.equal(video, torch.cat([before.to(video), clips[0][:, head:-5], clips[1]], dim=1))


def test_continue_a_video_that_is_shorter_than_the_motion_frames(wangp: dict[str, Any]) -> None:
    source = torch.stack([torch.full((3, 8, 8), level / 127.5 - 1) for level in (10, 20, 30)], dim=1)
    asked = {"image_prompt_type": "V", "video_source": source, "source_overlap": 1, "image_start": None}
    _, _, calls = generate(wangp, **TWO, **asked, video_length=25)
    assert torch.equal(calls[0]["known"], source)
    assert wangp["saved"][-1][0].shape[1] == 3 + (17 - 3) + (17 - 5)


def test_single_clip_shorter_than_a_window(wangp: dict[str, Any]) -> None:
    _, _, calls = generate(wangp, **TWO, video_length=13)
    assert len(calls) == 1
    assert wangp["saved"][-1][0].shape[1] == 13


def test_upsampled_video_keeps_wangps_seam(wangp: dict[str, Any]) -> None:
    generate(wangp, **TWO, video_length=29, spatial_upsampling="lanczos2")
    video = wangp["saved"][-1][0]
    first, second = clip_frames(7, video), clip_frames(49, video)
    assert torch.equal(video, torch.cat([first, second[:, 5:]], dim=1))


def test_metadata_makes_the_same_video_again(wangp: dict[str, Any]) -> None:
    generate(
        wangp, **TWO, svi_official_sigmas=True, video_length=41, activated_loras=["https://x/y/SVI_v2.safetensors"]
    )
    video, settings = wangp["saved"][-1]
    proof = settings.get("svi") or settings["custom_settings"]["svi"]
    assert proof["variant"] == "2.0"
    assert proof["motion_frames"] == 5
    assert proof["seeds"] == [7, 49, 91]
    assert proof["loras"] == ["SVI_v2.safetensors"]
    assert proof["runtime"]
    assert settings["seed"] == 7
    assert settings["sliding_window_overlap"] == 1
    again = {**standin.request(), **{k: v for k, v in settings.items() if k != "image_start"}}
    accepted = wangp["validate_settings"]({}, "i2v", True, dict(again))
    assert accepted[0] is not None, wangp["told"]
    wangp["process"](again)
    assert torch.equal(wangp["saved"][-1][0], video)


def test_official_sigmas(wangp: dict[str, Any]) -> None:
    _, _, calls = generate(wangp, **SHOT, svi_official_sigmas=True, num_inference_steps=3)
    assert torch.allclose(calls[0]["timesteps"], torch.tensor([1000.0, 909.0909, 714.2857]))
    _, _, calls = generate(wangp, **SHOT, svi_official_sigmas=True, num_inference_steps=3, sample_solver="unipc")
    assert torch.allclose(calls[-1]["timesteps"], torch.linspace(1000, 1, 3))


class TestSteppingAside:
    def test_lost_hook(self, wangp: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "models/wan/any2video.py").write_text("", "utf-8")
        result, errors, calls = generate(wangp, **SHOT)
        assert result is True
        assert not errors
        assert all(call["svi"] is None for call in calls)
        assert "models/wan/any2video.py has lost a line of svi-install" in capsys.readouterr().out

    def test_hook_that_does_not_run(self, wangp: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
        wangp["wan_model"].skip_hooks = True
        _, errors, calls = generate(wangp, **SHOT)
        assert not errors
        assert [call["svi"] is None for call in calls] == [False, True, True]
        assert capsys.readouterr().out.count("off for the rest of this video") == 1
        assert "svi" not in wangp["saved"][-1][1]

    def test_error_in_the_runtime(
        self, wangp: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from svi_install.runtime import run

        def fail(*args: Any) -> None:
            raise RuntimeError("planted")

        monkeypatch.setattr(run.Run, "_prepare", fail)
        _, errors, calls = generate(wangp, **SHOT)
        assert not errors
        assert len(calls) == 3
        assert "RuntimeError: planted" in capsys.readouterr().out

    def test_error_before_the_start(
        self, wangp: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from svi_install.runtime import wgp

        def fail(*args: Any) -> None:
            raise OSError("planted")

        monkeypatch.setattr(wgp, "missing_hooks", fail)
        result, errors, calls = generate(wangp, **SHOT)
        assert (result, errors, len(calls)) == (True, [], 3)
        assert "OSError: planted" in capsys.readouterr().out

    def test_error_in_the_seam(
        self, wangp: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from svi_install.runtime import run

        def fail(*args: Any) -> None:
            raise RuntimeError("planted")

        monkeypatch.setattr(run, "_keep_head", fail)
        generate(wangp, **SHOT)
        assert wangp["saved"][-1][0].shape[1] == 49
        assert "kept WanGP's own seam" in capsys.readouterr().out

    def test_error_between_hook_and_call(self, wangp: dict[str, Any]) -> None:
        from svi_install.runtime import run

        run.begin(run.Run.__new__(run.Run))
        run.attach(wangp["wan_model"], [], None)
        run.begin(None)
        generate(wangp)
        assert all(call["svi"] is None for call in wangp["wan_model"].calls)

    def test_wangp_without_the_functions(self, capsys: pytest.CaptureFixture[str]) -> None:
        from svi_install import runtime

        namespace: dict[str, Any] = {"generate_media": print}
        runtime.install(namespace)
        assert namespace == {"generate_media": print}
        assert "get_function_arguments" in capsys.readouterr().out


def test_installed_once(wangp: dict[str, Any]) -> None:
    from svi_install import runtime

    before = dict(wangp)
    runtime.install(wangp)
    assert wangp == before


def test_signature_lists_the_keys(wangp: dict[str, Any]) -> None:
    name = "generate_video" if wangp["FLAVOUR"] == "old" else "generate_media"
    parameters = inspect.signature(wangp[name]).parameters
    assert {"svi_mode", "svi_num_motion_frames", "svi_ref_pad_num", "svi_ref_pad_cfg"} <= set(parameters)
    assert "svi_mode" not in inspect.signature(wangp["save_inputs"]).parameters
