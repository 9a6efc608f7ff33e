"""The form: help, one control while SVI is off, and its state where a release has no fields for it."""

from __future__ import annotations

from typing import Any

import pytest

from svi_install.runtime import form, options, tab


class Component:
    """What matters of a component of gradio: an update is taken from what it was made with.

    Made inside of an event, as all of an update are, it has no other attribute than that.
    """

    def __init__(self, label: str = "", value: Any = None, visible: bool = True) -> None:
        self._constructor_args = [{"label": label, "value": value, "visible": visible}]
        self.events: list[dict[str, Any]] = []

    def change(self, **event: Any) -> None:
        self.events.append(event)

    @property
    def update(self) -> dict[str, Any]:
        return self._constructor_args[0]


class Gradio:
    @staticmethod
    def update(**changes: Any) -> dict[str, Any]:
        return changes


def fields(chosen: str) -> list[Any]:
    """The inputs of a form with SVI's fields, as an update of the form lists them."""
    return [
        Component("Prompt"),
        {"state": 1},
        Component(form.LABEL, chosen),
        Component(form.DETAILS_LABEL, ""),
    ]


def wrapped(made: Any, **names: Any) -> Any:
    namespace: dict[str, Any] = {"generate_media_tab": lambda **given: made, "gr": Gradio, **names}
    tab.wrap(namespace)
    return namespace["generate_media_tab"]


NEW: dict[str, Any] = {"get_model_custom_settings": lambda model_def: model_def.get("custom_settings", [])}


@pytest.mark.parametrize(("chosen", "shown"), [("off", False), ("", False), ("shot", True), ("custom", True)])
def test_details_are_there_while_svi_is_on(chosen: str, shown: bool) -> None:
    made = wrapped(fields(chosen), **NEW)(update_form=True)
    assert made[3].visible is made[3].update["visible"] is shown
    assert made[2].update["info"] == form.HELP
    assert made[3].update["info"] == form.DETAILS_HELP


def test_help_goes_with_the_model() -> None:
    made = fields("shot")
    make = wrapped(made, **NEW)
    make(update_form=True)
    for each in made[2:]:
        each.update["label"] = "Custom Setting"
    make(update_form=True)
    assert made[2].update["info"] is made[3].update["info"] is None


def page() -> dict[str, Any]:
    return {
        "state": Component(),
        tab.CHOICES: [Component(), Component()],
        tab.TEXTS: [Component(), Component()],
        "prompt": Component("Prompt"),
    }


def models() -> dict[str, Any]:
    defs: dict[str, Any] = {name: {"architecture": name} for name in ("i2v", "i2v_2_2", "t2v")}
    for each in defs.values():
        form.declare(each, True, 5)
    return defs


def test_the_page_follows_the_control() -> None:
    made = wrapped(page(), models_def=models(), get_base_model_type=lambda name: name, **NEW)()
    (event,) = made[tab.CHOICES][0].events
    assert event["outputs"] == [made[tab.TEXTS][1]]
    assert event["fn"]({"model_type": "i2v"}, "shot") == {"visible": True}
    assert event["fn"]({"model_type": "i2v"}, "off") == {"visible": False}
    assert event["fn"]({"model_type": "t2v"}, "anything") == {}


@pytest.mark.parametrize("missing", ["state", tab.CHOICES, tab.TEXTS])
def test_a_page_that_is_made_otherwise_stays_as_it_is(missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = page()
    del made[missing]
    assert wrapped(made, models_def=models(), get_base_model_type=lambda name: name, **NEW)() is made
    assert not any(each.events for each in made.get(tab.CHOICES, []))
    assert capsys.readouterr().out == ""


def test_an_error_of_ours_leaves_the_form_alone(capsys: pytest.CaptureFixture[str]) -> None:
    made = wrapped(
        [Component(), Component("Prompt")], inputs_names=["seed", "prompt"], get_base_model_type=lambda _: 1 / 0
    )
    assert "info" not in made(ui_defaults={"model_type": "i2v"})[1].update
    assert "the form was left as WanGP made it: ZeroDivisionError" in capsys.readouterr().out


OLD = {"inputs_names": ["image_mode", "prompt", "seed"], "get_base_model_type": lambda name: name}
KEYS = {options.MODE: True, options.VARIANT: "shot", "model_type": "i2v"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (KEYS, "SVI-Shot is on: write one line of prompt for each clip"),
        ({**KEYS, options.MODE: False}, None),
        ({**KEYS, "model_type": "t2v"}, None),
        ({**KEYS, options.VARIANT: "shoot"}, "SVI: SVI endless video is 'shoot'"),
        ({}, None),
    ],
)
def test_without_fields_the_prompt_says_that_svi_is_on(settings: dict[str, Any], said: str | None) -> None:
    advanced, wizard = Component("Prompts (each new line)"), Component("Prompts (each new line)")
    listed = [Component(), advanced, Component("Seed"), {"state": 1}, {}, wizard, Component("Other")]
    wrapped(listed, **OLD)(update_form=True, ui_defaults=settings)
    for box in (advanced, wizard):
        assert (box.update["info"] or "").startswith(said or "")
        assert bool(box.update["info"]) is (said is not None)
    assert "info" not in {**listed[2].update, **listed[6].update}


def test_the_first_page_without_fields() -> None:
    made = {"prompt": Component("Prompts"), "wizard_prompt": Component("Prompts")}
    wrapped(made, **OLD)(ui_defaults=KEYS)
    assert all("SVI-Shot is on" in each.info for each in made.values())


def test_a_release_with_neither_function() -> None:
    namespace: dict[str, Any] = {}
    tab.wrap(namespace)
    assert namespace == {}
