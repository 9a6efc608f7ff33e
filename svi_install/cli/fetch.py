"""The command `fetch`: options in, one call, result out."""

from __future__ import annotations

import click

from ..report.output import Output, say
from ..report.result import Result
from .app import output_options, yes_option
from .dispatch import checkout_root
from .prompts import confirmed, interactive


@click.command()
@click.argument("words", nargs=-1, metavar="[NAME]... [PATH]")
@click.option("--all", "everything", is_flag=True, help="All LoRAs in the catalogue.")
@click.option(
    "--list", "mode", flag_value="list", help="List the LoRAs: size, whether you have them, which profiles use them."
)
@click.option("--verify", "mode", flag_value="verify", help="Check the LoRAs that you have: hash each file again.")
@click.option("--pin", "mode", flag_value="pin", help="For maintainers: update the catalogue from the hub.")
@click.option("--mirror", default="", metavar="URL", help="Use this mirror of huggingface.co; overrides HF_ENDPOINT.")
@click.option("--precision", type=click.Choice(["fp32", "fp16"]), default="fp32", help="fp16 files are half the size.")
@yes_option
@output_options
def fetch(
    words: tuple[str, ...], *, everything: bool, mode: str | None, mirror: str, precision: str, yes: bool
) -> Result:
    """Download LoRAs into WanGP's folders; without a NAME, the LoRA for SVI-Shot.

    An interrupted download is kept: run the same command again to continue it. HF_TOKEN, HF_ENDPOINT,
    HF_HUB_OFFLINE and the proxy variables are honoured.
    """
    from ..commands import fetch as run

    to: Output = click.get_current_context().obj
    names, path = run.split_words(words)
    if mode == "pin":
        return run.pin(names, mirror=mirror, say=lambda line: say(line, to))
    chosen = run.wanted(names, everything)
    root = checkout_root(path, to, "svi-install fetch PATH")
    if mode == "list":
        return run.listing(root, chosen, precision=precision)._replace(answer=True)
    from ..report.download_progress import download_progress

    if mode == "verify":
        with download_progress(to) as progress:
            return run.verify(root, chosen, precision=precision, report=progress)._replace(answer=True)
    text, total = run.missing(root, chosen, precision=precision)
    if text:
        say(text, to)
    if total > run.LARGE and not yes and interactive(to) and not confirmed("Download all of this?", to):
        raise click.Abort
    with download_progress(to) as progress:
        return run.fetch(root, chosen, precision=precision, mirror=mirror, report=progress)
