"""The part Storyboard of the tab: what a person fills in, a film that grows clip by clip, and its takes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from ..errors import SviError
from ..storyboard.film.film import PART, Film
from ..storyboard.script.story import CLIP_FRAMES, DEFAULT_SEED
from ..storyboard.script.variants import PRO, PROFILES
from . import filming, shelf
from .filming import Seen
from .shelf import Asked
from .start import ASIDE, Plugin

PROMPTS = (
    "Prompts, one per line; each becomes a clip of five seconds. [/duration=10s] makes one longer, [/new_shot] cuts."
)
EXAMPLE = "a boat leaves the harbour\nthe open sea"
UNFINISHED = "The film {name} is not finished: {done} of {all} segments are there. Continue goes on with it."
# Seconds between two looks at a film that another page has begun.
LOOK = 2.0
NO_QUEUE = (
    "This WanGP lends its queue to no plugin, so films are made in the terminal: svi-install render IMAGE PROMPTS"
)


def profiles() -> list[tuple[str, str]]:
    """Return the profiles as a person reads them, each with its name."""
    usual = [
        ("Choose for me: SVI-Shot for one prompt, SVI-2.0 for several", ""),
        ("Choose for me, fast: 4 steps instead of 50", "fast"),
    ]
    models = {"wan_2_2": "Wan 2.2: "}
    named = [(f"{models.get(Path(path).parent.name, '')}{Path(path).stem}", name) for name, path in PROFILES.items()]
    return [*usual, *named, ("Wan 2.2: WanGP's own SVI 2 Pro", PRO)]


def folder(plugin: Plugin, tab: Any) -> Path:
    """Return where WanGP puts its videos, and this tab its films."""
    settings = getattr(tab, "server_config", None) or {}
    return plugin.root / str(settings.get("save_path") or "outputs")


class Parts(NamedTuple):
    """What is on the page: the fields of `Asked`, what shows a film, and the buttons by their elem_id."""

    name: Any
    form: list[Any]
    shown: list[Any]
    buttons: dict[str, Any]


def add(gr: Any, plugin: Plugin, tab: Any, api: Any) -> None:
    """Add the part to the page.

    Args:
        tab: WanGP's plugin.
        api: WanGP's session for plugins, None where it has none.
    """
    if api is None:
        gr.Markdown(NO_QUEUE)
        return
    parts = _parts(gr, shelf.names(folder(plugin, tab)))
    _make(gr, plugin, (tab, api), parts)
    _look(gr, plugin, tab, parts)


def _parts(gr: Any, names: list[str]) -> Parts:
    with gr.Row():
        with gr.Column(scale=1, min_width=260):
            image = gr.Image(type="filepath", image_mode=None, label="Start image", height=260, elem_id="svi_image")
        with gr.Column(scale=2):
            text = gr.Textbox(label=PROMPTS, lines=6, placeholder=EXAMPLE, elem_id="svi_text")
            with gr.Row():
                profile = gr.Dropdown(profiles(), value="", label="Profile", elem_id="svi_profile")
                name = gr.Dropdown(
                    names, value="", allow_custom_value=True, label="Name of the film", elem_id="svi_name"
                )
            with gr.Accordion("Length, seed, size", open=False), gr.Row():
                numbers = [
                    gr.Number(usual, label=label, precision=precision, minimum=least, elem_id=f"svi_{key}")
                    for key, label, usual, precision, least in (
                        ("seconds", "Seconds of each prompt (0: one clip)", 0, 1, 0),
                        ("seed", "Seed", DEFAULT_SEED, 0, 0),
                        ("frames", "Frames of a clip", CLIP_FRAMES, 0, 5),
                        ("steps", "Steps (0: those of the profile)", 0, 0, 0),
                    )
                ]
                size = gr.Textbox(
                    "", label="Size (empty: that of the profile)", placeholder="832x480", elem_id="svi_size"
                )
    with gr.Row():
        buttons = {
            "make": gr.Button("Make film", variant="primary", elem_id="svi_make"),
            "stop": gr.Button("Stop", elem_id="svi_stop_film"),
            "go on": gr.Button("Continue", elem_id="svi_continue"),
        }
    said = gr.Markdown("", elem_id="svi_film_said")
    with gr.Row():
        gallery = gr.Gallery(label="Segments", columns=3, height=320, elem_id="svi_segments")
        movie = gr.HTML("", elem_id="svi_film")
    with gr.Row():
        segment = gr.Dropdown([], label="Segment", elem_id="svi_segment")
        take = gr.Dropdown([], label="Its takes", elem_id="svi_take")
        buttons["redo"] = gr.Button("Redo with another seed", elem_id="svi_redo")
        buttons["pick"] = gr.Button("Put this take into the film", elem_id="svi_pick")
    form = [image, text, profile, *numbers, size]
    return Parts(name, form, [said, gallery, movie, segment, take, name], buttons)


def _make(gr: Any, plugin: Plugin, wangp: tuple[Any, Any], parts: Parts) -> None:
    """What makes something; WanGP looks for its session in these functions' own variables."""
    tab, api = wangp

    def made(called: str | None, *values: Any) -> Iterator[tuple[Any, ...]]:
        yield from _shown(gr, _from_form(plugin, api, (folder(plugin, tab), called or ""), _asked(values)))

    def continued(called: str | None) -> Iterator[tuple[Any, ...]]:
        yield from _shown(gr, _again(plugin, api, (folder(plugin, tab), called or "")))

    def redone(called: str | None, number: int | None) -> Iterator[tuple[Any, ...]]:
        yield from _shown(gr, _again(plugin, api, (folder(plugin, tab), called or ""), redo=number or 1))

    def picked(called: str | None, number: int | None, take: int | None) -> Iterator[tuple[Any, ...]]:
        yield from _shown(gr, _again(plugin, api, (folder(plugin, tab), called or ""), pick=(number or 1, take or 1)))

    _, _, _, segment, take, _ = parts.shown
    further = {"outputs": parts.shown, "show_progress": "hidden"}
    parts.buttons["make"].click(made, inputs=[parts.name, *parts.form], **further)
    parts.buttons["go on"].click(continued, inputs=[parts.name], **further)
    parts.buttons["redo"].click(redone, inputs=[parts.name, segment], **further)
    parts.buttons["pick"].click(picked, inputs=[parts.name, segment, take], **further)
    parts.buttons["stop"].click(filming.stop, outputs=parts.shown[0], show_progress="hidden")


def _asked(values: tuple[Any, ...]) -> Asked:
    """What the fields hold; an empty one may be None or an empty text."""
    asked = Asked(*values)
    return asked._replace(text=asked.text or "", profile=asked.profile or "", resolution=asked.resolution or "")


def _look(gr: Any, plugin: Plugin, tab: Any, parts: Parts) -> None:
    """What is shown without making anything: a film that was chosen, the takes of a segment."""
    name, form, shown, _ = parts
    said, gallery, movie, segment, take, _ = shown
    # A page that was opened, or loaded anew, while a film is made shows it too.
    clock, known = gr.Timer(LOOK, active=False), gr.State(None)

    def path_of(called: str | None) -> Path:
        return shelf.target(folder(plugin, tab), called or "", Asked())

    def opened(called: str | None) -> tuple[Any, ...]:
        nothing = [gr.skip()] * (len(form) + len(shown) - 1)
        try:
            path = path_of(called)
            if called not in shelf.names(folder(plugin, tab)):
                return tuple(nothing)
            asked = shelf.kept(path)
            planned = filming.plan(shelf.begun(path), path)
        except Exception as error:  # noqa: BLE001  (it is said)
            return (*nothing[: len(form)], filming.plain(error), *nothing[len(form) + 1 :])
        values = [gr.skip()] * len(form) if asked is None else list(asked)
        left = len(planned.missing())
        words = f"{len(planned.segments) - left} of {len(planned.segments)} segments are finished."
        return (*values, words, *_film(gr, planned)[:-1])

    def takes_of(called: str | None, number: int | None) -> Any:
        try:
            path = path_of(called)
            return _takes(gr, filming.plan(shelf.begun(path), path), number or 1)
        except Exception:  # noqa: BLE001  (there is nothing to choose from)
            return gr.update(choices=[], value=None)

    def refreshed(_state: Any) -> tuple[Any, ...]:
        names = shelf.names(folder(plugin, tab))
        busy = filming.now()
        words = f"The film {busy} is being made." if busy else _unfinished(folder(plugin, tab), names[:1])
        return gr.update(choices=names), words or gr.skip(), gr.update(active=bool(busy))

    def watched(before: Any, text: str | None) -> tuple[Any, ...]:
        # In this order: what ends in between is seen the next time.
        busy, seen = filming.now(), filming.last()
        asked = None
        if seen is None:
            return (*[gr.skip()] * (len(form) + 7), gr.update(active=bool(busy)))
        if before is None and not text:
            # Nothing was filled in on this page yet: what the film was asked for stands there again.
            with contextlib.suppress(Exception):
                asked = shelf.kept(seen.film.target)
        values = [gr.skip()] * len(form) if asked is None else list(asked)
        now = _state_of(seen.film)
        pictures = _film(gr, seen.film) if now != before else [gr.skip()] * 5
        return (*values, seen.said, *pictures, now, gr.update(active=bool(busy)))

    name.input(opened, inputs=name, outputs=[*form, said, gallery, movie, segment, take], show_progress="hidden")
    segment.input(takes_of, inputs=[name, segment], outputs=take, show_progress="hidden")
    clock.tick(watched, inputs=[known, form[1]], outputs=[*form, *shown, known, clock], show_progress="hidden")
    tab.on_tab_outputs = [name, said, clock]
    tab.on_tab_select = refreshed


def _unfinished(where: Path, latest: list[str]) -> str:
    """Say how far the latest film is when it is not finished: its page was closed, or WanGP ended."""
    try:
        for name in latest:
            path = shelf.target(where, name, Asked())
            planned = filming.plan(shelf.begun(path), path)
            left = len(planned.missing())
            if left:
                return UNFINISHED.format(name=name, done=len(planned.segments) - left, all=len(planned.segments))
    except Exception:  # noqa: BLE001  (what is wrong with it is said when it is chosen)
        pass
    return ""


def _check(plugin: Plugin) -> None:
    if plugin.status.state != "on" and ASIDE not in plugin.status.why:
        raise SviError("svi-off", f"SVI is off: {plugin.status.why or 'WanGP has not asked for it yet'}.")


def _from_form(plugin: Plugin, api: Any, named: tuple[Path, str], asked: Asked) -> Iterator[Seen]:
    """Make the film that a person has filled in."""
    _check(plugin)
    path = shelf.target(*named, asked)
    wanted = shelf.story(asked, path)
    yield from filming.make(
        api, plugin.root, wanted, path, begun=lambda planned: shelf.keep(path, asked, planned.images)
    )


def _again(
    plugin: Plugin, api: Any, named: tuple[Path, str], *, redo: int = 0, pick: tuple[int, int] | None = None
) -> Iterator[Seen]:
    """Go on with a film as it was asked for; without a name, with the latest."""
    _check(plugin)
    where, called = named
    called = called or next(iter(shelf.names(where)), "")
    if not called:
        raise SviError("no-film", "There is no film yet: give an image and prompts, and press Make film.")
    path = shelf.target(where, called, Asked())
    yield from filming.make(
        api,
        plugin.root,
        shelf.begun(path),
        path,
        picks=(pick,) if pick else (),
        redo=(redo,) if redo else (),
    )


def _shown(gr: Any, seen: Iterator[Seen]) -> Iterator[tuple[Any, ...]]:
    """Turn what happens into what the page shows; an error is one line."""
    before = None
    try:
        for said, planned in seen:
            # The browser keeps what it shows until something of it is another one.
            now = _state_of(planned)
            yield (said, *(_film(gr, planned) if now != before else [gr.skip()] * 5))
            before = now
    except Exception as error:  # noqa: BLE001  (WanGP goes on)
        yield (filming.plain(error), *[gr.skip()] * 5)


def _state_of(planned: Film) -> list[Any]:
    """What the pictures of a film depend on."""
    done = [planned.finished(segment) for segment in planned.segments]
    return [done, list(planned.keys.values()), _stamp(planned.target)]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _player(path: Path) -> str:
    """Gradio 5.29's own player stays empty where WanGP ends a run of a plugin's button with nothing new for it."""
    name = quote(path.resolve().as_posix())
    stamp = _stamp(path) or (0, 0)
    return f'<video controls style="width: 100%; max-height: 320px" src="/gradio_api/file={name}?{stamp[1]}"></video>'


def _film(gr: Any, planned: Film) -> tuple[Any, ...]:
    """What shows a film; the player is empty until it is whole."""
    done = [segment for segment in planned.segments if planned.finished(segment)]
    pictures = [(str(planned.folder(each) / PART), f"{each.number}. {each.prompt}") for each in done]
    choices = [(f"{each.number}. {each.prompt}"[:60], each.number) for each in planned.segments]
    number = done[-1].number if done else 1
    whole = len(done) == len(planned.segments) and planned.target.is_file()
    return (
        pictures,
        _player(planned.target) if whole else "",
        gr.update(choices=choices, value=number),
        _takes(gr, planned, number),
        planned.target.stem,
    )


def _takes(gr: Any, planned: Film, number: int) -> Any:
    segment = next((each for each in planned.segments if each.number == number), planned.segments[0])
    picked = planned.takes[segment.number].picked
    choices = [
        (
            f"take {clip.take}, seed {clip.segment.seed}{', in the film' if clip.take == picked else ''}",
            clip.take,
        )
        for clip in planned.clips(segment)
    ]
    return gr.update(choices=choices, value=picked)
