"""What a worker does: makes the clip of an order with its own WanGP, which stays loaded from clip to clip.

The environment says which WanGP (SVI_FARM_WANGP, SVI_FARM_PYTHON), where its files go (SVI_FARM_FOLDER) and for how
many seconds it may say nothing (SVI_FARM_PATIENCE); whoever sends an order has no say in that. A clip that was made
stays there for a while, or in the folder that several workers share (SVI_FARM_SHARED): who asks for it again, because a
computer went away before it had arrived, gets it at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
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
PATIENCE, SHARED = "SVI_FARM_PATIENCE", "SVI_FARM_SHARED"
DONE = "outcome.json"
# Clips that stay on a worker, or in a shared folder, after they were fetched.
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


def address(order: parcel.Order, wangp: str) -> str:
    """Return the name under which a clip stays on a worker.

    A film's own key outlives an update of WanGP and another quantization on purpose; between films of different people
    only what is the same to the last bit may be exchanged.

    Args:
        order: what is to be made.
        wangp: version of the WanGP that makes it.
    """
    text = json.dumps([order.clip.key, kind(wangp), order.model, order.options])
    return hashlib.sha256(text.encode()).hexdigest()


def _make(order: parcel.Order, tell: Tell) -> parcel.Outcome:
    wangp, own = _wangp(), Store(Path(os.environ[FOLDER]))
    shared = Store(Path(os.environ[SHARED])) if os.environ.get(SHARED) else own
    key = address(order, wangp.version)
    for store in (own, shared):
        # Whoever shares the folder may just throw something away: then the clip is made.
        folder = store.folder(key)
        with contextlib.suppress(SviError, OSError):
            found = read_json(folder / DONE)
            if found is not None and found.get("key") == order.clip.key and not _changed(folder, found):
                os.utime(folder)
                return _outcome(folder, found)
    outcome = _outcome(own.folder(key), _film(order, wangp, own, key, tell))
    if shared is not own:
        _share(own.folder(key), shared.folder(key))
    for store in (own, shared):
        _forget(store.folder(key).parent)
    return outcome


def _outcome(folder: Path, found: Mapping[str, Any]) -> parcel.Outcome:
    return parcel.Outcome(_name(), found["facts"], parcel.pack(folder), found["hashes"], float(found["seconds"]))


def _share(folder: Path, target: Path) -> None:
    """Move a finished clip to where other workers find it; where that cannot be, only they miss it."""
    part = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    with contextlib.suppress(OSError):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(folder, part)
            remove(target)
            part.rename(target)
        finally:
            remove(part)


def _film(order: parcel.Order, wangp: WanGP, store: Store, key: str, tell: Tell) -> dict[str, Any]:
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
    folder = store.begin(key)
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
    facts = store.made(key)
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


def _forget(clips_made: Path) -> None:
    """Throw away what nobody has asked for in a while."""
    with contextlib.suppress(OSError):
        ages = {}
        for folder in clips_made.iterdir():
            with contextlib.suppress(FileNotFoundError):
                ages[folder] = folder.stat().st_mtime
        for folder in sorted(ages, key=ages.__getitem__, reverse=True)[KEPT:]:
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
