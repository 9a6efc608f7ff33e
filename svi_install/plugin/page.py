"""The tab SVI on WanGP's page: Storyboard, State and Drift."""

from __future__ import annotations

from typing import Any

from . import state_page
from .start import ASIDE, Plugin

TAB = "SVI"


def add(tab: Any, handler: Any) -> None:
    """Add the tab.

    Args:
        tab: WanGP's plugin, which adds it to the page.
        handler: the plugin's module that knows the one plugin of this process.
    """
    if handler.start() is None:
        return  # what is damaged has been said
    for name in ("app", "server_config"):
        tab.request_global(name)
    # Whose queue it is, WanGP finds by this.
    tab.request_component("state")
    tab.add_tab(tab_id="svi", label=TAB, component_constructor=_constructor(tab, handler))


def _constructor(tab: Any, handler: Any) -> Any:
    # A constructor that takes something is given WanGP's own session for plugins, from 12.22 on.
    def make(api: Any = None) -> None:
        import gradio as gr

        plugin = handler.start().plugin(handler.HOME)
        works = plugin.status.state == "on" or ASIDE in plugin.status.why
        # What is wrong is seen first.
        with gr.Tabs(selected="svi_storyboard" if works else "svi_state"):
            for label, part in (("Storyboard", _storyboard), ("State", _state), ("Drift", _drift)):
                with gr.Tab(label, id=f"svi_{label.lower()}"):
                    try:
                        part(gr, plugin, tab, api)
                    except Exception as error:  # noqa: BLE001  (WanGP's page must open)
                        gr.Markdown(f"This part cannot be shown: {type(error).__name__}: {error}")

    return make


def _state(gr: Any, plugin: Plugin, tab: Any, _api: Any) -> None:
    gr.Markdown(
        "Storyboard makes whole films. In the Media Generator SVI works too: *Image2video*, a profile that begins with "
        "**SVI**, *Apply*, a start image, one line of prompt for each clip."
    )
    state_page.add(gr, plugin, getattr(getattr(tab, "app", None), "plugin_manager", None))


def _storyboard(gr: Any, plugin: Plugin, tab: Any, api: Any) -> None:
    from . import storyboard_page

    storyboard_page.add(gr, plugin, tab, api)


def _drift(gr: Any, plugin: Plugin, tab: Any, _api: Any) -> None:
    from . import drift_page, storyboard_page

    drift_page.add(gr, lambda: storyboard_page.folder(plugin, tab))
