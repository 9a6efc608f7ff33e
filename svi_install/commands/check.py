"""``svi-install check``: can every release of WanGP be patched, and how?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..errors import EXIT_DONE, EXIT_UNSUPPORTED, SviError
from ..history import repository
from ..history.compat import to_bytes
from ..history.git_environment import Progress
from ..history.judge import FileVerdict
from ..history.releases import Verdict, releases
from ..history.releases import check as judge_all
from ..history.survival import Survival, survival
from ..patching.patchset import known_at, load
from ..report.check_page import page
from ..report.check_table import lifetime, matrix, refusals
from ..report.result import Result


def check(
    source: str | None,
    *,
    since: str | None = None,
    revision: str | None = None,
    all_commits: bool = False,
    frozen_at: str | None = None,
    html: Path | None = None,
    compat: Path | None = None,
    patches: Path | None = None,
    progress: Progress = repository.silent,
) -> Result:
    """Judge releases or commits of WanGP.

    Args:
        source: a git clone or a URL; WanGP's own repository when None.
        all_commits: judge every commit of the main line.
        frozen_at: use only what was known at this release, on what came after it.
        html: write a page to this file.
        compat: write what `status --online` reads to this file.
        patches: another folder with a patch set.
        progress: told how far the transfer and the judging have come.

    Returns:
        The result; its exit code is 0 only if everything could be patched.

    Raises:
        SviError: no history, no such release or revision, or the page cannot be written.
    """
    patchset = load(patches)
    used = known_at(patchset, frozen_at) if frozen_at else patchset
    git = repository.open_history(source, progress=progress)
    chosen = releases(git, patchset, since or frozen_at, revision, all_commits)
    life: Survival | None = None
    if frozen_at and revision is None:
        start, chosen = chosen[0].commit.time, chosen[1:]
    verdicts = judge_all(
        git, used, chosen, all_commits=all_commits, reference=patchset if frozen_at else None, progress=progress
    )
    if frozen_at and revision is None:
        life = survival(frozen_at, start, verdicts)
    headline = summary(verdicts, all_commits)
    if html is not None:
        _write(html, _page(verdicts, headline, f"Patch set {used.version}."))
    if compat is not None:
        _write(compat, to_bytes(verdicts, used))
    lines = [*matrix(verdicts), *refusals(verdicts)]
    if life:
        lines += [(), ((lifetime(life), "bold"),)]
    good = all(verdict.patchable and not any(file.wrong for file in verdict.files) for verdict in verdicts)
    return Result(
        "check",
        "done",
        headline,
        body=tuple(lines),
        extra=_extra(verdicts, str(source or repository.UPSTREAM), used.version, life),
        exit_code=EXIT_DONE if good else EXIT_UNSUPPORTED,
    )


def summary(verdicts: Sequence[Verdict], all_commits: bool) -> str:
    """Say in one line how many releases or commits can be patched."""
    counts = Counter(verdict.how for verdict in verdicts)
    kind = "commits" if all_commits else "releases"
    parts = [f"{counts[how]} {how}" for how in ("exact", "moved", "reduced", "refused") if counts[how]]
    wrong = sum(len(file.wrong) for verdict in verdicts for file in verdict.files)
    placed = len(verdicts) - counts["refused"]
    return f"{placed} of {len(verdicts)} {kind} can be patched ({', '.join([*parts, f'{wrong} wrong'])})."


def _page(verdicts: Sequence[Verdict], headline: str, details: str) -> bytes:
    when = datetime.now(timezone.utc).strftime("Checked on %Y-%m-%d at %H:%M UTC.")
    text = page(verdicts, title="svi-install on every WanGP", headline=headline, details=details, when=when)
    return text.encode("utf-8", "replace")


def _write(target: Path, data: bytes) -> None:
    try:
        target.write_bytes(data)
    except OSError as error:
        raise SviError("page", f"The page {target} could not be written: {error.strerror}.") from error


def _extra(verdicts: Sequence[Verdict], source: str, version: str, life: Survival | None) -> dict[str, Any]:
    frozen = None
    if life:
        first = life.first_refused
        frozen = {
            "at": life.frozen_at,
            "later": life.later,
            "placed": life.placed,
            "wrong": life.wrong,
            "days": life.days,
            "first_refused": first and {"version": first.version, "commit": first.commit.id, "date": first.day},
        }
    rows = [
        {
            "version": verdict.version,
            "commit": verdict.commit.id,
            "date": verdict.day,
            "subject": verdict.commit.subject,
            "how": verdict.how,
            "files": [_file(file) for file in verdict.files],
        }
        for verdict in verdicts
    ]
    return {"source": source, "patch_set": version, "frozen": frozen, "releases": rows}


def _file(file: FileVerdict) -> dict[str, Any]:
    causes = {cause.hook: cause.commit for cause in file.causes}
    return {
        "path": file.path,
        "blob": file.blob,
        "broken": file.broken or None,
        "wrong": list(file.wrong),
        "hooks": [
            {"hook": p.hook, "how": p.how, "line": p.line, "offset": p.offset, "variant": p.variant}
            for p in file.places
        ],
        "refused": [
            {
                "hook": refusal.hook or None,
                "why": refusal.why,
                "looked_for": refusal.looked_for or None,
                "candidates": [{"line": c.line, "text": c.text, "score": c.score} for c in refusal.candidates],
                "since": {"commit": causes[refusal.hook].id, "subject": causes[refusal.hook].subject}
                if refusal.hook in causes
                else None,
            }
            for refusal in file.refusals
        ],
    }
