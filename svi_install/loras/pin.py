"""Fills the catalogue with what only the hub knows: commit, size, sha256 and licence of every file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SviError
from . import catalogue
from .failures import TransferError
from .settings import Settings, from_environment
from .transport import Transport

_LARGEST_CARD = 4 * 1024 * 1024
_SECONDS = 60.0


@dataclass(frozen=True)
class Pinned:
    """What became of one file of the catalogue.

    Args:
        filename: base name.
        changes: field, value before and value after, for people.
        failure: why the hub could not be asked, empty when it could.
    """

    filename: str
    changes: tuple[tuple[str, str, str], ...] = ()
    failure: str = ""


def pin(
    names: Sequence[str] | None = None,
    *,
    settings: Settings | None = None,
    path: Path | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> tuple[Pinned, ...]:
    """Ask the hub for every file and write what it says into the catalogue.

    Args:
        names: LoRAs as for a download; None for all.
        settings: hub and token; None for those of the environment.
        path: catalogue file; None for the built-in one.
        say: gets the name of each file before the hub is asked for it.

    Returns:
        What changed, file by file. A file that the hub does not have keeps what it had.

    Raises:
        SviError: a name is unknown, or the catalogue cannot be read or written.
    """
    path = path or catalogue.CATALOGUE
    known = catalogue.load(path)
    wanted = {lora.name for lora in (known.loras if names is None else known.select(names))}
    run = settings or from_environment()
    transport = Transport(run)
    data = json.loads(path.read_text(encoding="utf-8"))
    licences: dict[str, str] = {}
    report = []
    for lora in data["loras"]:
        for file in lora["files"] if lora["name"] in wanted else ():
            filename = file["path"].rsplit("/", 1)[-1]
            say(filename)
            try:
                facts = _facts(transport, run.endpoint, file, licences)
            except TransferError as failure:
                report.append(Pinned(filename, failure=failure.message))
                continue
            changes = tuple(
                (field, str(file[field] or ""), str(value)) for field, value in facts.items() if file[field] != value
            )
            file.update(facts)
            report.append(Pinned(filename, changes))
    _write(path, data)
    return tuple(report)


def _facts(
    transport: Transport, endpoint: str, file: Mapping[str, Any], licences: dict[str, str]
) -> dict[str, str | int]:
    repository = file["repository"]
    answer = transport.head(f"{endpoint}/{repository}/resolve/main/{file['path']}")
    if repository not in licences:
        licences[repository] = _licence(transport, f"{endpoint}/api/models/{repository}")
    facts: dict[str, str | int | None] = {
        "licence": licences[repository],
        "commit": answer.commit,
        "size": answer.size,
        "sha256": answer.sha256,
    }
    return {field: value for field, value in facts.items() if value}


def _licence(transport: Transport, url: str) -> str:
    try:
        answer = transport.get(url)
        try:
            card = json.loads(answer.body.whole(_LARGEST_CARD, _SECONDS)).get("cardData") or {}
        finally:
            answer.body.close()
    except (TransferError, ValueError, AttributeError, RecursionError):
        return ""
    licence = card.get("license_name") or card.get("license")
    return licence if isinstance(licence, str) else ""


def _write(path: Path, data: Mapping[str, Any]) -> None:
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8", newline="\n")
        fresh.replace(path)
    except OSError as error:
        raise SviError(
            "catalogue-unwritable",
            f"The LoRA catalogue {path} cannot be written ({error.strerror or error}). It was left as it is.",
            "Run this in a source tree of svi-install.",
        ) from error
