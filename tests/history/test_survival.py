from __future__ import annotations

from svi_install.history.judge import FileVerdict
from svi_install.history.releases import Verdict
from svi_install.history.repository import Commit
from svi_install.history.survival import survival
from svi_install.patching.placement import Refusal

DAY = 86400


def verdict(day: int, *, refused: bool = False, wrong: tuple[str, ...] = ()) -> Verdict:
    refusals = (Refusal("a.py", "hook", "why", "", ()),) if refused else ()
    return Verdict(f"1.{day}", Commit("c", day * DAY, "s"), (FileVerdict("a.py", "b", refusals=refusals, wrong=wrong),))


def test_a_patch_set_lives_until_the_first_refusal() -> None:
    found = survival("1.0", DAY, [verdict(2), verdict(5, refused=True), verdict(9, wrong=("x", "y"))])
    assert (found.later, found.placed, found.wrong, found.days) == (3, 2, 2, 4)
    assert found.first_refused is not None
    assert found.first_refused.version == "1.5"
    assert found.share == 2 / 3


def test_a_patch_set_that_is_never_refused_lives_to_the_end() -> None:
    found = survival("1.0", DAY, [verdict(2), verdict(9)])
    assert (found.days, found.first_refused, found.share) == (8, None, 1.0)


def test_the_newest_patch_set_has_nothing_to_survive() -> None:
    assert survival("1.0", DAY, []).share == 1.0
    assert survival("1.0", DAY, []).days == 0
