from __future__ import annotations

from typing import Any

import pytest

from svi_install.runtime import form, options


@pytest.mark.parametrize("dropdowns", [False, True])
@pytest.mark.parametrize("architecture", options.ARCHITECTURES)
def test_fields_of_svi_models(dropdowns: bool, architecture: str) -> None:
    model_def: dict[str, Any] = {"architecture": architecture}
    form.declare(model_def, dropdowns, 5)
    fields = model_def["custom_settings"]
    assert [field["id"] for field in fields] == [
        options.VARIANT, options.SIGMAS, options.MOTION_FRAMES, options.PADDING,
    ]  # fmt: skip
    assert fields[0]["default"] == options.OFF
    assert fields[0]["type"] == ("dropdown" if dropdowns else "text")
    if dropdowns:
        assert [value for _, value in fields[0]["choices"]] == [options.OFF, *options.VARIANTS]
    else:
        assert all(name in fields[0]["label"] for name in options.VARIANTS)
    form.declare(model_def, dropdowns, 5)
    assert len(model_def["custom_settings"]) == 4


def test_defaults_mean_off() -> None:
    model_def: dict[str, Any] = {"architecture": "i2v"}
    form.declare(model_def, True, 5)
    defaults = {field["id"]: field["default"] for field in model_def["custom_settings"]}
    assert options.resolve({}, defaults, "i2v") is None


def test_pro_has_only_the_seeds() -> None:
    model_def: dict[str, Any] = {"architecture": options.PRO_ARCHITECTURE}
    form.declare(model_def, True, 5)
    assert [field["id"] for field in model_def["custom_settings"]] == [options.CLIP_SEEDS]


@pytest.mark.parametrize("model_def", [None, {"architecture": "t2v"}, {}])
def test_other_models_have_none(model_def: dict[str, Any] | None) -> None:
    before = None if model_def is None else dict(model_def)
    form.declare(model_def, True, 5)
    assert model_def == before


def test_wangps_own_fields_stay_first() -> None:
    own = [{"id": f"own_{number}"} for number in range(3)]
    model_def: dict[str, Any] = {"architecture": "i2v", "custom_settings": own}
    form.declare(model_def, True, 5)
    assert [field["id"] for field in model_def["custom_settings"]][3:] == [options.VARIANT, options.SIGMAS]
    assert own == [{"id": f"own_{number}"} for number in range(3)]
