"""Who makes clips: the workers that are there, which of them fit this computer's WanGP, and who is left out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ... import __version__
from ..headless.wangp import WanGP
from . import cluster, work

if TYPE_CHECKING:
    from distributed import Client

# Clips that fail on a worker and not on others: then it is the worker, whose card somebody else may use.
FAULTS = 2
Say = Callable[[str], None]


@dataclass
class Crew:
    """The workers that fit this computer's WanGP, by their address.

    Args:
        client: of the scheduler.
        wangp: of this computer; a clip must look the same wherever it is made.
        say: prints a line.
    """

    client: Client
    wangp: WanGP
    say: Say
    fit: dict[str, str] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    cards: set[str] = field(default_factory=set)
    faults: dict[str, int] = field(default_factory=dict)

    def look(self) -> None:
        """Ask workers that have come who they are, and forget those that have gone."""
        there = self.client.scheduler_info(n_workers=-1)["workers"]
        new = [
            address
            for address, facts in there.items()
            if address not in self.known and facts.get("resources", {}).get(cluster.RESOURCE)
        ]
        answers = self.client.run(work.introduce, workers=new, on_error="return") if new else {}
        for address, facts in answers.items():
            if isinstance(facts, OSError):
                # It has just gone, or is too busy to answer.
                continue
            name = str(there[address].get("name", address))
            why = self._misfit(facts)
            self.known[address] = name
            if why:
                self.say(f"  {name} is left out: {why}")
                self.left_out.add(address)
                continue
            if self.cards and facts["card"] not in self.cards:
                self.say(
                    f"  {name} has another card ({facts['card'] or 'unknown'}): its clips may differ in the last bit."
                )
            self.cards.add(facts["card"])
        # One whose answers are late is back at the next look.
        suit = self.known.keys() - self.left_out
        self.fit = {address: name for address, name in self.known.items() if address in suit and address in there}

    def made(self, name: str, failed: Iterable[str]) -> None:
        """A clip has come from a worker; those who had failed at it before cannot blame the clip.

        Args:
            failed: their names. One to whom that happens again and again gets no more clips.
        """
        self.faults.pop(name, None)
        for each in set(failed) & set(self.fit.values()):
            self.faults[each] = self.faults.get(each, 0) + 1
            if self.faults[each] == FAULTS:
                self.say(f"  {each} is left out from here on: {FAULTS} clips failed there that others could make.")
                self.left_out |= {address for address, known in self.fit.items() if known == each}
                self.fit = {address: known for address, known in self.fit.items() if known != each}

    def places(self, tried: Collection[str]) -> set[str] | None:
        """Return the addresses of those who may make a clip, None for everybody.

        Args:
            tried: names of those who have failed at it.
        """
        if not tried and max(self.faults.values(), default=0) < FAULTS:
            return None
        return {address for address, name in self.fit.items() if name not in tried}

    def _misfit(self, facts: Any) -> str:
        if not isinstance(facts, Mapping):
            return f"it is not a worker of svi-install ({facts})"
        if facts.get("program") != __version__ or facts.get("runtime") != work.runtime_digest():
            return f"it has another version of this program ({facts.get('program')})"
        if facts.get("why"):
            return str(facts["why"])
        if facts.get("wangp") != self.wangp.version:
            return f"it has WanGP {facts.get('wangp')}, and this computer {self.wangp.version}"
        return ""
