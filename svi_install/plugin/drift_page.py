"""The part Drift of the tab: what a video loses from clip to clip, in words."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

# What measuring needs; WanGP's own requirements bring all of it.
PACKAGES = ("av", "numpy", "scipy", "skimage", "PIL")
MOST = 200


def videos(folder: Path) -> list[str]:
    """Return the videos in a folder, the latest first."""
    try:
        found = sorted(folder.glob("*.mp4"), key=lambda path: (-path.stat().st_mtime, path.name))
    except OSError:
        return []
    return [path.name for path in found[:MOST]]


def add(gr: Any, folder: Callable[[], Path]) -> None:
    """Add the part to the page.

    Args:
        folder: tells where WanGP puts its videos.
    """
    gr.Markdown("How far a video moves away from its beginning: colour, contrast, detail, and jumps between its clips.")
    with gr.Row():
        video = gr.Dropdown(
            videos(folder()), value=None, allow_custom_value=True, label="Video", scale=3, elem_id="svi_drift_video"
        )
        again = gr.Button("Look for videos", scale=1)
        measure = gr.Button("Measure", variant="primary", scale=1, elem_id="svi_measure")
    said = gr.Markdown("", elem_id="svi_drift_said")

    def measured(name: str | None) -> Iterator[str]:
        if not name:
            yield "Choose a video first."
            return
        yield from told(folder() / name)

    again.click(lambda: gr.update(choices=videos(folder())), outputs=video, show_progress="hidden")
    measure.click(measured, inputs=video, outputs=said, show_progress="hidden")


def told(path: Path) -> Iterator[str]:
    """Measure a video; yields how far it is, and what was found at the end."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        yield f'WanGP\'s Python has no {", ".join(missing)}; in a terminal: `svi-install drift "{path}"`'
        return
    heard: Queue[str] = Queue()
    end: list[str] = []

    def run() -> None:
        try:
            end.append(found(path, lambda what, done, total: heard.put(_far(what, done, total))))
        except Exception as error:  # noqa: BLE001  (it is said)
            words = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
            end.append(f"{path.name} was not measured. {words}")

    thread = Thread(target=run, daemon=True)
    thread.start()
    last = ""
    while thread.is_alive() or not heard.empty():
        try:
            now = heard.get(timeout=0.3)
        except Empty:
            continue
        if now != last:
            yield now
        last = now
    yield end[0]


def found(path: Path, progress: Callable[[str, int, int], None]) -> str:
    """Return the verdict on a video and its findings.

    Raises:
        SviError: it cannot be measured.
    """
    from ..drift.report import look
    from ..drift.summary import in_words

    report = look(path, progress=progress, pictures=False)
    lines = [f"**{path.name}: {in_words(report)}**"]
    lines += [f"- {each.text} {each.remedy}" for each in report.findings]
    lines.append(f'The page with all curves, in a terminal: `svi-install drift "{path}" --html drift.html`')
    return "\n\n".join(lines)


def _far(what: str, done: int, total: int) -> str:
    return f"{what}: {100 * done // total} %" if total else what
