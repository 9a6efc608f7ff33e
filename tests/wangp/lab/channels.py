"""Hands settings to WanGP in every way that there is, in one process, inside the laboratory's environment.

    channels.py ROOT OUT JOBS.json [OPTION OF WANGP ...]

Each job names a way and the settings: `base` is what stands in the form before, `said` what comes that way. What
WanGP's own page does between its functions (a value for each field, then save_inputs) is written out in
through_the_form.
"""

from __future__ import annotations

import inspect
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

MODEL = "i2v"
VIDEO = "finished.mp4"
Settings = dict[str, Any]


def page(wgp: Any, base: Settings) -> Settings:
    """The state of a page that shows some settings."""
    state: Settings = {"model_type": MODEL, "loras_presets": [], "loras": [], "gen": {"queue": []}}
    wgp.set_model_settings(state, MODEL, {**wgp.get_default_settings(MODEL), **base})
    return state


def through_the_form(wgp: Any, state: Settings) -> Settings:
    """What Generate makes of a page: only what its fields hold is left."""
    settings = wgp.get_model_settings(state, MODEL)
    form = {name: settings.get(name) for name in inspect.signature(wgp.save_inputs).parameters}
    for index, field in enumerate(wgp.get_model_custom_settings(wgp.get_model_def(MODEL))):
        value = wgp.get_custom_setting_value_from_dict(settings.get("custom_settings"), field, index)
        choices = wgp.get_custom_setting_dropdown_choices(field)
        if choices is None:
            form[wgp.get_custom_setting_key(index)] = value
        else:
            key = wgp.get_custom_setting_dropdown_key(index)
            form[key] = wgp.get_custom_setting_dropdown_value(value, choices)
    form |= {"target": "state", "state": state, "plugin_data": {}, "lset_name": "", "mode": ""}
    wgp.save_inputs(**{**form, "loras_choices": settings.get("activated_loras", [])})
    return {**wgp.get_model_settings(state, MODEL), "model_type": MODEL}


def task(wgp: Any, out: Path, job: Settings) -> Any:
    """One task of the API."""
    return {**job["base"], **job["said"]}


def settings_file(wgp: Any, out: Path, job: Settings) -> Any:
    return write(out / "settings.json", {**job["base"], **job["said"]})


def queue_file(wgp: Any, out: Path, job: Settings) -> Any:
    file = out / "queue.zip"
    assert wgp._save_queue_to_zip([{"id": 1, "params": {**job["base"], **job["said"]}}], str(file))
    return file


def form(wgp: Any, out: Path, job: Settings) -> Any:
    """Somebody sets the fields of the form."""
    return through_the_form(wgp, page(wgp, {**job["base"], **job["said"]}))


def profile(wgp: Any, out: Path, job: Settings) -> Any:
    """A profile is chosen in the menu and applied."""
    write(Path(wgp.get_lora_dir(MODEL), "channel.json"), job["said"])
    state = page(wgp, job["base"])
    wgp.apply_lset(state, "off", "channel.json", [], "", "")
    return through_the_form(wgp, state)


def load(wgp: Any, out: Path, job: Settings) -> Any:
    """Load Settings From File, with settings or with the first video of this process."""
    state = page(wgp, {})
    file = write(out / "load.json", {**job["base"], **job["said"]}) if job["said"] else out / VIDEO
    wgp.load_settings_from_file(state, str(file))
    wgp.get_model_settings(state, MODEL)["image_start"] = job["base"]["image_start"]
    return through_the_form(wgp, state)


def use(wgp: Any, out: Path, job: Settings) -> Any:
    """Use Settings below the gallery that shows the first video of this process."""
    state, video = page(wgp, {}), out / VIDEO
    configs, _, _ = wgp.get_settings_from_file(state, str(video), False, False, False)
    state["gen"] |= {"file_list": [str(video)], "file_settings_list": [configs]}
    wgp.use_video_settings(state, [str(video)], 0, "video")
    wgp.get_model_settings(state, MODEL)["image_start"] = job["base"]["image_start"]
    return through_the_form(wgp, state)


WAYS: dict[str, Callable[[Any, Path, Settings], Any]] = {
    way.__name__: way for way in (task, settings_file, queue_file, form, profile, load, use)
}


def write(file: Path, settings: Settings) -> Path:
    file.write_text(json.dumps(settings), "utf-8")
    return file


def main(root: str, out: str, listed: str, *options: str) -> None:
    sys.path[0] = root
    os.chdir(root)
    from shared import api

    session = api.init(root=root, output_dir=out, cli_args=list(options), console_isatty=False)
    wgp = session._ensure_runtime().module
    for number, job in enumerate(json.loads(Path(listed).read_text("utf-8"))):
        print(f"channel {job['name']}", flush=True)
        if number == 1:  # WanGP also keeps a video of the first window
            newest = max(Path(out).glob("*.mp4"), key=lambda file: file.stat().st_mtime)
            shutil.copyfile(newest, Path(out) / VIDEO)
        result = session.run(WAYS[job["way"]](wgp, Path(out), job))
        print(f"channel {job['name']}: {result.success} {[str(error) for error in result.errors]}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
