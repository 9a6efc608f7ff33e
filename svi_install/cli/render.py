"""The command `render`: options in, one call, result out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..report.output import Output, say
from ..report.result import Result
from .app import output_options, yes_option
from .dispatch import checkout_root
from .prompts import confirmed

FILE = click.Path(path_type=Path)
QUALITIES = ("auto", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0")


@click.command()
@click.argument("source", metavar="IMAGE|STORY.yaml", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("prompts", required=False, metavar='["PROMPT | PROMPT"|PROMPTS.txt]')
@click.option(
    "-o",
    "--output",
    "target",
    type=FILE,
    metavar="FILM.mp4",
    help="Where to write the film; next to the source by default.",
)
@click.option("--variant", metavar="NAME", help="shot (the default), 2.0, film, tom, wan22, pro, or a profile's name.")
@click.option("--seconds", type=click.FloatRange(min=0.1), help="Length of each prompt; one clip by default.")
@click.option("--seed", type=click.IntRange(0), help="Seed of the first clip; each later clip adds 42.")
@click.option("--steps", type=click.IntRange(1), help="Denoising steps.")
@click.option("--resolution", metavar="WxH", help="Such as 832x480.")
@click.option("--clip-frames", type=click.IntRange(9), help="Frames per clip; SVI was trained on 81.")
@click.option("--negative", "negative_prompt", metavar="TEXT", help="Negative prompt: what should not appear.")
@click.option("--lora", "loras", multiple=True, metavar="NAME[:STRENGTH]", help="An additional LoRA; can be repeated.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A WanGP setting; can be repeated.")
@click.option(
    "--quality", type=click.Choice(QUALITIES), help="Use a quantized model, with WanGP's options chosen for this card."
)
@click.option("--profile", type=float, metavar="N", help="WanGP's memory profile.")
@click.option(
    "--redo",
    multiple=True,
    type=int,
    metavar="N",
    help="Make segment N and everything after it again, with a new seed.",
)
@click.option("--from", "start", type=int, metavar="N", help="Make segment N and everything after it again.")
@click.option("--preview", is_flag=True, help="Join what is finished after each segment.")
@click.option("--lint", "mode", flag_value="lint", help="Check the story; render nothing.")
@click.option("--dry-run", "mode", flag_value="dry", help="Write the film as WanGP settings; render nothing.")
@click.option("--wangp", type=FILE, metavar="PATH", help="WanGP's folder.")
@click.option("--python", type=FILE, metavar="FILE", help="WanGP's Python.")
@yes_option
@output_options
def render(mode: str | None, wangp: Path | None, *, yes: bool, **values: Any) -> Result:
    """Render a film of any length from one image.

    Separate prompts with |, put one on each line of a text file (# starts a comment), or write them as for FramePack:
    [3s: jumping]. A story file has image, defaults and shots. Finished segments are kept: run the same command again
    to continue.
    """
    from ..commands import render as run
    from ..report.download_progress import download_progress
    from ..report.film_progress import printer
    from ..storyboard.model_choice import RenderOptions
    from ..storyboard.request import Request

    to: Output = click.get_current_context().obj
    how = RenderOptions(
        **{name: values.pop(name) for name in ("quality", "profile", "redo", "start", "preview", "python")}
    )
    request = Request(**values)
    root = checkout_root(wangp, to)

    def agree(question: str) -> bool:
        return yes or confirmed(question, to, usual=False)

    if mode == "lint":
        return run.check(root, request)._replace(answer=True)
    if mode == "dry":
        return run.dry_run(root, request, agree)
    return run.render(
        root,
        request,
        how,
        report=printer(to),
        downloads=lambda: download_progress(to),
        say=lambda text: say(text, to),
        agree=agree,
    )
