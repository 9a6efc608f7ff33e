"""Profile, form, queue and back, in releases with and without fields for SVI in their form."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

import pytest

from svi_install.runtime import loras, settings

LORA = "https://host/svi-shot.safetensors"
PROFILE = {"svi_mode": True, "svi_variant": "2.0", "svi_official_sigmas": True, "activated_loras": [LORA], "steps": 50}


def wangp(modern: bool) -> dict[str, Any]:
    """The functions of WanGP through which settings travel, as far as it matters here."""

    def get_settings_from_file(state: Any, configs: Mapping[str, Any] | None) -> Any:
        if configs is None:
            return None, False, False
        stored = state["all_settings"].setdefault(state["model_type"], {})
        merged = dict(stored) if modern else stored
        merged.update(configs, model_type=configs.get("model_type", state["model_type"]))
        return merged, False, False

    def use_video_settings(state: Any, configs: Mapping[str, Any] | None) -> None:
        if configs is not None:
            state["all_settings"].setdefault(state["model_type"], {}).update(configs, model_type=state["model_type"])

    def prepare_inputs_dict(target: str, inputs: dict[str, Any]) -> dict[str, Any]:
        inputs.pop("state")
        return inputs

    namespace: dict[str, Any] = {
        "get_settings_from_file": get_settings_from_file,
        "use_video_settings": use_video_settings,
        "prepare_inputs_dict": prepare_inputs_dict,
        "get_model_settings": lambda state, model_type: state["all_settings"].get(model_type),
        "get_base_model_type": lambda model_type: model_type,
    }
    if modern:
        namespace["get_model_custom_settings"] = lambda model_def: []
    settings.wrap(namespace)
    return namespace


@pytest.fixture(params=["old", "modern"])
def release(request: Any) -> types.SimpleNamespace:
    modern = request.param == "modern"
    state: dict[str, Any] = {"model_type": "i2v", "all_settings": {"i2v": {"model_type": "i2v"}}}
    return types.SimpleNamespace(modern=modern, state=state, **wangp(modern))


def apply(release: Any, configs: Mapping[str, Any]) -> dict[str, Any]:
    """Applies a settings file as WanGP's menu does."""
    result = release.get_settings_from_file(release.state, configs)[0]
    release.state["all_settings"]["i2v"] = result
    return dict(result)


def is_on(stored: Mapping[str, Any]) -> bool:
    fields = stored.get("custom_settings") or {}
    return bool(stored.get("svi_mode")) or fields.get("svi_variant") not in (None, "off")


def test_a_profile_switches_svi_on_in_the_channel_of_the_release(release: Any) -> None:
    stored = apply(release, PROFILE)
    if release.modern:
        assert stored["custom_settings"] == {"svi_variant": "2.0", "svi_details": "schedule authors"}
        assert "svi_mode" not in stored
    else:
        assert stored["svi_mode"] is True
        assert stored["svi_num_motion_frames"] == 5
        assert not stored.get("custom_settings")


def test_a_profile_without_svi_and_without_its_lora_switches_it_off(release: Any) -> None:
    apply(release, PROFILE)
    assert not is_on(apply(release, {"activated_loras": ["other.safetensors"]}))


def test_an_accelerator_that_leaves_the_lora_leaves_svi_on(release: Any) -> None:
    apply(release, PROFILE)
    stored = apply(release, {"activated_loras": ["fast.safetensors", LORA], "steps": 4})
    assert is_on(stored)
    assert stored["steps"] == 4


def test_a_profile_that_says_off(release: Any) -> None:
    apply(release, PROFILE)
    assert not is_on(apply(release, {"svi_mode": False}))


def test_a_file_that_cannot_be_read_changes_nothing(release: Any) -> None:
    before = apply(release, PROFILE)
    assert release.get_settings_from_file(release.state, None)[0] is None
    assert release.state["all_settings"]["i2v"] == before


def test_looking_at_a_file_changes_nothing(release: Any) -> None:
    apply(release, PROFILE)
    if release.modern:
        before = dict(release.state["all_settings"]["i2v"])
        release.get_settings_from_file(release.state, {"activated_loras": []})
        assert release.state["all_settings"]["i2v"] == before


def test_a_bad_value_in_a_file_means_off(release: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert not is_on(apply(release, {**PROFILE, "svi_variant": "shoot"}))
    assert "[SVI Mode] off: SVI endless video is 'shoot'" in capsys.readouterr().out


def test_a_video_without_svi_switches_it_off(release: Any) -> None:
    apply(release, PROFILE)
    release.use_video_settings(release.state, {"activated_loras": [], "seed": 1})
    assert not is_on(release.state["all_settings"]["i2v"])


def test_a_video_with_svi_switches_it_on(release: Any) -> None:
    release.use_video_settings(release.state, {**PROFILE, "svi": {"seeds": [1]}})
    stored = release.state["all_settings"]["i2v"]
    assert is_on(stored)
    assert "svi" not in stored


def test_nothing_chosen_in_the_gallery_changes_nothing(release: Any) -> None:
    before = apply(release, PROFILE)
    release.use_video_settings(release.state, None)
    assert release.state["all_settings"]["i2v"] == before


def test_the_form_keeps_what_it_cannot_show(release: Any) -> None:
    apply(release, PROFILE)
    form = {"state": release.state, "activated_loras": [LORA], "steps": 51}
    saved = release.prepare_inputs_dict("state", form)
    assert saved["steps"] == 51
    assert is_on(saved) is not release.modern, "releases with fields submit them by themselves"


def test_taking_the_lora_away_in_an_old_form_switches_svi_off(capsys: pytest.CaptureFixture[str]) -> None:
    namespace = wangp(modern=False)
    state: dict[str, Any] = {"model_type": "i2v", "all_settings": {"i2v": {"model_type": "i2v"}}}
    release = types.SimpleNamespace(modern=False, state=state, **namespace)
    apply(release, PROFILE)
    saved = release.prepare_inputs_dict("state", {"state": state, "loras_choices": ["other.safetensors"]})
    assert not is_on(saved)
    assert not is_on(state["all_settings"]["i2v"])
    assert capsys.readouterr().out == "[SVI Mode] off: no SVI LoRA is chosen any more\n"


def test_editing_a_queued_task_keeps_its_own_choice() -> None:
    namespace = wangp(modern=False)
    queue = [{"id": 4, "params": {"svi_mode": True, "svi_num_motion_frames": 5}}, {"id": 5, "params": {}}]
    state = {"model_type": "i2v", "all_settings": {"i2v": {}}, "gen": {"queue": queue}, "editing_task_id": 4}
    saved = namespace["prepare_inputs_dict"]("edit_state", {"state": state, "activated_loras": [LORA]})
    assert saved["svi_num_motion_frames"] == 5
    state["editing_task_id"] = 5
    assert not is_on(namespace["prepare_inputs_dict"]("edit_state", {"state": state, "activated_loras": [LORA]}))


def test_other_models_are_not_given_svi(release: Any) -> None:
    stored = apply(release, {**PROFILE, "model_type": "t2v"})
    assert not is_on(stored)


def test_wangps_pro_keeps_its_clip_seeds(release: Any) -> None:
    release.state["model_type"] = "i2v_2_2_svi2pro"
    stored = release.get_settings_from_file(release.state, {"svi_clip_seeds": True})[0]
    if release.modern:
        assert stored["custom_settings"] == {"svi_clip_seeds": "on"}
    else:
        assert stored["svi_clip_seeds"] is True


@pytest.mark.parametrize("name", ["https://x/SVI_v2.safetensors", "C:\\loras\\svi-shot.safetensors", "svi.safetensors"])
def test_svi_loras(name: str) -> None:
    assert len(loras.svi_loras([name, "fast.safetensors"])) == 1


def test_a_folder_named_svi_is_no_svi_lora() -> None:
    assert loras.svi_loras(["/models/svi/fast.safetensors", None]) == []
