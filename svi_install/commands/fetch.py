"""``fetch``: brings LoRAs into WanGP's folders, lists them, hashes them again; a maintainer pins them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import EXIT_FAILED, EXIT_USAGE, SviError
from ..loras import Fetched, Need, Problem, catalogue, check, needs, prefetch
from ..loras.catalogue import used_by
from ..loras.inventory import look
from ..loras.transfer.progress import Report, human_size, no_report
from ..report.result import Result

# More than that is asked about before it is downloaded.
LARGE = 5 * 1024**3


def split_words(words: Sequence[str]) -> tuple[tuple[str, ...], Path | None]:
    """Tell names of LoRAs from the path that may stand behind them.

    Raises:
        SviError: a word is neither.
    """
    known = catalogue.load()
    if words and not known.knows(words[-1]) and (Path(words[-1]).exists() or len(Path(words[-1]).parts) > 1):
        return _names(known, words[:-1]), Path(words[-1])
    return _names(known, words), None


def _names(known: catalogue.Catalogue, words: Sequence[str]) -> tuple[str, ...]:
    known.select(words)
    return tuple(words)


def wanted(names: Sequence[str], everything: bool) -> tuple[str, ...] | None:
    """Say which LoRAs a command is about.

    Raises:
        SviError: both were given.
    """
    if not everything:
        return tuple(names) or None
    if names:
        raise SviError(
            "usage", "Give either --all or names of LoRAs, not both.", "svi-install fetch --help", EXIT_USAGE
        )
    return tuple(lora.name for lora in catalogue.load().loras)


def fetch(
    root: Path, names: Sequence[str] | None, *, precision: str, mirror: str = "", report: Report = no_report
) -> Result:
    """Bring LoRAs into the folders where this WanGP looks for them.

    Raises:
        SviError: with the exit code for downloads; the installation is untouched.
    """
    from ..checkout.inspection import inspect
    from ..loras.hub import from_environment

    found = needs(root, names, precision=precision)
    result = prefetch(root, names, precision=precision, report=report, settings=from_environment(mirror=mirror))
    came = [file for file in result.files if file.how != "have"]
    speed = f" in {result.seconds:.0f} s" if result.fetched and result.seconds >= 1 else ""
    headline = (
        f"Fetched {_count(len(came), 'LoRA')} ({human_size(sum(file.size for file in came))}{speed})."
        if came
        else f"{_count(len(result.files), 'LoRA')} already in place, nothing to do."
    )
    notes = tuple(line for file in result.files for line in _told(file))
    other = [need.lora.name for need in found if need.file.precision != precision and len(need.lora.files) == 1]
    if other and precision == "fp16":
        notes += (f"There is no fp16 version of {', '.join(other)}, so you got the original.",)
    return Result(
        "fetch",
        "done" if came else "unchanged",
        headline,
        inspect(root),
        notes=notes,
        next_command=_renaming(root, found),
        extra={"loras": [_fetched_dict(file) for file in result.files]},
    )


def listing(root: Path, names: Sequence[str] | None, *, precision: str) -> Result:
    """List LoRAs: how large, whether they are there, where they belong, which profile uses them."""
    known = catalogue.load()
    profiles = used_by(known)
    found = needs(root, names or [lora.name for lora in known.loras], precision=precision, catalogue=known)
    table = [("LoRA", "Size", "Have", "Where", "Used by")]
    for need in found:
        size = human_size(need.size) if need.size else "?"
        where = need.target.parent
        shown = where.relative_to(root).as_posix() if where.is_relative_to(root) else str(where)
        table.append((need.lora.name, size, _have(need), shown, ", ".join(profiles[need.lora.name]) or "-"))
    widths = [max(len(row[column]) for row in table) for column in range(4)]
    notes = tuple(
        "  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)).rstrip() for row in table
    )
    there = sum(need.present for need in found)
    return Result(
        "fetch",
        "unchanged",
        f"You have {there} of {_count(len(found), 'LoRA')}.",
        notes=notes,
        todo=tuple(
            f"{need.target} {need.fault}. Remove it, then: {_again(root, need.lora.name)}"
            for need in found
            if need.fault
        ),
        extra={"loras": [_need_dict(need, profiles[need.lora.name]) for need in found]},
    )


def verify(root: Path, names: Sequence[str] | None, *, precision: str, report: Report = no_report) -> Result:
    """Hash the LoRAs that are there again."""
    found = check(root, names, precision=precision, report=report)
    wrong = [item for item in found if isinstance(item, Problem)]
    fine = [item for item in found if isinstance(item, Fetched)]
    headline = (
        f"{len(wrong)} of {_count(len(found), 'LoRA')} should be replaced."
        if wrong
        else f"{_count(len(fine), 'LoRA')} checked, all fine."
    )
    if not found:
        headline = "There is no LoRA to check yet."
    return Result(
        "fetch",
        "unchanged",
        headline,
        notes=tuple(line for file in fine for line in _told(file)),
        todo=tuple(f"{item.path} {item.why}. Remove it, then: {_again(root, item.name)}" for item in wrong),
        extra={
            "loras": [_fetched_dict(file) for file in fine],
            "problems": [{"name": item.name, "path": str(item.path), "why": item.why} for item in wrong],
        },
        exit_code=EXIT_FAILED if wrong else 0,
    )


def pin(names: Sequence[str], *, mirror: str = "", say: Callable[[str], None] = lambda _line: None) -> Result:
    """Fill the catalogue from the hub; for maintainers, in a source tree."""
    from ..loras.hub import from_environment
    from ..loras.hub import pin as run

    report = run(names or None, settings=from_environment(mirror=mirror), say=say)
    failed = [item for item in report if item.failure]
    notes = tuple(
        f"{item.filename}: {field} {before or 'unknown'} -> {after}"
        for item in report
        for field, before, after in item.changes
    )
    return Result(
        "fetch",
        "done" if notes else "unchanged",
        f"{_count(len(report) - len(failed), 'file')} pinned, {len(failed)} not.",
        notes=notes,
        todo=tuple(f"{item.filename}: {item.failure}" for item in failed),
        exit_code=EXIT_FAILED if failed else 0,
    )


def missing(root: Path, names: Sequence[str] | None, *, precision: str) -> tuple[str, int]:
    """Say what will be downloaded before it is."""
    found = [need for need in needs(root, names, precision=precision) if not need.present and not need.fault]
    parts = [f"{need.lora.name} ({human_size(need.size) if need.size else 'size unknown'})" for need in found]
    total = sum(max(0, (need.size or 0) - need.kept) for need in found)
    return f"To download: {', '.join(parts)}" if parts else "", total


def _again(root: Path, name: str) -> str:
    # Late, because a list needs to know nothing about states.
    from ..errors import quoted

    return f"svi-install fetch {name} {quoted(root)}"


def _told(file: Fetched) -> tuple[str, ...]:
    how = {
        "have": "already there",
        "linked": "linked from a copy on this computer",
        "copied": "copied from another folder",
    }.get(file.how, "")
    if file.how == "downloaded":
        how = f"downloaded ({human_size(file.resumed)} of it in an earlier run)" if file.resumed else "downloaded"
    return (f"{file.name}: {file.path}", f"    {human_size(file.size)}, {how}; {file.vouched}")


def _have(need: Need) -> str:
    if need.present:
        return "yes"
    if need.fault:
        return "damaged"
    for file in need.lora.files:
        if look(need.target.parent / file.filename).present:
            return file.precision
    return f"{need.kept * 100 // need.size} %" if need.kept and need.size else "no"


def _renaming(root: Path, found: Sequence[Need]) -> str:
    """Name the command that makes installed profiles name the precision that is there, when they name another."""
    for need in found:
        others = [file for file in need.lora.files if file != need.file]
        if need.file != need.lora.files[0] and not any(
            look(need.target.parent / file.filename).present for file in others
        ):
            from ..errors import quoted

            return f"svi-install {quoted(root)}"
    return ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _need_dict(need: Need, profiles: Sequence[str]) -> dict[str, Any]:
    return {
        "name": need.lora.name,
        "title": need.lora.title,
        "precision": need.file.precision or None,
        "url": need.file.url,
        "path": str(need.target),
        "size": need.size,
        "have": need.present,
        "fault": need.fault or None,
        "kept": need.kept,
        "used_by": list(profiles),
        "licence": need.file.licence or None,
        "commit": need.file.commit or None,
        "sha256": need.file.sha256 or None,
    }


def _fetched_dict(file: Fetched) -> dict[str, Any]:
    return {
        "name": file.name,
        "path": str(file.path),
        "how": file.how,
        "size": file.size,
        "sha256": file.sha256,
        "proof": file.proof,
        "vouched": file.vouched,
        "fetched": file.fetched,
        "resumed": file.resumed,
    }
