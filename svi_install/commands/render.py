"""``render``: from one image and a few lines to a film, with the person's own WanGP."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..checkout.inspection import inspect
from ..errors import EXIT_FAILED, EXIT_INTERRUPTED, SviError
from ..loras.progress import Report as DownloadReport
from ..loras.progress import human_size, no_report
from ..report.film_progress import span
from ..report.result import Line, Result
from ..storyboard import damage, delivery, ffmpeg, film, model_choice, runner, store, task
from ..storyboard.lint import Finding, lint
from ..storyboard.model_choice import ModelChoice, RenderOptions
from ..storyboard.request import Request, story_of, target_of
from ..storyboard.segments import Segment, film_frames, seconds
from ..storyboard.story import Story, usage
from ..storyboard.variants import Variant, variant_of
from ..storyboard.wangp import WanGP, find, has_fields

Agree = Callable[[str], bool]
CREDIT = "The clips are made by WanGP (github.com/deepbeepmeep/Wan2GP)."
DOUBT = (
    "WanGP once failed to find a file while this film was being made, and an "
    "earlier svi-install kept such clips. Check that "
    "its image is in all of them; --from 1 makes them again."
)
_STYLES = {"error": "red", "warning": "yellow", "note": ""}


def check(root: Path, request: Request) -> Result:
    """Look at a story without rendering anything.

    Returns:
        The shots with their lengths and what was found; exit code 1 when it cannot be rendered.

    Raises:
        SviError: the story cannot be read.
    """
    story, _, planned = _planned(request)
    found = lint(story, planned, root)
    try:
        delivery.look(planned.target, planned.store)
    except SviError as error:
        found = (Finding("error", error.message), *found)
    errors = sum(finding.level == "error" for finding in found)
    head = _summary(planned)
    return Result(
        "render",
        "done",
        f"{head}: cannot be rendered yet; {errors} problem{'s' if errors > 1 else ''} to fix."
        if errors
        else f"{head}.",
        body=(*_shots(story, planned), *_lines(found)),
        checkout=inspect(root),
        notes=_estimate(planned),
        extra=_facts(planned, findings=[{"level": each.level, "text": each.text} for each in found]),
        exit_code=EXIT_FAILED if errors else 0,
    )


def dry_run(root: Path, request: Request, agree: Agree = lambda question: False) -> Result:
    """Write the film as WanGP settings and render nothing.

    Args:
        agree: asks a person whether a file that is not the film's own may be replaced.

    Raises:
        SviError: the story cannot be read or rendered.
    """
    story, variant, planned = _planned(request)
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
        f"{_summary(planned)}. Wrote {path}; nothing was rendered.",
        body=_shots(story, planned),
        notes=tuple(notes),
        extra=_facts(planned, settings=str(path), tasks=tasks),
    )


def render(
    root: Path,
    request: Request,
    how: RenderOptions,
    *,
    report: film.Report = lambda progress: None,
    downloads: Callable[[], AbstractContextManager[DownloadReport]] = lambda: nullcontext(no_report),
    say: Callable[[str], None] = lambda text: None,
    agree: Agree = lambda question: False,
) -> Result:
    """Render a film, or go on with one.

    Args:
        report: is told how far it is.
        downloads: gives what takes the progress of downloads while they run.
        say: prints a line before the work begins.
        agree: asks a person whether a file that is not the film's own may be replaced.

    Raises:
        SviError: it could not be rendered; finished segments stay.
    """
    wangp = find(root, how.python)
    program = ffmpeg.find(wangp.root, wangp.python)
    story, variant, planned = _planned(request)
    target = delivery.look(planned.target, planned.store)
    if not target.own and not agree(f"{target.path} already exists and is not part of this film. Replace it?"):
        raise delivery.refusal(target.path)
    with planned.store.locked():
        chosen = model_choice.choose(wangp, variant, how)
        planned = film.plan(story, variant, planned.target, chosen.model)
        found = lint(story, planned, wangp.root)
        _refuse(found)
        _check_numbers(planned, (*how.redo, *(() if how.start is None else (how.start,))))
        if how.redo:
            _again(planned, how.redo)
            planned = film.plan(story, variant, planned.target, chosen.model)
        if how.start is not None:
            film.forget(planned, range(how.start, len(planned.segments) + 1))
        job = runner.Job(wangp, planned.store.root / film.OUT, chosen.options)
        if damage.doubtful(planned, job):
            chosen = replace(chosen, notes=(*chosen.notes, DOUBT))
        mended = damage.damaged(planned, program)
        film.forget(planned, [segment.number for segment, _ in mended])
        model_choice.fetch_missing(wangp, planned, chosen, downloads)
        missing = planned.missing()
        say(f"{_summary(planned)}. {len(missing)} of {len(planned.segments)} segments still to make.")
        for finding in found:
            say(f"  {finding.level}: {finding.text}")
        for segment, why in mended:
            say(f"  segment {segment.number} is damaged and will be made again: {why}.")
        made = _made(planned, job, program, chosen, report, preview=how.preview)
        joined = planned.store.root / film.JOINED
        film.join(planned, program, joined)
        delivery.put(joined, target, planned.store)
        with contextlib.suppress(OSError):
            # It may be open in a player, and is of no more use beside the film.
            film.preview_of(planned.store).unlink(missing_ok=True)
    return _result(planned, wangp, chosen, [segment.number for segment in made], mended)


def _planned(request: Request) -> tuple[Story, Variant, film.Film]:
    story = story_of(request)
    variant = variant_of(story.variant)
    return story, variant, film.plan(story, variant, target_of(request))


def _made(
    planned: film.Film, job: runner.Job, program: Path, chosen: ModelChoice, report: film.Report, *, preview: bool
) -> tuple[Any, ...]:
    from ..storyboard import failures

    try:
        return film.make(planned, job, program, report, preview)
    except KeyboardInterrupt as stop:
        left = len(planned.missing())
        raise SviError(
            "interrupted",
            f"Stopped. {len(planned.segments) - left} of {len(planned.segments)} segments are finished and kept.",
            "Run the same command again to continue with the first missing one.",
            EXIT_INTERRUPTED,
        ) from stop
    except SviError as error:
        if error.code not in {"card-full", "ram-full"}:
            raise
        failed = next(iter(planned.missing()), planned.segments[0])
        hint = failures.smaller(planned.tasks[failed.number], chosen.quality, chosen.profile)
        raise SviError(error.code, error.message, hint, error.exit_code) from error


def _again(planned: film.Film, redo: Iterable[int]) -> None:
    """Reject takes. One that is not finished is made anyway, so that the same command can go on after a crash."""
    for number in sorted(set(redo)):
        if planned.finished(planned.segments[number - 1]):
            planned.store.write("redo", segment=number)


def _check_numbers(planned: film.Film, numbers: Iterable[int]) -> None:
    last = len(planned.segments)
    for number in numbers:
        if not 1 <= number <= last:
            raise usage(f"There is no segment {number}; this film has {last} segments. Nothing was started.")


def _refuse(found: Iterable[Finding]) -> None:
    errors = [finding.text for finding in found if finding.level == "error"]
    if errors:
        text = "\n".join(f"  {error}" for error in errors)
        raise SviError(
            "story",
            f"This story cannot be rendered yet. Nothing was started.\n{text}",
            "Fix the story, then run the same command again.",
        )


def _summary(planned: film.Film) -> str:
    frames, count = planned.frames, len(planned.segments)
    return f"{count} segment{'s' if count > 1 else ''}, {frames} frames, {span(seconds(frames))}"


def _shots(story: Story, planned: film.Film) -> tuple[Line, ...]:
    lines: list[Line] = []
    for number, shot in enumerate(story.shots, 1):
        own = tuple(segment for segment in planned.segments if segment.shot == number)
        frames = film_frames(own, planned.variant.overlap)
        cut = "cut, " if own[0].begins and number > 1 else ""
        size = f"{cut}{len(own)} x {own[0].frames} = {frames} frames, {seconds(frames):.1f} s, seed {own[0].seed}"
        lines.append(((f"{number:4}  ", ""), (size, "cyan"), (f"  {shot.prompt}", "")))
    return tuple(lines)


def _lines(found: Iterable[Finding]) -> tuple[Line, ...]:
    return tuple(((f"{each.level}: ", _STYLES[each.level]), (each.text, "")) for each in found)


def _estimate(planned: film.Film) -> tuple[str, ...]:
    known, missing = film.known_seconds(planned), len(planned.missing())
    if not missing:
        return ("Every segment is finished; only the joining is left.",)
    left = "1 segment" if missing == 1 else f"{missing} segments"
    if known is None:
        return (f"{left} to make; the time it takes will be known after the first.",)
    return (f"{left} to make, about {span(known * missing)} at {span(known)} each.",)


def _facts(planned: film.Film, **further: Any) -> dict[str, Any]:
    return {
        "film": {
            "path": str(planned.target),
            "store": str(planned.store.root),
            "frames": planned.frames,
            "seconds": seconds(planned.frames),
            "segments": [
                {
                    "number": segment.number,
                    "shot": segment.shot,
                    "scene": segment.scene,
                    "prompt": segment.prompt,
                    "seed": segment.seed,
                    "frames": segment.frames,
                    "finished": planned.finished(segment),
                    "path": str(planned.folder(segment) / film.PART),
                }
                for segment in planned.segments
            ],
            **further,
        }
    }


def _result(
    planned: film.Film, wangp: WanGP, chosen: ModelChoice, made: list[int], mended: tuple[tuple[Segment, str], ...]
) -> Result:
    unused = planned.store.unused(planned.keys)
    size = sum(store.regular(file) or 0 for folder in unused for file in folder.rglob("*"))
    notes = [*chosen.notes, CREDIT]
    if unused:
        old = f"{len(unused)} folders of earlier takes ({human_size(size)})"
        notes.append(f"{planned.store.root} also holds {old}, which are used again if you undo a change.")
    notes += [f"Segment {segment.number} was damaged ({why}) and was made again." for segment, why in mended]
    for number in damage.unfit(planned):
        notes.append(
            f"Segment {number - 1} ends a little differently than it did when segment {number} went on from it. "
            f"If you can see it, make everything from there again: --from {number}"
        )
    count = len(made)
    return Result(
        "render",
        "done",
        f"{planned.target}: {_summary(planned)}; {count} segment{'' if count == 1 else 's'} made now.",
        checkout=inspect(wangp.root),
        notes=tuple(notes),
        extra=_facts(
            planned,
            made=made,
            headless=wangp.headless,
            damaged=[{"number": segment.number, "why": why} for segment, why in mended],
        ),
    )
