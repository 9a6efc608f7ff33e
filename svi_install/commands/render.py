"""``render``: from one image and a few lines to a film, with the person's own WanGP."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ..checkout.inspection import inspect
from ..drift import needs
from ..errors import EXIT_FAILED, EXIT_INTERRUPTED, SviError, counted
from ..loras.transfer.progress import Report as DownloadReport
from ..loras.transfer.progress import no_report
from ..report.result import Line, Result
from ..storyboard.archive import decided, store
from ..storyboard.archive.store import Takes
from ..storyboard.farm import cluster, filming
from ..storyboard.film import budget, damage, film, making, model_choice, picking, watch
from ..storyboard.film.lint import Finding, lint
from ..storyboard.film.model_choice import RenderOptions
from ..storyboard.film.request import Request, story_of, target_of
from ..storyboard.film.shrinking import Shrinking
from ..storyboard.finish import continuation, delivery, finishing, preview, publish
from ..storyboard.headless import runner, task
from ..storyboard.headless.wangp import WanGP, find, has_fields
from ..storyboard.media import ffmpeg
from ..storyboard.script.segments import Segment, film_frames, seconds
from ..storyboard.script.story import Story, usage
from ..storyboard.script.variants import Variant, variant_of
from ..storyboard.sheet import sheet
from . import render_cost, render_result, rendering

Agree = Callable[[str], bool]
DOUBT = (
    "WanGP once failed to find a file while this film was being made, and an earlier svi-install kept such clips. "
    "Check that its image is in all of them; --from 1 makes them again."
)
_STYLES = {"error": "red", "warning": "yellow", "note": ""}


def check(root: Path, request: Request, how: RenderOptions | None = None) -> Result:
    """Look at a story without rendering anything.

    Args:
        how: as it is to be rendered, which decides how long that takes.

    Returns:
        The shots with their lengths and what was found; exit code 1 when it cannot be rendered.

    Raises:
        SviError: the story cannot be read.
    """
    wanted = _wanted(request, root, how)
    story, planned, beginning = wanted.story, wanted.film, wanted.beginning
    needed = render_cost.disk(planned, root)
    found = (*lint(story, planned, root, needed), *(Finding("note", each) for each in wanted.decisions))
    try:
        delivery.look(planned.target, planned.store)
    except SviError as error:
        found = (Finding("error", error.message), *found)
    try:
        wish = publish.wish_of(story)
        if wish:
            publish.look(planned, wish, rendering.shown_size(beginning))
    except SviError as error:
        found = (Finding("error", error.message), *found)
    errors = sum(finding.level == "error" for finding in found)
    head = render_result.summary(planned)
    return Result(
        "render",
        "done",
        f"{head}: cannot be rendered yet; {errors} problem{'s' if errors > 1 else ''} to fix."
        if errors
        else f"{head}.",
        body=(*_shots(story, planned), *_lines(found)),
        checkout=inspect(root),
        notes=(*render_cost.words(planned, needed), *(() if beginning is None else (beginning.sentence(),))),
        extra=render_result.facts(planned, findings=[{"level": each.level, "text": each.text} for each in found]),
        exit_code=EXIT_FAILED if errors else 0,
    )


def dry_run(root: Path, request: Request, agree: Agree = lambda question: False) -> Result:
    """Write the film as WanGP settings and render nothing.

    Args:
        agree: asks a person whether a file that is not the film's own may be replaced.

    Raises:
        SviError: the story cannot be read or rendered.
    """
    story, variant, planned, _, beginning = _wanted(request, root)
    if beginning is not None:
        raise usage(
            "--dry-run writes settings for films that begin at an image, not for one that goes on from a video. "
            "Nothing was started.",
            "--lint",
        )
    _refuse(lint(story, planned, root))
    delivery.look(planned.target, planned.store)
    path = planned.target.with_suffix(".json")
    if not delivery.is_settings(path) and not agree(f"{path} already exists and is not part of this film. Replace it?"):
        raise delivery.refusal(path)
    settings = task.film_settings(planned.segments, story, variant)
    tasks = [dict(planned.tasks[each.number]) for each in planned.segments]
    if has_fields(root):
        settings, *tasks = (task.with_fields(each, variant.architecture) for each in (settings, *tasks))
    store.write_json(path, settings)
    notes = ["In WanGP, load these settings from the file and press Generate: it makes the whole film in one go."]
    if len({segment.scene for segment in planned.segments}) > 1:
        notes.append("WanGP cannot cut to another image within a video; its settings hold the first scene's.")
    return Result(
        "render",
        "done",
        f"{render_result.summary(planned)}. Wrote {path}; nothing was rendered.",
        body=_shots(story, planned),
        notes=(*notes, *task.left_out(settings, planned.segments)),
        extra=render_result.facts(planned, settings=str(path), tasks=tasks),
    )


class Ready(NamedTuple):
    """A film whose clips can be made: all is checked, chosen and fetched, and its folder is locked.

    Args:
        wanted: the film, and what was decided for the person.
        wangp: that makes it.
        program: ffmpeg.
        shrinking: model and options, and what makes the clips on one card.
        page: its contact sheet.
        after: is called with each finished clip.
        tell: is told how far it is.
        further: the file to publish, None where none is wanted.
        target: the film's own name.
        mended: segments that are made again because they were damaged.
        steer: decides after each clip how the film goes on, None to go on as planned.
        anew: plans the film again.
    """

    wanted: _Wanted
    wangp: WanGP
    program: Path
    shrinking: Shrinking
    page: sheet.Sheet
    after: making.After
    tell: film.Report
    further: delivery.Target | None
    target: delivery.Target
    mended: tuple[tuple[Segment, str], ...]
    steer: making.Steer | None
    anew: Callable[[], film.Film]

    def part(self, finished: Callable[[filming.Part], None] = lambda part: None, name: str = "") -> filming.Part:
        """The film as one that is made on several cards; see `filming.Part`."""
        choice = self.shrinking.choice
        return filming.Part(self.wanted.film, choice, self.program, self.tell, self.after, finished, name)

    def make(self) -> tuple[film.Clip, ...]:
        """Make its clips on one card."""
        further = {"steer": self.steer} if self.steer else {}
        return self.shrinking.make(self.wanted.film, self.program, self.tell, after=self.after, **further)


def render(
    root: Path,
    request: Request,
    how: RenderOptions,
    *,
    report: film.Report = lambda progress: None,
    downloads: Callable[[], AbstractContextManager[DownloadReport]] = lambda: nullcontext(no_report),
    publishing: publish.Report = lambda done, total: None,
    say: Callable[[str], None] = lambda text: None,
    agree: Agree = lambda question: False,
    wish: cluster.Wish | None = None,
    kept: runner.Kept | None = None,
) -> Result:
    """Render a film, or go on with one.

    Args:
        report: is told how far it is.
        downloads: gives what takes the progress of downloads while they run.
        publishing: is told how far the file to publish is.
        say: prints a line before the work begins.
        agree: asks a person whether a file that is not the film's own may be replaced.
        wish: on which cards or cluster, None for the one card that WanGP takes.
        kept: a WanGP that stays loaded for the next film, None to end it after this one.

    Raises:
        SviError: it could not be rendered; finished segments stay.
    """
    with prepared(root, request, how, report=report, downloads=downloads, say=say, agree=agree, kept=kept) as ready:
        make = ready.make
        if wish is not None:
            make = partial(filming.alone, ready.part(), wish, ready.wangp, say)
        made = _made(ready.wanted.film, make)
        return finish(ready, made, publishing)


@contextlib.contextmanager
def prepared(
    root: Path,
    request: Request,
    how: RenderOptions,
    *,
    report: film.Report,
    downloads: Callable[[], AbstractContextManager[DownloadReport]],
    say: Callable[[str], None],
    agree: Agree,
    kept: runner.Kept | None = None,
) -> Iterator[Ready]:
    """Check, choose and fetch all that a film needs, and keep its folder locked; see `render`.

    Raises:
        SviError: it cannot be rendered.
    """
    if how.watch or how.anchor:
        needs.check()
    wangp = find(root, how.python)
    program = ffmpeg.find(wangp.root, wangp.python)
    wanted = _wanted(request, root, how)
    story, variant, planned, decisions, beginning = wanted
    publishes = publish.wish_of(story)
    target = _free(delivery.look(planned.target, planned.store), agree)
    further = _free(publish.look(planned, publishes, rendering.shown_size(beginning)), agree) if publishes else None
    with planned.store.locked():
        chosen = model_choice.choose(wangp, variant, how, planned.store)
        chosen = replace(chosen, notes=(*decisions, *chosen.notes))

        def anew(takes: Mapping[str, Takes] | None = None) -> film.Film:
            model = model_choice.key_model(how, variant)
            return film.plan(story, variant, planned.target, model, takes, anchored=how.anchor)

        planned = anew()
        found = lint(story, planned, wangp.root, budget.disk(planned, program))
        _refuse(found)
        picked = [number for number, _ in how.picks]
        rendering.check_numbers(planned, (*how.redo, *picked, *(() if how.start is None else (how.start,))))
        if film.take_over(planned):
            planned = anew()
        planned = picking.choose(planned, how.picks, how.redo, anew, say)
        if how.start is not None:
            film.forget(planned, range(how.start, len(planned.segments) + 1))
        shrinking = Shrinking(wangp, chosen, how.quality, downloads, say, kept)
        if making.doubtful(planned, shrinking.job(planned)):
            shrinking.choice = chosen = replace(chosen, notes=(*chosen.notes, DOUBT))
        mended = damage.damaged(planned, program)
        film.forget(planned, [segment.number for segment, _ in mended])
        model_choice.fetch_missing(wangp, planned, chosen, downloads)
        _announce(planned, (*found, *(Finding("note", each) for each in chosen.notes)), mended, say)
        page = sheet.Sheet(planned, program)
        show = rendering.showing(page, preview.Preview(planned, program) if how.preview else None)

        def tell(progress: film.Progress) -> None:
            report(replace(progress, sheet=sheet.path_of(planned.store)))

        decided.remember(planned.store, story, str(planned.tasks[1]["resolution"]))
        steer = rendering.steering(watch.Watch(planned, how.watch, anew, say), page) if how.watch else None
        ours = (wangp, program, shrinking, page, show, tell, further, target, mended, steer, anew)
        yield Ready(wanted._replace(film=planned), *ours)


def finish(ready: Ready, made: Sequence[film.Clip], publishing: publish.Report) -> Result:
    """Give a film whose clips are there its name, and make the file to publish.

    Raises:
        SviError: ffmpeg failed, or the disk refuses.
    """
    story, _, planned, _, beginning = ready.wanted
    wangp, program, publishes, further = ready.wangp, ready.program, publish.wish_of(story), ready.further
    planned = ready.anew() if ready.steer else planned
    whole = finishing.finish(planned, ready.target, program, wangp, beginning=beginning, report=publishing)
    planned.store.write("joined", segments=len(planned.segments))
    with contextlib.suppress(OSError):
        # It may be open in a player, and is of no more use beside the film.
        preview.path_of(planned.store).unlink(missing_ok=True)
    ready.page.complete()
    published = publish.bring(planned, publishes, further, program, wangp, report=publishing) if further else None
    numbers = sorted({clip.segment.number for clip in made})
    result = render_result.result(planned, wangp, ready.shrinking.choice, numbers, ready.mended)
    result = result if whole is None else render_result.told(result, whole.sentence(), key="video", facts=whole.facts())
    if published is None:
        return result
    return render_result.told(
        result, *published.sentences(publishes), key="published", facts=published.facts(publishes)
    )


def _free(target: delivery.Target, agree: Agree) -> delivery.Target:
    if not target.own and not agree(f"{target.path} already exists and is not part of this film. Replace it?"):
        raise delivery.refusal(target.path)
    return target


class _Wanted(NamedTuple):
    """What is to be made, what was decided for the person on the way, and the video that it goes on from."""

    story: Story
    variant: Variant
    film: film.Film
    decisions: tuple[str, ...]
    beginning: continuation.Beginning | None


def _wanted(request: Request, root: Path, how: RenderOptions | None = None) -> _Wanted:
    how = how or RenderOptions()
    story, target = story_of(request), target_of(request)
    begun = decided.begun_with(film.store_of(target))
    fits = model_choice.fitting(how, two_experts=variant_of(story.variant).architecture != "i2v")
    story, decisions = decided.decide(story, begun, None if fits is None else fits.resolution)
    variant = variant_of(story.variant)
    beginning = None
    if story.video is not None:
        # Before anything is put into the film's folder.
        delivery.look(target, film.store_of(target))
        program = ffmpeg.find(root, Path(sys.executable))
        beginning = continuation.begin(program, story, variant, target, film.store_of(target))
        story = beginning.told(story)
    rendering.check_anchor(how.anchor, variant)
    planned = film.plan(story, variant, target, model_choice.key_model(how, variant), anchored=how.anchor)
    return _Wanted(story, variant, planned, decisions, beginning)


def _made(planned: film.Film, make: Callable[[], tuple[film.Clip, ...]]) -> tuple[film.Clip, ...]:
    try:
        return make()
    except KeyboardInterrupt as stop:
        left = len(planned.missing())
        raise SviError(
            "interrupted",
            f"Stopped. {len(planned.segments) - left} of {len(planned.segments)} segments are finished and kept.",
            "Run the same command again to continue with the first missing one.",
            EXIT_INTERRUPTED,
        ) from stop


def _announce(
    planned: film.Film, found: Iterable[Finding], mended: Iterable[tuple[Segment, str]], say: Callable[[str], None]
) -> None:
    say(f"{render_result.summary(planned)}. {_left(planned)} still to make.")
    for finding in found:
        say(f"  {finding.level}: {finding.text}")
    for segment, why in mended:
        say(f"  segment {segment.number} is damaged and will be made again: {why}.")


def _refuse(found: Iterable[Finding]) -> None:
    errors = [finding.text for finding in found if finding.level == "error"]
    if errors:
        text = "\n".join(f"  {error}" for error in errors)
        raise SviError(
            "story",
            f"This story cannot be rendered yet. Nothing was started.\n{text}",
            "Fix the story, then run the same command again.",
        )


def _left(planned: film.Film) -> str:
    missing, clips = len(planned.missing()), len(planned.lacking())
    further = f" ({clips} clips with their takes)" if clips > missing else ""
    return f"{missing} of {len(planned.segments)} segments{further}"


def _shots(story: Story, planned: film.Film) -> tuple[Line, ...]:
    lines: list[Line] = []
    for number, shot in enumerate(story.shots, 1):
        own = tuple(segment for segment in planned.segments if segment.shot == number)
        frames = film_frames(own, planned.variant.overlap)
        cut = "cut, " if own[0].begins and number > 1 else ""
        # Clips share frames, so the film has fewer than they have together.
        made = f"{counted(len(own), 'clip')} of {own[0].frames} frames, {frames} in the film"
        size = f"{cut}{made}, {seconds(frames):.1f} s, seed {own[0].seed}"
        lines.append(((f"{number:4}  ", ""), (size, "cyan"), (f"  {shot.prompt}", "")))
    return tuple(lines)


def _lines(found: Iterable[Finding]) -> tuple[Line, ...]:
    return tuple(((f"{each.level}: ", _STYLES[each.level]), (each.text, "")) for each in found)
