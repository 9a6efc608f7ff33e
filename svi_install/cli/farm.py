"""The options of films on several cards, and the command `worker`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from ..report.output import Output, say
from .app import output_options, path_argument
from .dispatch import checkout_root

if TYPE_CHECKING:
    from ..storyboard.farm.cluster import Keys, Wish

F = TypeVar("F", bound=Callable[..., Any])
FILE = click.Path(path_type=Path)
_KEYS = ("tls_ca", "tls_cert", "tls_key", "insecure")


def _cards(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...] | str | None:
    if value is None or value == "all":
        return value
    words = [word.strip() for word in value.split(",")]
    if not all(word.isdigit() for word in words):
        raise click.BadParameter(f"{value!r} is neither all nor numbers of cards such as 0,1", ctx, param)
    return tuple(dict.fromkeys(map(int, words)))


def key_options(function: F) -> F:
    """Add what Dask needs for encryption."""
    for name, text in (
        ("--tls-ca", "Certificate of the authority that signed the cluster's certificates."),
        ("--tls-cert", "Own certificate for the cluster."),
        ("--tls-key", "Own private key for the cluster."),
    ):
        function = click.option(name, type=FILE, metavar="FILE", help=text)(function)
    text = "Go to a scheduler over the network without encryption."
    return click.option("--insecure", is_flag=True, help=text)(function)


def farm_options(function: F) -> F:
    """Add what `render` has for several cards."""
    function = click.option("--on", metavar="ADDRESS", help="Render on a Dask cluster: tcp://HOST:8786.")(
        key_options(function)
    )
    return click.option(
        "--cards", callback=_cards, metavar="all|0,1", help="Render on several cards of this computer at once."
    )(function)


def wish_of(values: dict[str, Any]) -> Wish | None:
    """Take the options of `farm_options` out of those of a command; None where none was given.

    Raises:
        SviError: there is no such card.
    """
    cards, on = values.pop("cards"), values.pop("on")
    keys = _keys(values)
    if cards is None and on is None:
        return None
    from ..storyboard.farm import cluster, needs

    if cards is not None and on is not None:
        raise click.UsageError("--cards is about this computer and --on about a cluster; give one of them.")
    needs.check()
    if on is not None:
        cluster.security(on, keys)
        return cluster.Wish(address=on, keys=keys)
    chosen = cluster.all_cards() if cards == "all" else cards
    cluster.check_cards(chosen)
    return cluster.Wish(cards=chosen)


def _keys(values: dict[str, Any]) -> Keys:
    from ..storyboard.farm.cluster import Keys

    return Keys(*(values.pop(name) for name in _KEYS))


@click.command()
@path_argument
@click.option("--scheduler", "address", required=True, metavar="ADDRESS", help="The cluster's: tcp://HOST:8786.")
@click.option("--wangp", type=FILE, metavar="PATH", help="WanGP's folder; the same as PATH.")
@click.option(
    "--card", type=click.IntRange(0), metavar="N", help="Number of the card to work with; the first one by default."
)
@click.option("--name", help="How others see this worker.")
@click.option("--folder", type=FILE, help="Where to keep what is made here.")
@click.option(
    "--shared", type=FILE, metavar="FOLDER", help="A folder that all workers see: what one has made, none makes again."
)
@click.option("--python", type=FILE, metavar="FILE", help="WanGP's Python.")
@click.option(
    "--patience",
    type=click.FloatRange(0.01),
    metavar="MINUTES",
    help="End a WanGP that says nothing for so long (30), and give its clip to another worker.",
)
@key_options
@output_options
def worker(path: Path | None, wangp: Path | None, address: str, **values: Any) -> NoReturn:
    """Make clips for the films of a Dask cluster with this computer's WanGP.

    Start the cluster with `dask scheduler`, one worker for each card with this command, and films with
    `svi-install render story.yaml --on ADDRESS`.
    """
    from ..commands.worker import worker as run

    to: Output = click.get_current_context().obj
    keys = _keys(values)
    run(checkout_root(wangp or path, to), address, keys, say=lambda text: say(text, to), **values)
