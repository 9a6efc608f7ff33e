"""How WanGP's form shows SVI: one control while it is off, help below it, and its state where there are no fields.

WanGP makes the form in one function, once for the page and again, as a list of updates, whenever settings are applied.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from . import form, options
from .console import say

Namespace = MutableMapping[str, Any]

MAKERS = ("generate_media_tab", "generate_video_tab")
# Both prompt boxes, of which WanGP shows one: where the state of SVI stands in releases without form fields.
PROMPTS = ("prompt", "wizard_prompt")
# WanGP's lists of the inputs that its declared fields may take, in the order of the fields.
CHOICES, TEXTS = "custom_setting_dropdown_inputs", "custom_setting_text_inputs"


def wrap(namespace: Namespace) -> None:
    """Wraps the function that makes the form; a release without it keeps the form as it is."""
    for name in MAKERS:
        original = namespace.get(name)
        if callable(original):
            namespace[name] = _wrapper(namespace, original)


def _wrapper(namespace: Namespace, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def make_tab(*args: Any, **kwargs: Any) -> Any:
        made = original(*args, **kwargs)
        try:
            if callable(namespace.get("get_model_custom_settings")):
                _fields(made)
                if isinstance(made, dict):
                    _follow(namespace, made)
            else:
                asked = kwargs.get("ui_defaults") or {}
                model = (kwargs.get("state_dict") or {}).get("model_type")
                _state(namespace, made, {"model_type": model, **asked})
        except Exception as error:  # noqa: BLE001  (a form without help is better than no form)
            say(f"the form was left as WanGP made it: {type(error).__name__}: {error}")
        return made

    return make_tab


def _fields(made: Any) -> None:
    """Help below the control; the line for details is there only while SVI is on."""
    labelled = {str(_get(each, "label")): each for each in _components(made)}
    control = next((each for label, each in labelled.items() if label.startswith(form.LABEL)), None)
    details = labelled.get(form.DETAILS_LABEL)
    if control is not None:
        _set(control, info=form.HELP)
    if details is not None:
        _set(details, info=form.DETAILS_HELP, visible=control is not None and _is_on(_get(control, "value")))
    for each in _components(made):
        # The same inputs serve the fields of other models, which have no help of ours.
        if each is not control and each is not details and _get(each, "info") in (form.HELP, form.DETAILS_HELP):
            _set(each, info=None)


def _follow(namespace: Namespace, made: Mapping[str, Any]) -> None:
    """Has the page show and hide the line for details as soon as SVI is chosen, without a refresh of the form."""
    fields = {
        architecture: [field.get("id") for field in namespace["get_model_custom_settings"](model_def)]
        for model_def in (namespace.get("models_def") or {}).values()
        if (architecture := model_def.get("architecture")) in options.ARCHITECTURES
    }
    places = {
        (ids.index(options.VARIANT), ids.index(options.DETAILS)) for ids in fields.values() if options.DETAILS in ids
    }
    if len(places) != 1 or not (CHOICES in made and TEXTS in made and "state" in made):
        return
    control, details = next(iter(places))
    update = namespace["gr"].update

    def show(state: Mapping[str, Any], value: Any) -> Any:
        architecture = namespace["get_base_model_type"](state.get("model_type"))
        return update(visible=_is_on(value)) if architecture in options.ARCHITECTURES else update()

    made[CHOICES][control].change(
        fn=show, inputs=[made["state"], made[CHOICES][control]], outputs=[made[TEXTS][details]], show_progress="hidden"
    )


def _state(namespace: Namespace, made: Any, settings: Mapping[str, Any]) -> None:
    """Says below the prompt that SVI is on, where a profile is all that can switch it."""
    if isinstance(made, dict):
        boxes = [made[name] for name in PROMPTS if name in made]
    else:
        names = list(namespace.get("inputs_names") or [])
        if "prompt" not in names:
            return
        first = made[names.index("prompt")]
        boxes = [first, *(each for each in made[len(names) :] if _get(each, "label") == _get(first, "label"))]
    said = _on_line(namespace, settings)
    for box in boxes:
        _set(box, info=said)


def _on_line(namespace: Namespace, settings: Mapping[str, Any]) -> str | None:
    architecture = namespace["get_base_model_type"](settings.get("model_type"))
    if architecture not in options.ARCHITECTURES:
        return None
    try:
        chosen = options.resolve(settings, None, architecture)
    except ValueError as error:
        return f"SVI: {error}"
    if chosen is None:
        return None
    off = "To switch it off, choose a profile without SVI or remove its LoRA."
    return f"{chosen.label} is on: write one line of prompt for each clip. {off}"


def _components(made: Any) -> Iterator[Any]:
    for each in made.values() if isinstance(made, dict) else made:
        if isinstance(each, list | tuple):
            yield from each
        else:
            yield each


def _is_on(value: Any) -> bool:
    return str(value or "").strip().lower() not in ("", "none", "stock", *options.OFF_WORDS)


def _made_with(component: Any) -> dict[str, Any]:
    """The arguments that a component was made with; inside of an event gradio keeps them and sets no attribute."""
    made_with = getattr(component, "_constructor_args", None)
    return made_with[0] if made_with else {}


def _get(component: Any, name: str) -> Any:
    return _made_with(component).get(name, getattr(component, name, None))


def _set(component: Any, **changes: Any) -> None:
    """Changes a component as it will be shown: gradio takes an update from what it was made with."""
    for name, value in changes.items():
        setattr(component, name, value)
    _made_with(component).update(changes)
