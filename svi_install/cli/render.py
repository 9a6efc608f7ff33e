"""The command `render`: options in, one call, result out."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..report.output import Output, say
from ..report.result import Result
from .app import output_options, yes_option
from .dispatch import checkout_root
from .farm import farm_options, wish_of
from .headings import HeadedCommand, under
from .prompts import confirmed

FILE = click.Path(path_type=Path)
QUALITIES = ("auto", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0")
# Options that decide how a film is made, not what is in it.
HOW = ("quality", "profile", "redo", "picks", "start", "preview", "anchor", "python")


def _picks(ctx: click.Context, param: click.Parameter, words: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Read segments and takes of them, such as 4:2."""
    found = [re.fullmatch(r"(\d{1,6}):(\d{1,6})", word) for word in words]
    for word, match in zip(words, found, strict=True):
        if match is None:
            raise click.BadParameter(f"{word!r} is not a segment and a take of it, such as 4:2", ctx, param)
    return tuple((int(match[1]), int(match[2])) for match in found if match)


def _schema(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted:
        from ..storyboard.script import schema

        click.echo(schema.FILE.read_text("utf-8"), nl=False)
        ctx.exit()


@click.command(cls=HeadedCommand)
@click.argument(
    "source", metavar="IMAGE|VIDEO|STORY.yaml", type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.argument("more", nargs=-1, metavar='["PROMPT | PROMPT"|PROMPTS.txt|STORY.yaml ...]')
@under(
    "The film",
    click.option(
        "-o",
        "--output",
        "target",
        type=FILE,
        metavar="FILM.mp4",
        help="Where to write the film; next to the source by default. For several stories, a folder.",
    ),
    click.option("--variant", metavar="NAME", help="fast, shot, 2.0, film, tom, wan22, pro, or a profile's name."),
    click.option(
        "--seconds", type=click.FloatRange(0.1), metavar="N", help="Length of each prompt; one clip by default."
    ),
    click.option(
        "--seed",
        type=click.IntRange(0),
        metavar="N",
        help="Seed of the first clip of a scene; each later clip adds 42.",
    ),
    click.option("--steps", type=click.IntRange(1), metavar="N", help="Denoising steps."),
    click.option("--resolution", metavar="WxH", help="Such as 832x480."),
    click.option("--clip-frames", type=click.IntRange(9), metavar="N", help="Frames per clip; SVI was trained on 81."),
    click.option("--style", metavar="TEXT", help="What every prompt begins with."),
    click.option("--negative", "negative_prompt", metavar="TEXT", help="Negative prompt: what should not appear."),
    click.option("--end", type=FILE, metavar="IMAGE", help="End the film on this image; Wan 2.2 only."),
    click.option("--loop", is_flag=True, help="End the film on the image that it begins with; Wan 2.2 only."),
    click.option(
        "--lora", "loras", multiple=True, metavar="NAME[:STRENGTH]", help="An additional LoRA; can be repeated."
    ),
    click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A WanGP setting; can be repeated."),
)
@under(
    "Look before rendering",
    click.option("--lint", "mode", flag_value="lint", help="Check the story; render nothing."),
    click.option("--dry-run", "mode", flag_value="dry", help="Write the film as WanGP settings; render nothing."),
    click.option(
        "--schema",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_schema,
        help="Print the JSON schema of story files, for editors, and exit.",
    ),
)
@under(
    "Change and improve",
    click.option(
        "--redo",
        multiple=True,
        type=int,
        metavar="N",
        help="Make another take of segment N, with a new seed, and everything that follows from it.",
    ),
    click.option("--from", "start", type=int, metavar="N", help="Make segment N and everything after it again."),
    click.option("--takes", type=click.IntRange(1, 99), metavar="N", help="Make N takes of each clip before going on."),
    click.option(
        "--pick",
        "picks",
        multiple=True,
        callback=_picks,
        metavar="N:TAKE",
        help="Put this take of segment N in the film; can be repeated.",
    ),
    click.option("--preview", is_flag=True, help="Join what is finished after each segment."),
    click.option(
        "--watch",
        is_flag=True,
        help="Measure each clip before the next one starts; one that is bad is made again with a new seed, at most "
        "--takes times (3), and the best is kept.",
    ),
    click.option(
        "--anchor-colour",
        "anchor",
        is_flag=True,
        help="Where the colour drifts from clip to clip, bring each clip back to clip 1 before the next one starts.",
    ),
)
@under(
    "A file to publish",
    click.option(
        "--fps",
        type=click.Choice(("24", "30", "60")),
        callback=lambda context, option, value: value and int(value),
        help="Also make a file to publish with that many frames a second, by WanGP's RIFE or ffmpeg.",
    ),
    click.option("--scale", metavar="SIZE", help="Size of the file to publish: 2x, 1080p or 1280x720."),
    click.option(
        "--audio", type=FILE, metavar="MUSIC", help="Music for the file to publish, cut or repeated, and faded."
    ),
)
@under(
    "WanGP and its model",
    click.option("--wangp", type=FILE, metavar="PATH", help="WanGP's folder."),
    click.option("--python", type=FILE, metavar="FILE", help="WanGP's Python."),
    click.option(
        "--quality",
        type=click.Choice(QUALITIES),
        help="Use a quantized model, with WanGP's options chosen for this card.",
    ),
    click.option("--profile", type=float, metavar="N", help="WanGP's memory profile."),
)
@under("Several cards and machines", farm_options)
@yes_option
@output_options
def render(
    mode: str | None, wangp: Path | None, source: Path, more: tuple[str, ...], *, yes: bool, watch: bool, **values: Any
) -> Result:
    """Render a film of any length from one image.

    Separate prompts with |, put one on each line of a text file (# starts a comment), or write them as for FramePack:
    [3s: jumping]. A story file has image, defaults and shots. Finished segments are kept: run the same command again
    to continue. With a VIDEO and prompts the film goes on from that video; a film that render has made, without
    prompts, is rendered again from the story in it. Several story files become a film each.
    """
    from ..commands import films
    from ..commands import render as run
    from ..report.download_progress import download_progress
    from ..report.film_progress import printer, publishing
    from ..report.worker_lines import worker_lines
    from ..storyboard.film.model_choice import RenderOptions
    from ..storyboard.film.request import Request
    from ..storyboard.film.watch import USUAL as WATCHED

    context = click.get_current_context()
    to: Output = context.obj
    stories = _stories(source, more)
    if len(stories) > 1 and (values["redo"] or values["picks"] or values["start"] is not None):
        raise click.UsageError("--redo, --pick and --from name segments of one film; render that story alone.")
    wish = wish_of(values)
    if wish is not None and (watch or values["anchor"]):
        name = "--watch" if watch else "--anchor-colour"
        raise click.UsageError(f"{name} measures each clip before the next one starts, so it works on one card only.")
    if watch and values["preview"]:
        raise click.UsageError("--preview cannot be combined with --watch: takes change while the film is made.")
    how = RenderOptions(
        **{name: values.pop(name) for name in HOW},
        # With --watch it is the most, not how many there are to be.
        watch=(values.pop("takes") or WATCHED) if watch else None,
    )
    if watch:
        values["takes"] = None
    if wish is not None:
        to = context.with_resource(worker_lines(to))
    request = Request(source, more[0] if len(stories) == 1 and more else None, **values)
    root = checkout_root(wangp, to, "svi-install render IMAGE --wangp PATH")

    def agree(question: str) -> bool:
        return yes or confirmed(question, to, usual=False)

    telling = films.Telling(
        printer(to), lambda: download_progress(to), publishing(to), lambda text: say(text, to), agree
    )
    if len(stories) > 1:
        requests = [replace(request, source=each) for each in stories]
        requests = list(films.placed(requests, request.target))
        if mode == "lint":
            return films.each(requests, lambda each: run.check(root, each, how), "can be rendered")._replace(
                answer=True
            )
        if mode == "dry":
            return films.each(requests, lambda each: run.dry_run(root, each, agree), "are written as settings")
        if wish is not None:
            return films.side_by_side(root, requests, how, telling, wish)
        return films.one_by_one(root, requests, how, telling)
    if mode == "lint":
        return run.check(root, request, how)._replace(answer=True)
    if mode == "dry":
        return run.dry_run(root, request, agree)
    return run.render(root, request, how, wish=wish, **vars(telling))


def _stories(source: Path, more: tuple[str, ...]) -> list[Path]:
    """Tell several story files from a source and its prompts."""
    from ..storyboard.film.request import STORIES

    further = [Path(word) for word in more]
    if not more or source.suffix.lower() not in STORIES or further[0].suffix.lower() not in STORIES:
        if len(more) > 1:
            raise click.UsageError(
                f"{more[1]!r} is one word too many. Put all prompts between one pair of quotes, with | between them; "
                "or name several story files (.yaml)."
            )
        return [source]
    for path in further:
        if path.suffix.lower() not in STORIES or not path.is_file():
            why = "does not exist" if path.suffix.lower() in STORIES else "is no story file (.yaml)"
            raise click.UsageError(f"{path} {why}. Nothing was started.")
    return [source, *further]
