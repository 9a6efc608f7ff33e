"""How things stand with SVI in this WanGP, in words, and what one button can do about it."""

from __future__ import annotations

import contextlib
import html
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any, NamedTuple

from .. import __version__
from .placed import CACHE
from .start import ASIDE, OFF_FILE, SAFE_MODE, SWITCH, Plugin

# Color and word of a mark; a shape that every font has, and the word for those who do not see the color.
_GOOD, _BAD, _OPEN = ("#16a34a", "all right"), ("#dc2626", "not all right"), ("#9ca3af", "not there yet")
_CELL = "border: none; border-bottom: 1px solid var(--border-color-primary, #e5e7eb); padding: 8px"
_RESTART = "Restart WanGP to have it take effect."
STOPPED = "Stopped. What has arrived is kept; Download goes on there."


class Row(NamedTuple):
    """One line of the table: a mark, what it is about, how it stands."""

    mark: tuple[str, str]
    what: str
    how: str


def rows(plugin: Plugin) -> list[Row]:
    """Say how the hooks and the LoRAs stand."""
    state, why, version = plugin.status
    newest = _newest_run(plugin.home)
    found = [Row(_GOOD, "WanGP", f"{version or 'version unknown'}{newest if version else ''}")]
    if state == "on" and plugin.lost is None:
        found.append(Row(_GOOD, "Hooks", "in memory; no file of WanGP is changed"))
    elif plugin.lost is not None:
        found.append(Row(_BAD, "Hooks", f"{plugin.lost} is not as it was when WanGP started. {_RESTART}"))
    elif ASIDE in why:
        found.append(Row(_GOOD, "Hooks", "in WanGP's files, where svi-install put them; the plugin steps aside"))
    else:
        found.append(Row(_BAD, "Hooks", f"off: {why or 'WanGP has not asked for them yet'}"))
    found += _lora_rows(plugin)
    found.append(Row(_GOOD, "Plugin", f"version {__version__}"))
    return found


def _lora_rows(plugin: Plugin) -> list[Row]:
    try:
        from ..loras.inventory import seen

        looks = seen(plugin.root)
    except Exception as error:  # noqa: BLE001  (the page is to show the rest)
        return [Row(_BAD, "LoRAs", f"{type(error).__name__}: {error}")]
    found = []
    for one in looks:
        if one.lora.variant == "accelerator" and not one.look.present:
            continue
        if one.look.fault:
            found.append(Row(_BAD, one.lora.title, f"{one.path.name} {one.look.fault}; WanGP cannot load it"))
        elif one.look.present:
            found.append(Row(_GOOD, one.lora.title, one.path.name))
        else:
            found.append(Row(_OPEN, one.lora.title, "not there yet; WanGP downloads it on first use, or do it below"))
    return found


def _newest_run(home: Path) -> str:
    import json

    try:
        return f", proven up to {list(json.loads((home / 'patches/table.json').read_bytes())['releases'])[-1]}"
    except (OSError, ValueError, KeyError, IndexError):
        return ""


def table(found: list[Row]) -> str:
    """Return rows as HTML in the colors of the page."""
    cells = "".join(
        f'<tr style="border: none">'
        f'<td style="{_CELL}; width: 2em; color: {row.mark[0]}" title="{row.mark[1]}">&#9679;</td>'
        f'<td style="{_CELL}; width: 30%"><b>{html.escape(row.what)}</b></td>'
        f'<td style="{_CELL}">{html.escape(row.how)}</td></tr>'
        for row in found
    )
    return f'<table style="width: 100%; border: none">{cells}</table>'


def mends(plugin: Plugin, manager: Any) -> list[tuple[str, Callable[[], str]]]:
    """Return what can be mended from here, in words and as calls; the calls return what came of them."""
    if (plugin.home / OFF_FILE).exists():
        return [(f"remove the file {OFF_FILE}, which switches SVI off", lambda: _remove(plugin.home / OFF_FILE))]
    found: list[tuple[str, Callable[[], str]]] = []
    if any(word in plugin.status.why for word in (ASIDE, SWITCH, SAFE_MODE)):
        return found
    if plugin.status.state == "off" and (plugin.home / CACHE).exists():
        found.append(("forget what was remembered of this WanGP", lambda: _remove(plugin.home / CACHE)))
    if plugin.status.state == "off" and can_update(plugin, manager):
        found.append(("update the plugin", lambda: update(plugin, manager)))
    return found


def cannot_mend(plugin: Plugin) -> str:
    """Say what a person has to do where no button helps."""
    why = plugin.status.why
    if ASIDE in why:
        return "To have SVI by the plugin alone: svi-install install --plugin"
    if SWITCH in why:
        return f"Start WanGP without the variable {SWITCH}."
    if SAFE_MODE in why:
        return _RESTART
    if plugin.status.state == "off":
        return "If a newer version of the plugin does not help, please report the line above."
    return ""


def _remove(path: Path) -> str:
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        return f"{path} could not be removed: {error}"
    return f"{path.name} is gone. {_RESTART}"


def can_update(plugin: Plugin, manager: Any) -> bool:
    """Tell whether WanGP's plugin manager can update the plugin: it was cloned."""
    return manager is not None and hasattr(manager, "update_plugin") and (plugin.home / ".git").exists()


def update(plugin: Plugin, manager: Any) -> str:
    """Have WanGP's own plugin manager update the plugin."""
    said = str(manager.update_plugin(plugin.home.name))
    return said.partition("] ")[2] or said


def missing(plugin: Plugin) -> list[tuple[str, str]]:
    """Return the LoRAs that can be downloaded: what a person reads, and the name."""
    from ..loras import needs
    from ..loras.catalogue import load
    from ..loras.transfer.progress import human_size

    listed = needs(plugin.root, [lora.name for lora in load().loras])
    return [
        (f"{need.lora.title} ({human_size(need.size) if need.size else 'size unknown'})", need.lora.name)
        for need in listed
        if not need.present
    ]


_downloads: set[Event] = set()


def stop_downloads() -> None:
    """Have the downloads stopped; each says so itself. Gradio's own way leaves them running."""
    for stopped in tuple(_downloads):
        stopped.set()


def download(root: Path, name: str, precision: str = "fp32") -> Iterator[str]:
    """Download a LoRA; yields how far it is, in words, and what came of it at the end.

    What arrived stays when it is stopped, and the next download goes on there.
    """
    from ..loras import prefetch
    from ..loras.transfer.progress import Progress, human_size

    said: Queue[Progress | str] = Queue()
    stopped = Event()

    def report(progress: Progress) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt  # as Ctrl-C in a terminal: what has arrived is kept
        said.put(progress)

    def run() -> None:
        try:
            fetched = prefetch(root, [name], precision=precision, report=report)
            said.put("; ".join(f"{file.path.name}: {human_size(file.size)}, {file.vouched}" for file in fetched.files))
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  (it is shown)
            failed = f"That failed: {error} {getattr(error, 'hint', '')}".strip()
            said.put(STOPPED if stopped.is_set() else failed)

    thread = Thread(target=run, daemon=True)
    _downloads.add(stopped)
    thread.start()
    last = ""
    try:
        while thread.is_alive() or not said.empty():
            each = None
            with contextlib.suppress(Empty):
                each = said.get(timeout=0.5)
            if isinstance(each, str):
                now = each
            elif stopped.is_set():
                # A connection that has stalled may take a while to notice.
                now = "Stopping."
            elif each is None:
                continue
            else:
                now = _words(each)
            if now != last:
                yield now
            last = now
    finally:
        stopped.set()
        _downloads.discard(stopped)


def _words(progress: Any) -> str:
    from ..loras.transfer.progress import human_size

    doing = {"resolve": "looking for it", "hash": "checking it", "copy": "copying it", "download": "downloading"}
    words = f"{progress.filename}: {doing.get(progress.phase, progress.phase)}"
    if progress.total and progress.done:
        share = 100 * progress.done // progress.total
        words += f", {human_size(progress.done)} of {human_size(progress.total)} ({share} %)"
    return f"{words}. {progress.note}".rstrip(". ") if progress.note else words
