from __future__ import annotations

from typing import Any

import pytest

from svi_install.runtime import form, options


def declared(architecture: str, dropdowns: bool = True, room: int = 5) -> list[dict[str, Any]]:
    model_def: dict[str, Any] = {"architecture": architecture}
    form.declare(model_def, dropdowns, room)
    return list(model_def["custom_settings"])


@pytest.mark.parametrize("dropdowns", [False, True])
@pytest.mark.parametrize("architecture", options.ARCHITECTURES)
def test_fields_of_svi_models(dropdowns: bool, architecture: str) -> None:
    model_def: dict[str, Any] = {"architecture": architecture}
    form.declare(model_def, dropdowns, 5)
    fields = model_def["custom_settings"]
    assert [(field["id"], field["type"]) for field in fields] == [
        (options.VARIANT, "dropdown" if dropdowns else "text"),
        (options.DETAILS, "text"),
    ]
    if dropdowns:
        assert [value for _, value in fields[0]["choices"]] == [options.OFF, *options.variants_of(architecture)]
    else:
        assert all(name in fields[0]["label"] for name in options.variants_of(architecture))
    form.declare(model_def, dropdowns, 5)
    assert len(model_def["custom_settings"]) == 2


@pytest.mark.parametrize("architecture", [*options.ARCHITECTURES, options.PRO_ARCHITECTURE])
@pytest.mark.parametrize("dropdowns", [False, True])
def test_no_field_has_a_default_that_wangp_could_write_into_a_task(dropdowns: bool, architecture: str) -> None:
    assert not [field for field in declared(architecture, dropdowns) if "default" in field]


@pytest.mark.parametrize("architecture", options.ARCHITECTURES)
def test_what_the_form_shows_first_means_off(architecture: str) -> None:
    first = declared(architecture)[0]["choices"][0][1]
    assert options.resolve({}, {options.VARIANT: first, options.DETAILS: ""}, architecture) is None


def test_wan22_offers_only_what_exists_for_it() -> None:
    assert [label for label, _ in declared("i2v_2_2")[0]["choices"]] == [
        "Off",
        "SVI-2.0: one scene or several, with the best motion",
        "Custom: your own numbers, in SVI details",
    ]


def test_pro_has_only_the_seeds() -> None:
    assert [field["id"] for field in declared(options.PRO_ARCHITECTURE)] == [options.CLIP_SEEDS]


@pytest.mark.parametrize("model_def", [None, {"architecture": "t2v"}, {}])
def test_other_models_have_none(model_def: dict[str, Any] | None) -> None:
    before = None if model_def is None else dict(model_def)
    form.declare(model_def, True, 5)
    assert model_def == before


def test_wangps_own_fields_stay_first() -> None:
    own = [{"id": f"own_{number}"} for number in range(4)]
    model_def: dict[str, Any] = {"architecture": "i2v", "custom_settings": own}
    form.declare(model_def, True, 5)
    assert [field["id"] for field in model_def["custom_settings"]][4:] == [options.VARIANT]
    assert own == [{"id": f"own_{number}"} for number in range(4)]
