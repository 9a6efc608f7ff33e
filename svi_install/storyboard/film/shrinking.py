"""Making what a film lacks, with less memory each time one was too small: said, written down, finished clips stay."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import SviError
from ...loras.transfer.progress import Report as DownloadReport
from ..archive import decided
from ..headless import failures, runner
from ..headless.wangp import WanGP
from . import making, model_choice
from .film import Clip, Film, Report
from .model_choice import ModelChoice

TOO_SMALL = ("card-full", "ram-full")


@dataclass
class Shrinking:
    """What a film is made with, step by step smaller where it has to be.

    Args:
        wangp: that makes it.
        choice: model and options to begin with; afterwards, those that it was finished with.
        asked: quality that the person asked for.
        downloads: gives what takes the progress of downloads while they run.
        say: prints a line.
        kept: a WanGP that stays loaded for the next film, None to end it after this one.
    """

    wangp: WanGP
    choice: ModelChoice
    asked: str | None
    downloads: Callable[[], AbstractContextManager[DownloadReport]]
    say: Callable[[str], None]
    kept: runner.Kept | None = None

    def job(self, film: Film) -> runner.Job:
        """What WanGP is to do now."""
        out = film.store.root / runner.OUT
        return runner.Job(self.wangp, out, self.choice.options, model=self.choice.model, kept=self.kept)

    def make(
        self,
        film: Film,
        program: Path,
        report: Report,
        *,
        after: making.After = lambda clip: None,
        steer: making.Steer | None = None,
    ) -> tuple[Clip, ...]:
        """Make the clips that a film lacks; see `making.make`."""
        made: list[Clip] = []

        def finished(clip: Clip) -> None:
            made.append(clip)
            after(clip)

        def steered(clip: Clip) -> Film:
            nonlocal film
            assert steer is not None
            film = steer(clip)
            return film

        while True:
            try:
                follow = None if steer is None else steered
                making.make(film, self.job(film), program, report, after=finished, steer=follow)
                return tuple(made)
            except SviError as error:
                if error.code not in TOO_SMALL:
                    raise
                self._shrink(film, error)

    def _shrink(self, film: Film, error: SviError) -> None:
        found = model_choice.smaller(self.choice, error.code, self.wangp, film.variant)
        failed = film.lacking()[0].segment.number
        if found is None:
            hint = failures.smaller(film.tasks[failed], self.choice.quality)
            raise SviError(error.code, error.message, hint, error.exit_code) from error
        self.choice, facts = found
        film.store.write(decided.SMALLER, segment=failed, why=error.code, asked=self.asked, **facts)
        model = f" and {self.choice.quality}" if self.choice.quality else ""
        what = f"{error.message.split('. ')[0]}; going on with WanGP's memory profile {self.choice.profile:g}{model}."
        self.say(f"  {what}")
        self.choice = replace(self.choice, notes=(*self.choice.notes, what))
        model_choice.fetch_missing(self.wangp, film, self.choice, self.downloads)
