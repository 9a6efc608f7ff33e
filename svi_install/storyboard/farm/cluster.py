"""Dask's part: a worker for each card of this computer, or the workers of a cluster that is there already."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...errors import EXIT_USAGE, SviError
from ..headless import hardware
from ..headless.wangp import WanGP
from . import needs, scratch, work

if TYPE_CHECKING:
    from distributed import Client, Security

RESOURCE = "CARD"
PATIENCE = 20.0
PRELOAD = ["svi_install.storyboard.farm.deaf"]
# A worker that says nothing for so long is taken for dead, and its clip goes to another one.
SILENCE = "60s"
# A WanGP says something at each step. One of 1280x720 takes 12 minutes on the slowest card of `clip_times.json`, and a
# model of 60 GB from a disk of 50 MB a second 20 minutes.
MOST_SILENT = 30 * 60.0
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class Keys:
    """Files of TLS, as Dask calls them; all three or none.

    Args:
        ca: certificate of the authority that has signed the others.
        cert: one's own certificate.
        key: one's own private key.
        insecure: whether to go without them over a network.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    insecure: bool = False


@dataclass(frozen=True)
class Wish:
    """Where a person wants a film to be made.

    Args:
        cards: of this computer, as CUDA counts them.
        address: of a scheduler, None for this computer.
        keys: for a scheduler.
    """

    cards: tuple[int, ...] = ()
    address: str | None = None
    keys: Keys = Keys()


@contextlib.contextmanager
def opened(wish: Wish, wangp: WanGP) -> Iterator[Client]:
    """Open what a person asked for: `of_cards` or `of_address`."""
    with of_cards(wangp, wish.cards) if wish.address is None else of_address(wish.address, wish.keys) as client:
        yield client


def security(address: str, keys: Keys) -> Security | None:
    """Return what Dask needs to know of encryption.

    Args:
        address: of the scheduler.

    Raises:
        SviError: the address is none, or leads over a network without encryption that was not given up on purpose.
    """
    needs.check()
    from distributed import Security

    where = urlsplit(address)
    if where.scheme not in {"tcp", "tls"} or not where.hostname or not _port(address):
        raise SviError(
            "no-scheduler",
            f"{address} is not the address of a Dask scheduler. Nothing was started.",
            "Give one such as tcp://127.0.0.1:8786 or tls://studio:8786, as `dask scheduler` prints it.",
            EXIT_USAGE,
        )
    given = [keys.ca, keys.cert, keys.key]
    if all(given):
        for path in given:
            if path is not None and not path.is_file():
                raise SviError("no-keys", f"There is no file {path}. Nothing was started.", "", EXIT_USAGE)
        ca, cert, key = map(str, given)
        roles = {
            f"tls_{role}_{kind}": path for role in ("client", "worker") for kind, path in (("cert", cert), ("key", key))
        }
        return Security(tls_ca_file=ca, require_encryption=True, **roles)
    if any(given):
        raise SviError(
            "no-keys",
            "Of --tls-ca, --tls-cert and --tls-key all three are needed. Nothing was started.",
            "Name all three, or none.",
            EXIT_USAGE,
        )
    if where.hostname not in LOOPBACK and not keys.insecure:
        raise SviError(
            "not-encrypted",
            f"{address} leads over a network, and anybody on it could read your images and run code on the workers. "
            "Nothing was started.",
            "Give --tls-ca, --tls-cert and --tls-key, or say --insecure where you trust everybody on that network.",
            EXIT_USAGE,
        )
    return None


@contextlib.contextmanager
def of_cards(wangp: WanGP, cards: Sequence[int]) -> Iterator[Client]:
    """Start a worker for each card, on this computer alone, and end them and their WanGPs afterwards.

    Args:
        cards: numbers as CUDA counts them.
    """
    needs.check()
    import dask
    from distributed import Client, Nanny, Scheduler, SpecCluster

    with scratch.folder() as folder, dask.config.set(_settings()):

        def options(number: int) -> dict[str, Any]:
            return {
                "nthreads": 1,
                "memory_limit": 0,
                "preload": PRELOAD,
                "resources": {RESOURCE: 1, work.kind(wangp.version): 1},
                "name": f"card {number}",
                "local_directory": str(Path(folder, f"dask-{number}")),
                "env": environment(
                    wangp, Path(folder, f"card-{number}"), f"card {number}", card=number, shared=Path(folder, "made")
                ),
                "host": "127.0.0.1",
            }

        workers = {number: {"cls": Nanny, "options": options(number)} for number in cards}
        scheduler = {"cls": Scheduler, "options": {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}}
        cluster = SpecCluster(workers=workers, scheduler=scheduler, silence_logs=50)
        with cluster, Client(cluster, set_as_default=False) as client:
            yield client


@contextlib.contextmanager
def of_address(address: str, keys: Keys) -> Iterator[Client]:
    """Go to a scheduler that is there already.

    Raises:
        SviError: nobody answers there, or nobody who speaks as we do.
    """
    protected = security(address, keys)
    from distributed import Client

    try:
        client = Client(address, security=protected, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise gone(address, str(error)) from error
    with client:
        yield client


def gone(address: str, why: str = "") -> SviError:
    """Return the error of a scheduler that does not answer."""
    said = f" ({why.splitlines()[0][:200]})" if why else ""
    return SviError(
        "no-scheduler",
        f"The scheduler at {address} does not answer{said}. Finished segments are kept.",
        f"Start it (dask scheduler) and its workers (svi-install worker --scheduler {address}), then run this again.",
    )


def all_cards() -> tuple[int, ...]:
    """Return the numbers of all cards.

    Raises:
        SviError: no driver answers.
    """
    found = tuple(range(len(hardware.find_cards())))
    if not found:
        raise SviError(
            "no-card",
            "No NVIDIA card was found on this computer (nvidia-smi does not answer). Nothing was started.",
            "Leave --cards out, or name the cards: --cards 0,1",
        )
    return found


def check_cards(cards: Sequence[int]) -> None:
    """Make sure that cards are there, where a driver can tell.

    Raises:
        SviError: one is not.
    """
    there = len(hardware.find_cards())
    wrong = [number for number in cards if there and number >= there]
    if wrong:
        raise SviError(
            "no-card",
            f"There is no card {wrong[0]}: this computer has {there}, counted from 0. Nothing was started.",
            f"Name others: --cards {','.join(map(str, range(there)))}",
        )


def environment(
    wangp: WanGP,
    folder: Path,
    name: str,
    *,
    card: int | None = None,
    patience: float | None = None,
    shared: Path | None = None,
) -> dict[str, str]:
    """Return the environment variables that make a process a worker.

    Args:
        patience: seconds that its WanGP may say nothing, None for the usual.
        shared: a folder in which several workers keep finished clips, None where there is none.
    """
    chosen = {} if card is None else {"CUDA_VISIBLE_DEVICES": str(card), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    if shared is not None:
        chosen[work.SHARED] = str(shared)
    return {
        work.WANGP: str(wangp.root),
        work.PYTHON: str(wangp.python),
        work.FOLDER: str(folder),
        work.NAME: name,
        work.PATIENCE: str(MOST_SILENT if patience is None else patience),
        **chosen,
    }


def _settings() -> Mapping[str, Any]:
    return {"distributed.scheduler.worker-ttl": SILENCE, "distributed.comm.timeouts.connect": "20s"}


def _port(address: str) -> int | None:
    try:
        return urlsplit(address).port
    except ValueError:
        return None


def dashboard(client: Client) -> str:
    """Return the address of Dask's page, empty where there is none."""
    return str(client.dashboard_link or "")
