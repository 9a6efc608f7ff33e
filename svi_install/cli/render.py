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
    "-o", "--output", "target", type=FILE, metavar="FILM.mp4", help="The film to write; beside the source by default."
)
@click.option("--variant", metavar="NAME", help="shot (the default), 2.0, film, tom, wan22, pro, or a profile's name.")
@click.option("--seconds", type=click.FloatRange(min=0.1), help="Length of each prompt; one clip by default.")
@click.option("--seed", type=click.IntRange(0), help="Seed of the first clip; each further clip adds 42.")
@click.option("--steps", type=click.IntRange(1), help="Denoising steps.")
@click.option("--resolution", metavar="WxH", help="Such as 832x480.")
@click.option("--clip-frames", type=click.IntRange(9), help="Frames per clip; SVI was trained on 81.")
@click.option("--negative", "negative_prompt", metavar="TEXT", help="What should not be in the picture.")
@click.option("--lora", "loras", multiple=True, metavar="NAME[:STRENGTH]", help="A further LoRA; may be repeated.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A WanGP setting; may be repeated.")
@click.option("--quality", type=click.Choice(QUALITIES), help="A quantized model, and WanGP's options for this card.")
@click.option("--profile", type=float, metavar="N", help="WanGP's memory profile.")
@click.option(
    "--redo",
    multiple=True,
    type=int,
    metavar="N",
    help="Make segment N again with another seed, and what follows from it.",
)
@click.option("--from", "start", type=int, metavar="N", help="Make segment N and everything after it again.")
@click.option("--preview", is_flag=True, help="After each segment, join what there is so far.")
@click.option("--lint", "mode", flag_value="lint", help="Check the story; render nothing.")
@click.option("--dry-run", "mode", flag_value="dry", help="Write the WanGP settings; render nothing.")
@click.option("--wangp", type=FILE, metavar="PATH", help="WanGP's folder.")
@click.option("--python", type=FILE, metavar="FILE", help="WanGP's Python.")
@yes_option
@output_options
def render(mode: str | None, wangp: Path | None, *, yes: bool, **values: Any) -> Result:
    """Render a film of any length from one image.

    Prompts stand between |, one per line in a text file (# for remarks), or as FramePack writes them: [3s: jumping].
    A story file has image, defaults and shots. Every finished segment stays: the same command goes on where it was.
    """
    from ..commands import render as run
    from ..report.download_progress import download_progress
    from ..report.film_progress import printer
    from ..storyboard.request import Request

    to: Output = click.get_current_context().obj
    how = run.How(**{name: values.pop(name) for name in ("quality", "profile", "redo", "start", "preview", "python")})
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
