"""What a worker does: makes the clip of an order with its own WanGP, which stays loaded from clip to clip.

The environment says which WanGP (SVI_FARM_WANGP, SVI_FARM_PYTHON), where its files go (SVI_FARM_FOLDER) and for how
many seconds it may say nothing (SVI_FARM_PATIENCE); whoever sends an order has no say in that. A clip that was made
stays there for a while, under its key: somebody whose computer went away asks for it again and gets it at once.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ... import __version__
from ...errors import SviError
from ...package_data import runtime_files
from ..archive.store import Store, digest, plainly, read_json, remove, write_json
from ..film import clips
from ..headless import failures, hardware, runner
from ..headless.wangp import WanGP, find
from ..media import ffmpeg
from . import parcel

WANGP, PYTHON, FOLDER, NAME = "SVI_FARM_WANGP", "SVI_FARM_PYTHON", "SVI_FARM_FOLDER", "SVI_FARM_NAME"
PATIENCE = "SVI_FARM_PATIENCE"
DONE = "outcome.json"
# Clips that stay on a worker after they were fetched.
KEPT = 64

Tell = Callable[[Mapping[str, Any]], None]


class Hand:
    """A WanGP that is kept loaded for one choice of options."""

    def __init__(self, job: runner.Job) -> None:
        self.job = job
        self._tasks: list[Mapping[str, Any]] = []
        self._tell: runner.Report = lambda step: None
        self._done = runner.run(job, self._tasks, self._step, ahead=False)

    def _step(self, step: runner.Step) -> None:
        self._tell(step)

    def make(self, task: Mapping[str, Any], tell: runner.Report) -> None:
        """Let WanGP make one clip."""
        self._tell = tell
        self._tasks.append(task)
        next(self._done)

    def end(self) -> None:
        """End WanGP."""
        self._done.close()


class _State:
    """What this process keeps from order to order."""

    hand: Hand | None = None
    lock = threading.Lock()


def introduce() -> dict[str, Any]:
    """Say what this worker is: versions that decide how a clip looks, its card, and what keeps it from working."""
    known: dict[str, Any] = {"program": __version__, "runtime": runtime_digest(), "name": _name()}
    known["card"] = _card()
    try:
        wangp = _wangp()
        ffmpeg.find(wangp.root, wangp.python)
    except SviError as error:
        return {**known, "why": error.message}
    return {**known, "wangp": wangp.version, "why": ""}


def kind(wangp: str) -> str:
    """Return the name of the resource that only workers have whose clips are the same as those made here.

    Args:
        wangp: version of the WanGP.
    """
    text = "\n".join((__version__, runtime_digest(), wangp))
    return f"svi-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def runtime_digest() -> str:
    """Return one hash over the runtime that this version puts into WanGP."""
    found = hashlib.sha256()
    for name, data in sorted(runtime_files().items()):
        found.update(name.encode() + hashlib.sha256(data).digest())
    return found.hexdigest()


def make(order: parcel.Order, tell: Tell = lambda said: None) -> parcel.Outcome:
    """Make a clip.

    Args:
        order: which.
        tell: is told how far it is.

    Returns:
        The clip, or what went wrong; nothing is raised, so that the words of WanGP arrive.
    """
    try:
        with _State.lock:
            return _make(order, tell)
    except SviError as error:
        end()
        return parcel.Outcome(_name(), error=(error.code, error.message, error.hint))
    except Exception as error:  # noqa: BLE001
        # Whatever it is: whoever asked has to hear of it.
        end()
        return parcel.Outcome(_name(), error=("unexpected", f"{type(error).__name__}: {error}", ""))


def end() -> None:
    """End the WanGP of this worker."""
    hand, _State.hand = _State.hand, None
    if hand is not None:
        hand.end()


def _make(order: parcel.Order, tell: Tell) -> parcel.Outcome:
    wangp, clip, base = _wangp(), order.clip, Path(os.environ[FOLDER])
    store = Store(base)
    folder = store.folder(clip.key)
    found = read_json(folder / DONE)
    if found is None or found.get("key") != clip.key or _changed(folder, found):
        found = _film(order, wangp, store, tell)
    files = parcel.pack(folder)
    _forget(store, folder)
    return parcel.Outcome(_name(), found["facts"], files, found["hashes"], float(found["seconds"]))


def _film(order: parcel.Order, wangp: WanGP, store: Store, tell: Tell) -> dict[str, Any]:
    clip, root = order.clip, store.root
    program = ffmpeg.find(wangp.root, wangp.python)
    before = None
    with plainly(root, "write"):
        pictures = {}
        for path, (name, data) in order.images.items():
            parcel.unpack({name: data}, _made(root / "images"))
            pictures[path] = str(root / "images" / name)
        if order.before:
            remove(root / "before")
            before = _made(root / "before")
            parcel.unpack(order.before, before)
    folder = store.begin(clip.key)
    patience = float(os.environ.get(PATIENCE, "0")) or None
    job = runner.Job(wangp, root / runner.OUT, order.options, model=order.model, patience=patience)
    if _State.hand is None or _State.hand.job != job:
        end()
        _State.hand = Hand(job)
    heard, began = runner.size(job), time.monotonic()
    settings = clips.between(clip, order.variant, before, folder, pictures, fields=wangp.fields, model=order.model)
    # Dask puts the address of the worker under "worker".
    said = {"name": _name(), "key": clip.key}
    tell(said)
    _State.hand.make(settings, lambda step: tell({**said, "step": step.step, "steps": step.steps}))
    seconds = time.monotonic() - began
    facts = store.made(clip.key)
    if facts is None:
        what = f"WanGP made segment {clip.segment.number} without SVI, so it cannot be used"
        raise failures.without_svi(what, wangp.root, runner.said(job, heard))
    clips.compress(clip, order.variant, folder, facts, program)
    with plainly(folder, "write"):
        (folder / "frames.rgb").unlink(missing_ok=True)
        for video in job.out.glob("*.mp4"):
            remove(video)
        hashes = {name: digest(folder / name) for name in parcel.pack(folder)}
    found = {"key": clip.key, "facts": facts, "hashes": hashes, "seconds": seconds}
    write_json(folder / DONE, found)
    return found


def _changed(folder: Path, found: Mapping[str, Any]) -> bool:
    hashes = found.get("hashes")
    try:
        return not isinstance(hashes, dict) or any(digest(folder / name) != known for name, known in hashes.items())
    except OSError:
        return True


def _forget(store: Store, newest: Path) -> None:
    """Throw away what nobody has asked for in a while."""
    with plainly(store.root, "clean"):
        os.utime(newest)
        folders = sorted(newest.parent.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for folder in folders[KEPT:]:
            remove(folder)


def _card() -> str:
    """Name the card that this worker's WanGP sees; empty where no driver answers."""
    cards, chosen = hardware.find_cards(), os.environ.get("CUDA_VISIBLE_DEVICES", "0")
    number = int(chosen) if chosen.isdigit() else 0
    return cards[number].name if number < len(cards) else ""


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _wangp() -> WanGP:
    python = os.environ.get(PYTHON)
    return find(Path(os.environ[WANGP]), Path(python) if python else None)


def _name() -> str:
    return os.environ.get(NAME, "worker")
