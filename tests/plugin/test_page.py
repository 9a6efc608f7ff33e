"""The tab: each part opens whatever happens to the others, and each button shows as many values as it has places."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from svi_install.plugin import drift_page, filming, page, shelf, state_page, storyboard_page
from svi_install.plugin.start import ASIDE, Plugin, Status
from svi_install.runtime import png
from svi_install.storyboard.script.variants import NAMES, variant_of

from ..loras.conftest import svi_file
from ..storyboard import standin
from .page import SKIP, Gradio
from .session import Session, stops_at


class Tab:
    """WanGP's plugin, as far as the tab asks it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.make: Any = None
        self.server_config = {"save_path": "videos"}
        self.on_tab_select: Any = None
        self.on_tab_outputs: Any = None

    def request_global(self, name: str) -> None:
        self.asked.append(name)

    def request_component(self, name: str) -> None:
        self.asked.append(name)

    def add_tab(self, tab_id: str, label: str, component_constructor: Any) -> None:
        self.make = component_constructor


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    found = Plugin(tmp_path / "plugin")
    found.root = tmp_path
    found.status = Status("on", "", "12.60")
    (tmp_path / "videos").mkdir()
    return found


@pytest.fixture
def gradio(monkeypatch: pytest.MonkeyPatch) -> Gradio:
    found = Gradio()
    monkeypatch.setitem(sys.modules, "gradio", found)  # type: ignore[arg-type]
    return found


def opened(plugin: Plugin, *api: object) -> Tab:
    tab = Tab()
    page.add(tab, SimpleNamespace(HOME=plugin.home, start=lambda: SimpleNamespace(plugin=lambda home: plugin)))
    tab.make(*api)
    return tab


def use(gradio: Gradio, name: str, *values: Any, event: str = "click") -> list[Any]:
    """Uses a component; returns what is shown, all of it as long as its places."""
    call, inputs, outputs = gradio.of(name).calls[event]
    assert len(values) == len(inputs)
    result = call(*values)
    shown = list(result) if hasattr(result, "__next__") else [result]
    for each in shown:
        assert not isinstance(each, tuple) or len(each) == len(outputs)
    return shown


def test_it_has_three_parts(gradio: Gradio, plugin: Plugin) -> None:
    tab = opened(plugin, Session())
    assert tab.asked == ["app", "server_config", "state"]
    assert [each.words[0] for each in gradio.parts if each.kind == "Tab"] == ["Storyboard", "State", "Drift"]
    assert not [words for words in gradio.said() if "cannot be shown" in words]
    (tabs,) = [each for each in gradio.parts if each.kind == "Tabs"]
    assert tabs.further["selected"] == "svi_storyboard"


def test_a_damaged_plugin_has_no_tab() -> None:
    tab = Tab()
    page.add(tab, SimpleNamespace(HOME=Path(), start=lambda: None))
    assert tab.make is None


@pytest.mark.parametrize(
    ("why", "first"), [("this WanGP cannot be patched safely", "svi_state"), (ASIDE, "svi_storyboard")]
)
def test_what_is_wrong_is_seen_first(gradio: Gradio, plugin: Plugin, why: str, first: str) -> None:
    plugin.status = Status("off", why, "12.60")
    opened(plugin, Session())
    (tabs,) = [each for each in gradio.parts if each.kind == "Tabs"]
    assert tabs.further["selected"] == first


@pytest.mark.parametrize("module", [storyboard_page, state_page, drift_page])
def test_a_part_that_fails_leaves_the_others(
    gradio: Gradio, plugin: Plugin, monkeypatch: pytest.MonkeyPatch, module: Any
) -> None:
    def fails(*words: object) -> None:
        raise OSError(13, "no")

    monkeypatch.setattr(module, "add", fails)
    opened(plugin, Session())
    assert [words for words in gradio.said() if "cannot be shown" in words] == [
        "This part cannot be shown: PermissionError: [Errno 13] no"
    ]
    assert len([each for each in gradio.parts if each.kind == "Button"]) > 2


def test_a_wangp_without_a_queue_for_plugins(gradio: Gradio, plugin: Plugin) -> None:
    opened(plugin)
    assert storyboard_page.NO_QUEUE in gradio.said()


def test_every_profile_can_be_chosen() -> None:
    chosen = [name for _, name in storyboard_page.profiles()]
    assert chosen == ["", "fast", *NAMES]
    assert [variant_of(name).name for name in NAMES] == list(NAMES)


def form(**changed: Any) -> list[Any]:
    """The fields as a fresh page has them, in the order of the page."""
    usual = {"image": None, "text": "", "profile": "", "seconds": 0, "seed": 7, "frames": 81, "steps": 0, "size": ""}
    return list({**usual, **changed}.values())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "There is no start image yet. Nothing was started."),
        ({"image": "gone.png", "text": "a boat"},
         "The image gone.png cannot be read: No such file or directory. Nothing was started."),
        ({"image": "gone.png"}, "There is no prompt yet: write one on each line. Nothing was started."),
    ],
)  # fmt: skip
def test_what_is_missing_is_one_line(gradio: Gradio, plugin: Plugin, changed: dict[str, Any], said: str) -> None:
    opened(plugin, Session())
    ((words, *others),) = use(gradio, "svi_make", "", *form(**changed))
    assert words.replace(f"{Path.cwd()}/", "") == said
    assert others == [SKIP] * 5


def test_a_film_from_the_form_to_its_takes(
    gradio: Gradio, plugin: Plugin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(standin.make(tmp_path / "WanGP"))
    plugin.root = tmp_path / "WanGP"
    svi_file(plugin.root / "loras/wan_i2v/SVI_Wan2.1-I2V-14B_lora_v2.0.safetensors")
    png.write(tmp_path / "start.png", png.Picture(64, 32, bytes(range(256)) * 24))
    tab = opened(plugin, Session())
    filled = form(image=str(tmp_path / "start.png"), text="one\ntwo", frames=9, steps=2, size="64x32")
    shown = use(gradio, "svi_make", None, *filled)
    film = plugin.root / "videos/start-film.mp4"
    said, pictures, movie, segment, take, name = shown[-1]
    assert said.startswith("The film is done")
    assert film.is_file()
    assert [words for _, words in pictures] == ["1. one", "2. two"]
    assert name == "start-film"
    assert f'src="/gradio_api/file={quote(film.resolve().as_posix())}?' in movie
    # It was seen growing.
    assert {1, 2} <= {len(each[1]) for each in shown if each[1] is not SKIP}
    assert segment["choices"] == [("1. one", 1), ("2. two", 2)]
    assert take["choices"] == [("take 1, seed 49, in the film", 1)]
    assert use(gradio, "svi_redo", "start-film", 2)[-1][0].startswith("The film is done")
    takes = use(gradio, "svi_segment", "start-film", 2, event="input")[0]
    assert [words for words, _ in takes["choices"]] == ["take 1, seed 49", "take 2, seed 1000052, in the film"]
    assert use(gradio, "svi_pick", "start-film", 2, 1)[-1][0].startswith("The film is done")
    assert use(gradio, "svi_continue", "")[-1][0].startswith("The film is done")
    # The form is filled again, and the list of films knows it.
    again = use(gradio, "svi_name", "start-film", event="input")[0]
    assert list(again[: len(filled)]) == filled
    assert again[len(filled)] == "2 of 2 segments are finished."
    assert tab.on_tab_select({})[0]["choices"] == ["start-film"]
    assert shelf.names(plugin.root / "videos") == ["start-film"]


def test_a_page_that_was_opened_meanwhile_shows_the_film(
    gradio: Gradio, plugin: Plugin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is told when its tab is chosen, looks again and again while there is something to see, and then no more."""
    monkeypatch.chdir(standin.make(tmp_path / "WanGP"))
    plugin.root = tmp_path / "WanGP"
    svi_file(plugin.root / "loras/wan_i2v/SVI_Wan2.1-I2V-14B_lora_v2.0.safetensors")
    png.write(tmp_path / "start.png", png.Picture(64, 32, bytes(range(256)) * 24))
    tab = opened(plugin, stops_at("two"))
    (clock,) = [each for each in gradio.parts if each.kind == "Timer"]
    look, _inputs, outputs = clock.calls["tick"]
    assert tab.on_tab_select({})[1:] == (SKIP, {"active": False})
    filled = form(image=str(tmp_path / "start.png"), text="one\ntwo", frames=9, steps=2, size="64x32")
    making, known, counts = gradio.of("svi_make").calls["click"][0](None, *filled), None, []
    for _ in making:
        _names, said, active = tab.on_tab_select({})
        assert said == "The film start-film is being made."
        assert active == {"active": True}
        # Somebody may have begun to fill in the next film.
        written = "three" if len(counts) == 1 else ""
        again, first = look(known, written), known is None
        values, (words, pictures, *_, known, active) = again[: len(filled)], again[len(filled) :]
        assert len(outputs) == len(again) == len(filled) + 8
        assert list(values) == (filled if first else [SKIP] * len(filled))
        assert words.startswith(("Segment ", "Stopped."))
        assert active == {"active": True}
        counts.append(None if pictures is SKIP else len(pictures))
    # Its pictures come once.
    assert [each for each in counts if each is not None] == [0, 1]
    assert look(known, "")[-1] == {"active": False}
    assert look(known, "")[len(filled)].startswith("Stopped. 1 of 2")
    assert set(look(None, "three")[: len(filled)]) == {SKIP}
    _, said, active = tab.on_tab_select({})
    assert said == "The film start-film is not finished: 1 of 2 segments are there. Continue goes on with it."
    assert active == {"active": False}


def test_a_film_that_is_not_there(gradio: Gradio, plugin: Plugin) -> None:
    opened(plugin, Session())
    assert use(gradio, "svi_continue", "")[0][0].startswith("There is no film yet")
    assert use(gradio, "svi_redo", "x", 1)[0][0].startswith("The film x cannot go on by itself.")
    assert set(map(id, use(gradio, "svi_name", "a new name", event="input")[0])) == {id(SKIP)}
    assert use(gradio, "svi_stop_film")[0] == "No film is being made."


def test_while_svi_is_off_no_film_is_begun(gradio: Gradio, plugin: Plugin) -> None:
    plugin.status = Status("off", "there is a file off", "12.60")
    opened(plugin, Session())
    ((words, *_),) = use(gradio, "svi_make", "", *form(image="x.png", text="one"))
    assert words == "SVI is off: there is a file off."
    assert filming.now() == ""


def test_drift_without_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift_page, "PACKAGES", ("no_such_package", "os"))
    (said,) = drift_page.told(Path("/a film.mp4"))
    assert said == 'WanGP\'s Python has no no_such_package; in a terminal: `svi-install drift "/a film.mp4"`'


def test_drift_of_what_is_no_video(gradio: Gradio, plugin: Plugin) -> None:
    pytest.importorskip("av")
    (plugin.root / "videos/x.mp4").write_bytes(b"x")
    opened(plugin, Session())
    assert use(gradio, "svi_measure", None) == ["Choose a video first."]
    assert use(gradio, "svi_measure", "x.mp4")[-1].startswith("x.mp4 was not measured. ")
    assert drift_page.videos(plugin.root / "videos") == ["x.mp4"]


def test_drift_in_words(tmp_path: Path) -> None:
    pytest.importorskip("av")
    from ..drift.videos import clean, darker, worse, write

    write(tmp_path / "dark.mp4", worse(clean(), darker, 0, 1.0))
    *heard, said = drift_page.told(tmp_path / "dark.mp4")
    assert said.startswith("**dark.mp4: ")
    assert "drifting" in said or "broken" in said
    assert "\n\n- " in said
    assert all("%" in each or each for each in heard)
