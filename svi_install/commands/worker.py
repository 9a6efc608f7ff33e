"""The command `worker`: this computer makes clips for the films of others."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from ..bootstrap import data_folder
from ..storyboard.archive.store import plainly
from ..storyboard.farm import cluster, serve
from ..storyboard.headless.wangp import find


def worker(
    root: Path,
    address: str,
    keys: cluster.Keys,
    *,
    name: str | None = None,
    card: int | None = None,
    folder: Path | None = None,
    python: Path | None = None,
    patience: float | None = None,
    shared: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> NoReturn:
    """Work for a scheduler until somebody stops this command.

    Args:
        root: of the WanGP.
        address: of the scheduler.
        keys: for TLS.
        name: by which others see this worker.
        card: number of the card that it works with.
        folder: for what is made here, None for this program's own.
        python: WanGP's Python, None to look for it.
        patience: minutes that WanGP may say nothing before it is ended, None for the usual.
        shared: a folder that several workers see, in which they keep finished clips.
        say: prints a line.

    Raises:
        SviError: this WanGP cannot work, the scheduler does not answer, or nothing can be kept in the shared folder.
    """
    wangp = find(root, python)
    if card is not None:
        cluster.check_cards((card,))
    name = name or serve.usual_name(card)
    place = folder or own_folder(name)
    if shared is not None:
        shared = shared.absolute()
        with plainly(shared, "write"):
            shared.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=shared):
                pass
    seconds = None if patience is None else 60 * patience
    serve.serve(wangp, address, keys, place, name=name, card=card, patience=seconds, shared=shared, say=say)


def own_folder(name: str) -> Path:
    """Return where a worker keeps what it makes when nobody says where."""
    import os
    import sys

    from ..checkout.locate import home_folder

    safe = "".join(sign if sign.isalnum() else "-" for sign in name)
    return data_folder(sys.platform, os.environ, home_folder()) / "workers" / safe
