"""A worker of a cluster: one process with one WanGP, until it is stopped."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ...errors import SviError
from ..headless.wangp import WanGP
from . import cluster, work

if TYPE_CHECKING:
    from distributed import Security

# Seconds between two looks whether a scheduler is back.
PAUSE = 5.0


def serve(
    wangp: WanGP,
    address: str,
    keys: cluster.Keys,
    folder: Path,
    *,
    name: str,
    card: int | None,
    patience: float | None,
    shared: Path | None,
    say: Callable[[str], None],
) -> NoReturn:
    """Work for a scheduler until somebody stops this process; when the scheduler goes, wait for it.

    Args:
        address: of the scheduler.
        folder: for what is made here.
        name: by which others see it.
        card: number of the card, None for the first one.
        patience: seconds that WanGP may say nothing, None for the usual.
        shared: a folder in which several workers keep finished clips, None where there is none.
        say: prints a line.

    Raises:
        SviError: this WanGP cannot work, or the scheduler does not answer.
    """
    protected = cluster.security(address, keys)
    variables = cluster.environment(wangp, folder, name, card=card, patience=patience, shared=shared)
    os.environ.update(variables)
    known = work.introduce()
    if known["why"]:
        raise SviError("no-worker", str(known["why"]))
    first = f"{name} works for {address}: WanGP {wangp.version}, {known['card'] or 'no NVIDIA card seen'}."
    say(f"{first} Stop it with Ctrl-C; a clip that is being made then goes to another worker.")
    came = False
    while True:
        try:
            asyncio.run(_work(address, protected, folder, work.kind(wangp.version), variables))
            came = True
            say(f"The scheduler at {address} has gone; waiting for it to come back.")
        except (OSError, asyncio.TimeoutError) as error:
            if not came:
                raise cluster.gone(address, str(error)) from error
        time.sleep(PAUSE)


async def _work(
    address: str, protected: Security | None, folder: Path, kind: str, variables: Mapping[str, str]
) -> None:
    """Be a worker until the scheduler goes."""
    from distributed import Nanny

    nanny = Nanny(
        address,
        security=protected,
        nthreads=1,
        memory_limit=0,
        preload=cluster.PRELOAD,
        resources={cluster.RESOURCE: 1, kind: 1},
        name=variables[work.NAME],
        local_directory=str(folder / "dask"),
        env=dict(variables),
        death_timeout=cluster.PATIENCE,
    )
    try:
        await asyncio.wait_for(nanny, cluster.PATIENCE)
        await nanny.finished()
    finally:
        await nanny.close(timeout=5)


def usual_name(card: int | None) -> str:
    """Return a name that tells workers apart: this computer's, and the card's number."""
    return socket.gethostname() + ("" if card is None else f" card {card}")
