"""The part State of the tab: how things stand, one button that mends it, and the LoRAs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import standing
from .start import Plugin


def add(gr: Any, plugin: Plugin, manager: Any) -> None:
    """Add the part to the page.

    Args:
        manager: WanGP's plugin manager, None where it cannot be had.
    """
    with gr.Row():
        with gr.Column(scale=3):
            state = gr.HTML(standing.table(standing.rows(plugin)), elem_id="svi_state")
            said = gr.Markdown(_advice(plugin, manager), elem_id="svi_said")
        with gr.Column(scale=1, min_width=220):
            mend = gr.Button(
                "Mend it", variant="primary", visible=bool(standing.mends(plugin, manager)), elem_id="svi_mend"
            )
            again = gr.Button("Look again", elem_id="svi_again")
            update = gr.Button("Update the plugin", visible=standing.can_update(plugin, manager), elem_id="svi_update")
    gr.Markdown("### LoRAs\nDownloads pick up where they were stopped, and are checked before they are used.")
    with gr.Row():
        choices = _missing(plugin)
        first = choices[0][1] if choices else None
        lora = gr.Dropdown(choices=choices, value=first, label="Not there yet", scale=3, elem_id="svi_lora")
        fetch = gr.Button("Download", scale=1, elem_id="svi_fetch", interactive=bool(choices))
        stop = gr.Button("Stop", scale=1, elem_id="svi_stop")
    progress = gr.Markdown("", elem_id="svi_progress")

    def look() -> tuple[Any, ...]:
        left = _missing(plugin)
        return (
            standing.table(standing.rows(plugin)),
            gr.update(visible=bool(standing.mends(plugin, manager))),
            gr.update(choices=left, value=left[0][1] if left else None),
            gr.update(interactive=bool(left)),
        )

    def mended() -> str:
        return "\n\n".join(call() for _, call in standing.mends(plugin, manager)) or "There is nothing to fix."

    def downloaded(name: str | None) -> Iterator[str]:
        if not name:
            yield "All LoRAs are there."
        else:
            yield from standing.download(plugin.root, name)

    shown = [state, mend, lora, fetch]
    again.click(look, outputs=shown, show_progress="hidden")
    mend.click(mended, outputs=said).then(look, outputs=shown, show_progress="hidden")
    update.click(lambda: standing.update(plugin, manager), outputs=said)
    running = fetch.click(downloaded, inputs=lora, outputs=progress, show_progress="hidden")
    running.then(look, outputs=shown, show_progress="hidden")
    stop.click(standing.stop_downloads, show_progress="hidden")


def _advice(plugin: Plugin, manager: Any) -> str:
    words = [text for text, _ in standing.mends(plugin, manager)]
    if words:
        return f"*Mend it* would {', '.join(words)}."
    return standing.cannot_mend(plugin)


def _missing(plugin: Plugin) -> list[tuple[str, str]]:
    try:
        return standing.missing(plugin)
    except Exception:  # noqa: BLE001  (the table says what is wrong)
        return []
