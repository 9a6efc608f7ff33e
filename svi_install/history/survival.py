"""How long a patch set lives: what was known at one release, held against everything that came later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .releases import Verdict

_DAY = 86400


@dataclass(frozen=True)
class Survival:
    """What became of a frozen patch set.

    ``later`` counts the releases or commits after the freeze, ``placed`` those that it could patch, ``wrong`` the hooks
    that it put elsewhere than today's patch set does; ``days`` is the time until the first refusal, or to the last
    commit.
    """

    frozen_at: str
    later: int
    placed: int
    wrong: int
    days: int
    first_refused: Verdict | None

    @property
    def share(self) -> float:
        """The part that it could patch, 1.0 for all of it."""
        return self.placed / self.later if self.later else 1.0


def survival(frozen_at: str, start: int, verdicts: Sequence[Verdict]) -> Survival:
    """Sum up how a frozen patch set did.

    Args:
        frozen_at: the release at which it was frozen.
        start: time of that release's commit.
        verdicts: of everything after it, oldest first.
    """
    refused = next((verdict for verdict in verdicts if not verdict.patchable), None)
    end = refused.commit.time if refused else verdicts[-1].commit.time if verdicts else start
    return Survival(
        frozen_at,
        len(verdicts),
        sum(verdict.patchable for verdict in verdicts),
        sum(len(file.wrong) for verdict in verdicts for file in verdict.files),
        (end - start) // _DAY,
        refused,
    )
