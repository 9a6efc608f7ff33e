"""The commands about WanGP's history, `check` and `repair-patches`: options in, one call, result out."""

from __future__ import annotations

from pathlib import Path

import click

from ..report.result import Result
from .app import output_options
from .progress import progress

source_argument = click.argument("source", required=False, metavar="[GIT_URL|DIR]")
patches_option = click.option(
    "--patches",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Use the patch set in this folder instead of the package's own.",
)


@click.command()
@source_argument
@click.option("--since", metavar="VERSION", help="Start at this release instead of the oldest known one.")
@click.option("--rev", metavar="REV", help="Judge this commit, tag or branch alone.")
@click.option("--all-commits", is_flag=True, help="Judge every commit of the main line, not one per release.")
@click.option(
    "--frozen-at", metavar="VERSION", help="Use only what was known at this release, on everything that came later."
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Also write a web page to this file.")
@click.option(
    "--compat", type=click.Path(dir_okay=False, path_type=Path), help="Also write the compat file for --online."
)
@patches_option
@output_options
def check(
    source: str | None,
    *,
    since: str | None,
    rev: str | None,
    all_commits: bool,
    frozen_at: str | None,
    html: Path | None,
    compat: Path | None,
    patches: Path | None,
) -> Result:
    """Say for every release of WanGP whether it can be patched, and how.

    Reads a git clone of WanGP or fetches one. Exit code 0 only if everything in range can be patched, else 4.
    """
    from ..commands.check import check as run

    if rev and (since or all_commits or frozen_at):
        raise click.UsageError("--rev cannot be combined with --since, --all-commits or --frozen-at.")
    if frozen_at and since:
        raise click.UsageError("--frozen-at starts at its own release; leave --since out.")
    with progress() as told:
        return run(
            source,
            since=since,
            revision=rev,
            all_commits=all_commits,
            frozen_at=frozen_at,
            html=html,
            compat=compat,
            patches=patches,
            progress=told,
        )._replace(answer=html is None and compat is None)


@click.command("repair-patches")
@click.argument("rev")
@source_argument
@click.option(
    "--output", type=click.Path(path_type=Path), help="Write the whole candidate patch set to this new folder."
)
@patches_option
@click.option("--no-smoke", is_flag=True, help="Do not run the real WanGP with the candidate.")
@output_options
def repair_patches(
    rev: str, source: str | None, *, output: Path | None, patches: Path | None, no_smoke: bool
) -> Result:
    """Propose diffs for a WanGP that is refused, and print them for review.

    REV is a commit, tag or branch. The patch set itself is never changed.
    """
    from ..commands.repair_patches import repair_patches as run

    with progress() as told:
        result = run(source, rev, output=output, patches=patches, smoke=not no_smoke, progress=told)
    return result._replace(answer=output is None)
