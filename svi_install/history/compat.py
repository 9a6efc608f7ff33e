"""The compat file: what became of each WanGP, small enough to be asked for; made from verdicts, read with suspicion."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

from .. import __version__
from ..patching.patchset import PatchSet
from .releases import Verdict

SCHEMA = 1
# So many digits of a commit's id tell all of WanGP's commits apart.
DIGITS = 12
_TEXT = 200
_COMMIT = re.compile(rf"[0-9a-f]{{{DIGITS}}}")


class Known(NamedTuple):
    """What is known of one WanGP.

    Attributes:
        version: WanGP's own.
        placed: SVI can go into it.
        proven: SVI was really run on this release.
        why: why it cannot go in, empty where it can.
    """

    version: str
    placed: bool
    proven: bool
    why: str = ""


class Compat(NamedTuple):
    """A compat file.

    Attributes:
        made: when, as ISO text in UTC.
        version: of the svi-install that made it.
        patch_set: version of its patch set.
        newest: the newest commit, the first digits of its id.
        commits: what is known, by the first digits of a commit's id.
    """

    made: str
    version: str
    patch_set: str
    newest: str
    commits: Mapping[str, Known]

    def of(self, commit: str | None) -> Known | None:
        """Return what is known of a commit."""
        return None if commit is None else self.commits.get(commit[:DIGITS])


def to_bytes(verdicts: Sequence[Verdict], patchset: PatchSet) -> bytes:
    """Return the compat file of judged releases or commits, oldest first."""
    commits: dict[str, dict[str, Any]] = {}
    for verdict in verdicts:
        refused = next((refusal.why for file in verdict.files for refusal in file.refusals), "")
        known = {"version": verdict.version, "placed": verdict.patchable}
        if verdict.version in patchset.commits:
            known["proven"] = True
        if refused:
            known["why"] = refused[:_TEXT]
        commits[verdict.commit.id[:DIGITS]] = known
    raw = {
        "schema": SCHEMA,
        "made": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "svi_install": __version__,
        "patch_set": patchset.version,
        "newest": verdicts[-1].commit.id[:DIGITS] if verdicts else "",
        "commits": commits,
    }
    return json.dumps(raw, ensure_ascii=True, separators=(",", ":")).replace('},"', '},\n"').encode() + b"\n"


def parse(data: bytes) -> Compat:
    """Read a compat file that came over the network.

    Raises:
        ValueError: it is none.
    """
    try:
        raw = json.loads(data)
        if raw["schema"] != SCHEMA:
            raise ValueError(raw["schema"])
        commits = {commit: _known(entry) for commit, entry in raw["commits"].items() if _COMMIT.fullmatch(commit)}
        made, version, patch_set, newest = (
            _plain(raw[name]) for name in ("made", "svi_install", "patch_set", "newest")
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return Compat(made, version, patch_set, newest, commits)


def _known(entry: Mapping[str, Any]) -> Known:
    placed = entry["placed"] is True
    return Known(_plain(entry["version"]), placed, placed and entry.get("proven") is True, _plain(entry.get("why", "")))


def _plain(text: object) -> str:
    """Return a text of one line that no terminal acts upon."""
    return "".join(sign for sign in str(text)[:_TEXT] if sign.isprintable())
