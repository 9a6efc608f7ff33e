"""The command `drift`: options in, one call, result out."""

from __future__ import annotations

from pathlib import Path

import click

from ..report.result import Result
from .app import output_options
from .progress import progress

FILE = click.Path(path_type=Path)


def _goals(ctx: click.Context, param: click.Parameter, words: tuple[str, ...]) -> dict[int, Path]:
    """Read clips and the images that they were to end on, such as 3:bridge.png."""
    found = {}
    for word in words:
        number, _, name = word.partition(":")
        if not (number.isascii() and number.isdigit() and 0 < len(number) <= 6 and int(number) and name):
            raise click.BadParameter(f"{word!r} is not a clip and its image, such as 3:bridge.png", ctx, param)
        found[int(number)] = Path(name)
    return found


@click.command()
@click.argument("videos", nargs=-1, required=True, type=FILE, metavar="VIDEO...")
@click.option("--reference", type=FILE, metavar="IMAGE", help="Compare with this picture instead of the first frame.")
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Also write a page with curves and pictures."
)
@click.option(
    "--clip-frames",
    type=click.IntRange(min=2),
    metavar="N",
    help="Frames per clip, when the video does not say and its seams cannot be seen.",
)
@click.option(
    "--goal",
    "goals",
    multiple=True,
    callback=_goals,
    metavar="CLIP:IMAGE",
    help="The image that this clip was to end on; can be repeated. A film beside its folder knows it by itself.",
)
@output_options
def drift(
    videos: tuple[Path, ...],
    *,
    reference: Path | None,
    html: Path | None,
    clip_frames: int | None,
    goals: dict[int, Path],
) -> Result:
    """Say what a long video loses from clip to clip, where, and what to do.

    Any video will do. Give several to see which of them drifts less.
    """
    from ..commands.drift import drift as run

    with progress() as told:
        result = run(videos, reference=reference, html=html, clip_frames=clip_frames, goals=goals, progress=told)
    return result._replace(answer=html is None)
