"""``render`` for several stories: one after the other with one WanGP, or side by side on several cards."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import EXIT_FAILED, EXIT_INTERRUPTED, SviError
from ..loras.transfer.progress import Report as DownloadReport
from ..report.result import Line, Result
from ..storyboard.farm import cluster, filming
from ..storyboard.film import film
from ..storyboard.film.model_choice import RenderOptions
from ..storyboard.film.request import Request, target_of
from ..storyboard.finish import publish
from ..storyboard.headless import runner
from ..storyboard.headless.wangp import find
from ..storyboard.script.story import usage
from . import render

Outcome = Result | SviError


@dataclass(frozen=True)
class Telling:
    """Who is told and asked while films are made; see `render.render`."""

    report: film.Report
    downloads: Callable[[], AbstractContextManager[DownloadReport]]
    publishing: publish.Report
    say: Callable[[str], None]
    agree: render.Agree


def placed(requests: Sequence[Request], folder: Path | None) -> tuple[Request, ...]:
    """Give each story a film of its own.

    Args:
        folder: for all of them, None for beside each story.

    Raises:
        SviError: the folder is a file, or two stories would have the same film.
    """
    if folder is not None and not folder.is_dir() and (folder.exists() or folder.suffix):
        raise usage(
            f"{folder} is no folder, and several stories cannot become one film. Nothing was started.",
            "Name a folder with -o, or leave -o out: each film then lies beside its story.",
        )
    found: dict[Path, Path] = {}
    for request in requests:
        path = (folder or request.source.parent) / target_of(replace(request, target=None)).name
        if path.absolute() in found:
            raise usage(
                f"{found[path.absolute()]} and {request.source} would both become {path}. Nothing was started.",
                "Give one of them another name, or leave -o out." if folder else "Name each story once.",
            )
        found[path.absolute()] = request.source
    targets = dict(zip(found.values(), found, strict=True))
    return tuple(replace(request, target=targets[request.source]) for request in requests)


def each(requests: Sequence[Request], act: Callable[[Request], Result], done: str) -> Result:
    """Do something with each story that renders nothing.

    Args:
        act: what is done.
        done: what holds of a story when that went well, in words.
    """
    outcomes: list[Outcome] = []
    for request in requests:
        try:
            outcomes.append(act(request))
        except SviError as error:
            outcomes.append(error)
    return _result(requests, outcomes, done)


def one_by_one(root: Path, requests: Sequence[Request], how: RenderOptions, telling: Telling) -> Result:
    """Render films one after the other; WanGP stays loaded. Where one fails, the others are made all the same.

    Raises:
        SviError: a person has stopped it.
    """
    _make_folders(requests)
    kept = runner.Kept()
    outcomes: list[Outcome] = []
    try:
        for number, request in enumerate(requests, 1):
            telling.say(f"{request.source} ({number} of {len(requests)}):")
            try:
                outcomes.append(render.render(root, request, how, kept=kept, **vars(telling)))
            except SviError as error:
                if error.exit_code == EXIT_INTERRUPTED:
                    raise _stopped(requests, outcomes, error.message) from error
                telling.say(f"  {error.message}")
                outcomes.append(error)
    finally:
        kept.end()
    return _result(requests, outcomes)


def side_by_side(
    root: Path, requests: Sequence[Request], how: RenderOptions, telling: Telling, wish: cluster.Wish
) -> Result:
    """Render films on several cards at once, the longest row of clips first; where one fails, the others go on.

    Raises:
        SviError: a person has stopped it.
    """
    _make_folders(requests)
    outcomes: dict[Request, Outcome] = {}
    ready: dict[Request, render.Ready] = {}
    with contextlib.ExitStack() as held:
        for request in requests:
            telling.say(f"{request.source}:")
            report = _named(telling.report, request.source.name)
            told = {**vars(telling), "report": report}
            del told["publishing"]
            try:
                ready[request] = held.enter_context(render.prepared(root, request, how, **told))
            except SviError as error:
                telling.say(f"  {error.message}")
                outcomes[request] = error
        parts: dict[Request, filming.Part] = {}
        for request, film_ready in ready.items():

            def finish(part: filming.Part, request: Request = request, ours: render.Ready = film_ready) -> None:
                if ours.further is None:
                    outcomes[request] = render.finish(ours, part.made, telling.publishing)

            parts[request] = film_ready.part(finish, f"{request.source.name}, ")
        failure: SviError | None = None
        try:
            if parts:
                filming.together(list(parts.values()), wish, find(root, how.python), telling.say)
        except SviError as error:
            failure = error
        except KeyboardInterrupt as stop:
            raise _stopped(requests, [outcomes[each] for each in requests if each in outcomes], "Stopped.") from stop
        for request, part in parts.items():
            if request in outcomes:
                continue
            try:
                if part.error or part.left:
                    raise part.error or failure or AssertionError(part.left)
                # Frames in between are made by a card, and the workers have them no longer.
                outcomes[request] = render.finish(ready[request], part.made, telling.publishing)
            except SviError as error:
                outcomes[request] = error
    return _result(requests, [outcomes[request] for request in requests])


def _make_folders(requests: Sequence[Request]) -> None:
    for request in requests:
        assert request.target is not None
        folder = request.target.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise usage(f"The folder {folder} cannot be made: {error.strerror}. Nothing was started.") from error


def _named(report: film.Report, name: str) -> film.Report:
    """Let lines say which film they are about."""
    return lambda progress: report(replace(progress, worker=f"{progress.worker}, {name}"))


def _stopped(requests: Sequence[Request], outcomes: Sequence[Outcome], message: str) -> SviError:
    done = sum(isinstance(outcome, Result) for outcome in outcomes)
    return SviError(
        "interrupted",
        f"{message} {done} of {len(requests)} films are done; what is finished of the others is kept.",
        "Run the same command again to continue.",
        EXIT_INTERRUPTED,
    )


def _result(requests: Sequence[Request], outcomes: Sequence[Outcome], done: str = "are done") -> Result:
    results = [outcome for outcome in outcomes if isinstance(outcome, Result)]
    common = [note for note in results[0].notes if all(note in other.notes for other in results)] if results else []
    body: list[Line] = []
    films: list[dict[str, Any]] = []
    for request, outcome in zip(requests, outcomes, strict=True):
        told = {"source": str(request.source), "error": None}
        if isinstance(outcome, Result):
            state = "problem" if outcome.exit_code else "done"
            body += [_line(state, f"{request.source}: {outcome.headline}"), *outcome.body]
            body += [_line("", note) for note in outcome.notes if note not in common]
            films.append({**told, **outcome.extra.get("film", {})})
        else:
            first, *more = outcome.message.splitlines()
            body += [_line("failed", f"{request.source}: {first}"), *(_line("", line) for line in more)]
            body += [_line("", f"Next: {outcome.hint}")] if outcome.hint else []
            films.append({**told, "error": {"code": outcome.code, "message": outcome.message, "hint": outcome.hint}})
    fine = sum(not outcome.exit_code for outcome in results)
    failed = f", {len(outcomes) - fine} not" if fine < len(outcomes) else ""
    return Result(
        "render",
        "done",
        f"{fine} of {len(outcomes)} stories {done}{failed}.",
        checkout=results[0].checkout if results else None,
        body=tuple(body),
        notes=tuple(common),
        extra={"films": films},
        exit_code=EXIT_FAILED if failed else 0,
    )


def _line(state: str, text: str) -> Line:
    return ((f"{state:8}", {"done": "green", "": ""}.get(state, "red")), (text, ""))
